"""The header of frames: written and read as the library ``websockets`` does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode

from presence_server.protocol import frames
from presence_server.protocol.frames import (
    MAX_REASON,
    SHORT_HEADER,
    close_frame,
    frame_end,
    is_masked,
    is_one_short_text,
    next_frame,
    pong_frame,
    skip_droppable,
    text_frame,
)

SIZES = (0, 1, 2, 124, 125, 126, 127, 128, 1000, 65535, 65536)


def masked(opcode: Opcode, size: int = 0, *, fin: bool = True) -> bytes:
    """A frame of a client."""
    return Frame(opcode, b"x" * size, fin).serialize(mask=True)


@pytest.mark.parametrize("size", SIZES)
def test_a_text_frame_is_the_one_that_the_library_would_write(size: int) -> None:
    payload = b"x" * size
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


@pytest.mark.parametrize("reason", ["", "full", "x" * MAX_REASON, "x" * (MAX_REASON + 1), "\u00e9"])
def test_a_close_frame_is_the_one_that_the_library_would_write(reason: str) -> None:
    payload = Close(1013, reason.replace("\u00e9", "?")[:MAX_REASON]).serialize()
    assert close_frame(1013, reason) == Frame(Opcode.CLOSE, payload).serialize(mask=False)


def test_frames_of_clients_are_masked_and_those_of_servers_are_not() -> None:
    assert is_masked(b"before" + masked(Opcode.TEXT, 3), len(b"before"))
    assert not is_masked(text_frame(b"abc"), 0)


@pytest.mark.parametrize("size", [0, 1, 125])
def test_control_frames_are_those_that_the_library_would_write(size: int) -> None:
    payload = b"x" * size
    assert pong_frame(payload) == Frame(Opcode.PONG, payload).serialize(mask=False)
    assert Frame(Opcode.PING, b"").serialize(mask=False) == frames.PING_FRAME


@pytest.mark.parametrize(
    ("first", "opcode"),
    [
        (frames.FINAL_TEXT, Opcode.TEXT),
        (frames.FINAL_BINARY, Opcode.BINARY),
        (frames.CLOSE, Opcode.CLOSE),
        (frames.PING, Opcode.PING),
        (frames.PONG, Opcode.PONG),
    ],
)
def test_the_first_byte_tells_the_kind(first: int, opcode: Opcode) -> None:
    frame = next_frame(masked(opcode), 0)
    assert frame is not None
    assert frame[0] == first


@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_the_header_needs_the_length_and_no_more(size: int, *, mask: bool) -> None:
    before = b"\0\0\0"
    data = before + Frame(Opcode.TEXT, b"x" * size).serialize(mask=mask)
    needed = 2 if size < 126 else 4 if size < 65536 else 10
    for known in range(needed):
        assert next_frame(data[: 3 + known], 3) is None
    start = 3 + needed + (4 if mask else 0)
    expected = (frames.FINAL_TEXT, start, start + size)
    assert next_frame(data[: 3 + needed], 3) == expected
    assert next_frame(data, 3) == expected


@given(st.binary(min_size=2, max_size=20))
def test_only_a_short_masked_frame_has_the_short_header(data: bytes) -> None:
    frame = next_frame(data, 0)
    if frame is not None:
        _, start, end = frame
        is_short_and_masked = data[1] >= 0x80 and data[1] & 0x7F < 126
        assert (start == SHORT_HEADER) is is_short_and_masked
        assert not is_short_and_masked or end - start == data[1] - 0x80


@given(
    st.sampled_from([b"\x81\x85", b"\x81\x84", b"\x81\x05", b"\x82\x85", b"\x01\x85", b"\x81"]),
    st.binary(max_size=12),
)
def test_the_shortcut_for_one_short_text_agrees_with_the_header(head: bytes, rest: bytes) -> None:
    data = head + rest
    assert is_one_short_text(data) is (next_frame(data, 0) == (0x81, SHORT_HEADER, len(data)))


@pytest.mark.parametrize("size", SIZES)
def test_one_short_text_is_known_by_its_header(size: int) -> None:
    assert is_one_short_text(masked(Opcode.TEXT, size)) is (size < 126)
    assert not is_one_short_text(masked(Opcode.TEXT, size) + b"\0")
    assert not is_one_short_text(masked(Opcode.TEXT, size)[:-1])


DROPPED = [
    *(masked(opcode, size) for opcode in (Opcode.TEXT, Opcode.BINARY) for size in SIZES[:-1]),
    *(masked(opcode, size) for opcode in (Opcode.PING, Opcode.PONG) for size in SIZES[:5]),
]
KEPT = {
    "close": masked(Opcode.CLOSE),
    "first fragment": masked(Opcode.TEXT, 1, fin=False),
    "last fragment": masked(Opcode.CONT, 1),
    "long ping": b"\x89\xfe\0\x7e" + bytes(130),
    "very long message": masked(Opcode.TEXT, 65536),
    "text without a mask": b"\x81\x01x",
    "pong without a mask": b"\x8a\x00",
    "reserved bit": b"\xc1\x80\0\0\0\0",
    "reserved opcode": b"\x83\x80\0\0\0\0",
    "cut in the payload": masked(Opcode.TEXT, 3)[:-1],
    "cut in the length": masked(Opcode.BINARY, 200)[:3],
    "one byte": b"\x81",
    "nothing": b"",
}


@given(
    st.lists(st.sampled_from(DROPPED), max_size=5),
    st.sampled_from(sorted(KEPT)),
    st.binary(max_size=3),
)
def test_whole_messages_pings_and_pongs_are_skipped_and_nothing_else(
    dropped: list[bytes], kept: str, before: bytes
) -> None:
    data = before + b"".join(dropped) + KEPT[kept]
    pongs = sum(1 for one in dropped if one[0] == frames.PONG)
    position, skipped, skipped_pongs = skip_droppable(data, len(before), messages=True)
    assert position == len(before) + sum(map(len, dropped))
    assert (skipped, skipped_pongs) == (len(dropped), pongs)


def test_between_two_fragments_only_control_frames_are_skipped() -> None:
    data = masked(Opcode.PING) + masked(Opcode.PONG) + masked(Opcode.TEXT, 1)
    assert skip_droppable(data, 0, messages=False) == (12, 2, 1)
    assert skip_droppable(data, 0, messages=True) == (len(data), 3, 1)


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_ends_where_the_next_one_begins(size: int) -> None:
    first, second = text_frame(b"x" * size), text_frame(b"y")
    both = first + second
    assert frame_end(both, 0) == 0
    assert frame_end(both, 1) == frame_end(both, len(first)) == len(first)
    assert frame_end(both, len(first) + 1) == frame_end(both, len(both)) == len(both)


@pytest.mark.parametrize("size", SIZES)
def test_a_header_alone_is_that_of_the_frame(size: int) -> None:
    assert text_frame(b"x" * size) == frames.text_header(size) + b"x" * size


@given(st.lists(st.binary(max_size=5), max_size=5), st.integers(0, 30), st.integers(0, 30))
def test_a_frame_in_parts_is_read_from_anywhere(parts: list[bytes], offset: int, size: int) -> None:
    frame = frames.SharedFrame(tuple(parts))
    whole = b"".join(parts)
    assert (bytes(frame), len(frame)) == (whole, len(whole))
    assert frame.read(offset, size) == whole[offset : offset + size]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_a_binary_message_is_framed_as_the_library_does_it(length: int) -> None:
    payload = b"x" * length
    assert frames.binary_frame(payload) == Frame(Opcode.BINARY, payload).serialize(mask=False)


def test_binary_messages_may_be_spared_from_a_flood() -> None:
    text = Frame(Opcode.TEXT, b"{}").serialize(mask=True)
    binary = Frame(Opcode.BINARY, b"\0").serialize(mask=True)
    assert skip_droppable(text + binary + text, 0, messages=True)[1] == 3
    left, skipped, _ = skip_droppable(text + binary + text, 0, messages=True, binary=False)
    assert (left, skipped) == (len(text), 1)
