"""Frames are told apart as the library would, however their bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

from presence_server.transport.wire.framing import frame_bounds, is_plain_text, passed_over
from tests.transport.fake_wire import ConnectionUnderTest
from tests.transport.frames import frame, text

SIZES = (0, 1, 2, 124, 125, 126, 127, 128, 1000, 65535, 65536)

Sent = tuple[str, list[bytes]]
"""What kind of message, and the payloads of its frames."""

messages: st.SearchStrategy[Sent] = st.one_of(
    st.sampled_from(SIZES).map(lambda size: ("text", [b"x" * size])),
    st.binary(max_size=130).map(lambda data: ("binary", [data])),
    st.binary(max_size=125).map(lambda data: ("ping", [data])),
    st.lists(st.text(max_size=70), min_size=2, max_size=4).map(
        lambda parts: ("text", [part.encode() for part in parts])
    ),
)
OPCODES = {"text": Opcode.TEXT, "binary": Opcode.BINARY, "ping": Opcode.PING}


def encode(sent: Sent) -> bytes:
    kind, parts = sent
    frames = [
        frame(Opcode.CONT if index else OPCODES[kind], part, fin=index == len(parts) - 1)
        for index, part in enumerate(parts)
    ]
    return b"".join(frames)


def heard(sent: Sent) -> bytes | str:
    kind, parts = sent
    whole = b"".join(parts)
    if kind == "ping":
        return "alive"
    return whole if kind == "text" else b"binary " + whole


@given(st.lists(messages, max_size=6), st.data())
async def test_messages_arrive_in_order_however_they_are_cut(
    sent: list[Sent], data: st.DataObject
) -> None:
    held = ConnectionUnderTest()
    stream = b"".join(encode(message) for message in sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        if start < end:
            held.connection.receive(stream[start:end])
    assert held.handler.heard == [heard(message) for message in sent]


async def test_a_whole_message_between_fragments_is_a_violation() -> None:
    held = ConnectionUnderTest()
    held.connection.receive(text("a", fin=False) + text("b"))
    assert held.handler.heard == ["end None"]
    assert held.last_close() == 1002


async def test_what_comes_behind_the_end_of_a_session_is_not_read() -> None:
    held = ConnectionUnderTest()
    held.handler.on_text = lambda data: held.connection.close(1000)  # type: ignore[method-assign]
    held.connection.receive(text("bye") + text("again") + frame(Opcode.PING, b""))
    assert [seen.opcode for seen in held.frames()] == [Opcode.CLOSE]


@pytest.mark.parametrize("size", SIZES)
def test_bounds_need_the_length_and_no_more(size: int) -> None:
    data = b"\0\0\0" + frame(Opcode.TEXT, b"x" * size)
    needed = 2 if size < 126 else 4 if size < 65536 else 10
    for known in range(needed):
        assert frame_bounds(data[: 3 + known], 3) is None
    bounds = 3 + needed + 4, 3 + needed + 4 + size
    assert frame_bounds(data[: 3 + needed], 3) == frame_bounds(data, 3) == bounds
    assert is_plain_text(data, 3, bounds[0]) is (size < 126)


@pytest.mark.parametrize(
    "head",
    [
        b"\x82\x85",  # binary
        b"\x01\x85",  # a fragment
        b"\xc1\x85",  # a reserved bit
        b"\x81\x05",  # not masked
        b"\x89\x85",  # a ping
        b"\x81\xfe\x00\x05",  # a length that should have been shorter
    ],
)
def test_all_but_the_plain_is_left_to_the_library(head: bytes) -> None:
    data = head + b"\0\0\0\0hello"
    bounds = frame_bounds(data, 0)
    assert bounds is not None
    assert not is_plain_text(data, 0, bounds[0])


DROPPED = [
    *(frame(opcode, b"x" * size) for opcode in (Opcode.TEXT, Opcode.BINARY) for size in SIZES[:-1]),
    *(frame(opcode, b"x" * size) for opcode in (Opcode.PING, Opcode.PONG) for size in SIZES[:5]),
]
KEPT = [
    frame(Opcode.CLOSE, b"\x03\xe8"),
    frame(Opcode.TEXT, b"a", fin=False),
    frame(Opcode.CONT, b"a"),
    b"\x89\xfe\0\x7e" + bytes(130),
    frame(Opcode.TEXT, b"x" * 65536),
    b"\x81\x01x",
    b"\x8a\x00",
    b"\xc1\x80\0\0\0\0",
    b"\x83\x80\0\0\0\0",
    frame(Opcode.TEXT, b"cut")[:-1],
    frame(Opcode.BINARY, b"x" * 200)[:3],
    b"\x81",
    b"",
]


@given(
    st.lists(st.sampled_from(DROPPED), max_size=5),
    st.sampled_from(KEPT),
    st.binary(max_size=3),
)
def test_what_may_be_dropped_is_passed_over_and_nothing_else(
    dropped: list[bytes], kept: bytes, before: bytes
) -> None:
    data = before + b"".join(dropped) + kept
    pongs = sum(1 for one in dropped if one[0] == 0x8A)
    position, frames, seen_pongs = passed_over(data, len(before), messages=True)
    assert position == len(before) + sum(map(len, dropped))
    assert (frames, seen_pongs) == (len(dropped), pongs)


def test_in_the_middle_of_a_message_only_control_frames_are_passed_over() -> None:
    data = frame(Opcode.PING) + frame(Opcode.PONG) + text("a")
    assert passed_over(data, 0, messages=False) == (12, 2, 1)
    assert passed_over(data, 0, messages=True) == (len(data), 3, 1)
