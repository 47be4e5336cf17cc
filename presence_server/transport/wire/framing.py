"""Where frames begin and end, and which need no more than that to be read.

Nearly all a server hears is one short text message in one frame. Told apart here, such
a frame costs a quarter of what the library takes for it; the library reads all others,
and so decides about everything that is not as simple as that.
"""

from __future__ import annotations

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

unmask = apply_mask
"""The payload of a client's frame: ``unmask(data, mask)``, in C where that was built."""
_FINAL_TEXT = 0x81
_FINAL_BINARY = 0x82
_PING = 0x89
_PONG = 0x8A
_CONTROL, _MESSAGES = (_PING, _PONG), (_FINAL_TEXT, _FINAL_BINARY)
_MASKED = 0x80
_LENGTH = 0x7F


def is_one_plain_text(data: bytes) -> bool:
    """Whether ``data`` is one text message of less than 126 bytes, whole and masked, no more.

    Its mask is the bytes from 2 to 6, its payload what follows.
    """
    length = len(data) - 6
    return 0 <= length < 126 and data[0] == _FINAL_TEXT and data[1] == _MASKED | length


def frame_bounds(data: bytes, position: int) -> tuple[int, int] | None:
    """Where the payload of the frame at ``position`` starts and ends (:rfc:`6455` section 5.2).

    Either may lie beyond ``data``. None if even the length has not come yet.
    """
    left = len(data) - position
    if left < 2:
        return None
    second = data[position + 1]
    length, start = second & _LENGTH, position + 2
    if length == 126:
        if left < 4:
            return None
        length, start = int.from_bytes(data[start : start + 2], "big"), start + 2
    elif length == 127:
        if left < 10:
            return None
        length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
    if second & _MASKED:
        start += 4
    return start, start + length


def is_plain_text(data: bytes, position: int, start: int) -> bool:
    """Whether the frame at ``position`` is a whole text message of less than 126 bytes, masked.

    Args:
        data: holds the frame.
        position: where it begins.
        start: where its payload begins.
    """
    return data[position] == _FINAL_TEXT and data[position + 1] >= _MASKED and start - position == 6


def is_ping(data: bytes, position: int, start: int) -> bool:
    """Whether the frame at ``position`` is a ping as it must be; see :func:`is_plain_text`."""
    return data[position] == _PING and data[position + 1] >= _MASKED and start - position == 6


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping: its payload, which is shorter than 126 bytes."""
    return b"\x8a%c%b" % (len(payload), payload)


def passed_over(data: bytes, position: int, *, messages: bool) -> tuple[int, int, int]:
    """Go by what may be dropped: messages in one frame, pings and pongs, each whole.

    Args:
        data: frames of a client.
        position: where the first one begins.
        messages: whether messages may go, too: not in the middle of a fragmented one.

    Returns:
        Where the first frame begins that is anything else, how many were before it, and
        how many of those were pongs.
    """
    frames = pongs = 0
    size = len(data)
    while size - position >= 6:
        first, length = data[position], data[position + 1] - _MASKED
        if first in _CONTROL:
            if not 0 <= length < 126:
                break
            end = position + 6 + length
        elif messages and first in _MESSAGES:
            if not 0 <= length < 127:
                break
            end = position + 6 + length
            if length == 126:
                end = position + 8 + int.from_bytes(data[position + 2 : position + 4], "big")
        else:
            break
        if end > size:
            break
        position = end
        frames += 1
        pongs += first == _PONG
    return position, frames, pongs
