"""The header of WebSocket frames, and nothing else of them (:rfc:`6455` section 5.2).

No other file of the package knows how a frame begins::

     byte 0             byte 1               then            then
    +-----+-----+------+------+-------------+---------------+-----------+---------
    | FIN | RSV | kind | MASK | length: 7   | 2 or 8 bytes, | 4 bytes,  | payload
    |  1  |  3  |  4   |  1   | bits        | if it is 126, | if MASK   |
    |     |     |      |      |             | 127           |           |
    +-----+-----+------+------+-------------+---------------+-----------+---------

Clients mask their frames. A server does not, so the same bytes serve every member of a board.
"""

from __future__ import annotations

FINAL_TEXT = 0x81
"""The first byte of a text message that is one frame; the others likewise."""
FINAL_BINARY = 0x82
CLOSE = 0x88
PING = 0x89
PONG = 0x8A

SHORT_HEADER = 6
"""Bytes of the header of a masked frame whose payload is shorter than 126 bytes.

No other form of the header is as long: 2, 4 and 10 without a mask, 6, 8 and 14 with one.
"""

MEDIUM_HEADER = 8
"""The same for a payload that is shorter than 65 536 bytes."""

MAX_REASON = 123
"""Bytes of the reason in a close frame."""

PING_FRAME = b"\x89\x00"
"""A ping of a server, without a payload."""

_MASKED = 0x80
_CONTROL = (PING, PONG)
_MESSAGES = (FINAL_TEXT, FINAL_BINARY)
_TEXTS = (FINAL_TEXT,)


def text_frame(payload: bytes) -> bytes:
    """One whole text message of a server around UTF-8 text of any length."""
    length = len(payload)
    if length < 126:
        return b"\x81%c%b" % (length, payload)
    return text_header(length) + payload


def text_header(length: int) -> bytes:
    """The header of a text message of a server whose payload has so many bytes."""
    if length < 126:
        return b"\x81%c" % length
    if length < 65536:
        return b"\x81\x7e%b" % length.to_bytes(2, "big")
    return b"\x81\x7f%b" % length.to_bytes(8, "big")


def binary_frame(payload: bytes) -> bytes:
    """One whole binary message of a server, of any length."""
    length = len(payload)
    if length < 126:
        return b"\x82%c%b" % (length, payload)
    return binary_header(length) + payload


def binary_header(length: int) -> bytes:
    """The header of a binary message of a server whose payload has so many bytes."""
    return b"\x82" + text_header(length)[1:]


def close_frame(code: int, reason: str) -> bytes:
    """A close frame of a server; a reason that is too long for a frame is cut.

    Args:
        code: the close code.
        reason: a text of ASCII characters.
    """
    payload = code.to_bytes(2, "big") + reason.encode("ascii", "replace")[:MAX_REASON]
    return b"\x88%c%b" % (len(payload), payload)


class SharedFrame:
    """One frame in parts, some of which belong to frames of other peers as well.

    What waits for many slow peers then takes memory once.

    Args:
        parts: bytes in order, which are one whole frame together.
        is_free: whether it does not count as something that waits for a peer: all its parts
            belong to other peers as well.
    """

    __slots__ = ("_size", "is_free", "parts")

    def __init__(self, parts: tuple[bytes, ...], *, is_free: bool = False) -> None:
        self.parts = parts
        self.is_free = is_free
        self._size = sum(map(len, parts))

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)

    def read(self, offset: int, size: int) -> bytes:
        """Copy at most ``size`` bytes from ``offset`` on."""
        found = []
        for part in self.parts:
            if offset < len(part) and size > 0:
                found.append(part[offset : offset + size])
                size -= len(found[-1])
            offset = max(0, offset - len(part))
        return b"".join(found)


def pong_frame(payload: bytes) -> bytes:
    """The answer of a server to a ping with this payload, which is shorter than 126 bytes."""
    return b"\x8a%c%b" % (len(payload), payload)


def next_frame(data: bytes | bytearray, position: int) -> tuple[int, int, int] | None:
    """Read the header of the frame that begins at ``position``, masked or not.

    A frame of a client is short and masked if, and only if, its payload starts
    :data:`SHORT_HEADER` bytes after ``position``. The mask is the 4 bytes before the payload.

    Args:
        data: frames, of which the last may still be incomplete.
        position: where the frame begins.

    Returns:
        Its first byte, where its payload starts, and where it ends; both may lie beyond
        ``data``. None if not even the length has arrived.
    """
    left = len(data) - position
    if left < 2:
        return None
    second = data[position + 1]
    if _MASKED <= second < 0xFE:
        # The common case first: this is asked for with every message of every client.
        start = position + SHORT_HEADER
        return data[position], start, start + second - _MASKED
    length, start = second & 0x7F, position + 2
    if length > 125:
        size = 2 if length == 126 else 8
        if left < 2 + size:
            return None
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    if second & _MASKED:
        start += 4
    return data[position], start, start + length


def is_masked(data: bytes | bytearray, position: int) -> bool:
    """Whether the frame that begins at ``position`` has a mask, as those of clients must have."""
    return data[position + 1] & _MASKED != 0


def is_one_short_text(data: bytes) -> bool:
    """Whether ``data`` is exactly one text message of a client, shorter than 126 bytes.

    The same as ``next_frame(data, 0) == (FINAL_TEXT, SHORT_HEADER, len(data))`` in less time:
    nearly everything that a server receives is such a message, and alone in its read.
    """
    length = len(data) - SHORT_HEADER
    return 0 <= length < 126 and data[0] == FINAL_TEXT and data[1] == _MASKED | length


def skip_droppable(
    data: bytes, position: int, *, messages: bool, binary: bool = True
) -> tuple[int, int, int]:
    """Skip the whole frames that may be dropped from a flood: messages, pings and pongs.

    A message that is longer than 65 535 bytes or comes in fragments is not skipped.

    Args:
        data: frames of a client.
        position: where the first one begins.
        messages: whether messages may be dropped, too; not between two fragments.
        binary: whether binary messages may be dropped as well as text messages.

    Returns:
        Where the first frame begins that is left, how many frames were skipped, and how many
        of those were pongs.
    """
    skipped = pongs = 0
    size = len(data)
    kinds = _MESSAGES if binary else _TEXTS
    while (frame := next_frame(data, position)) is not None:
        first, start, end = frame
        header = start - position
        if first in _CONTROL:
            may_go = header == SHORT_HEADER
        else:
            may_go = messages and first in kinds and header in (SHORT_HEADER, MEDIUM_HEADER)
        if not may_go or end > size:
            break
        position = end
        skipped += 1
        pongs += first == PONG
    return position, skipped, pongs


def frame_end(frames: bytes, offset: int) -> int:
    """Find the end of the frame that the byte at ``offset`` belongs to.

    Args:
        frames: whole frames.
        offset: at most the length of ``frames``.

    Returns:
        Where that frame ends; ``offset`` itself if a frame begins there, or if all end there.
    """
    position = 0
    while position < offset and (frame := next_frame(frames, position)) is not None:
        position = frame[2]
    return position
