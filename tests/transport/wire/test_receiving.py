"""Messages are read as the library would read them, however their bytes are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

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
