"""One connection, from its head to its end, with any bytes on it and nothing to catch a bug.

In a server the pump, the rooms and the deadlines contain what goes wrong in one place. Here
whatever does is raised, for Hypothesis and for ``make fuzz``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.protocol.decode import decode, read_update
from presence_server.protocol.errors import BadMessage
from presence_server.protocol.messages import PresenceUpdate
from presence_server.transport.gate.decision import decide
from presence_server.transport.http.head import BadRequest, HeadReader, parse_head
from presence_server.transport.http.ready_answers import NoAnswers
from presence_server.transport.sessions.handshake import Accepted
from tests.transport.fake_wire import FakeWire
from tests.transport.frames import frame, read_frames, text, upgrade_request
from tests.transport.gateway_kit import GatewayUnderTest

SAID_BY_SERVERS = {
    "board:joined",
    "board:queued",
    "user:joined",
    "user:left",
    "presence:update",
    "presence:cursors",
    "heartbeat:ack",
    "error",
}
GOOD_HEAD = upgrade_request("/ws/boards/demo?user_id=ada")


async def converse(head: bytes, helpings: Sequence[bytes]) -> bytes | None:
    """What the server sends on a connection with this head and then these bytes.

    None for what is no WebSocket. Raises whatever a bug raises, and AssertionError for an
    answer that is none of the protocol's.
    """
    kit = GatewayUnderTest(messages_per_s=1e6, burst=10**6)
    crashed: list[str] = []
    kit.registry.on_crash = crashed.append
    async with kit.open():
        outcome = decide(
            kit.limits.decision,
            NoAnswers(),
            parse_head(head),
            head,
            b"",
            connections=0,
            is_draining=False,
        )
        if not isinstance(outcome, Accepted):
            return None
        wire = FakeWire()
        link = kit.connections.open(outcome, wire, None, lambda: None)
        connection = link.connection
        with kit.registry.batch:
            kit.connections.start(link, outcome)
        for data in helpings:
            await trio.testing.wait_all_tasks_blocked()
            with kit.registry.batch:
                connection.receive(data)
        await trio.testing.wait_all_tasks_blocked()
        with kit.registry.batch:
            connection.receive_eof()
        assert crashed == [], "a room crashed"
        assert wire.aborted
        assert len(kit.connections) == 0
    return bytes(wire.sent)


def check_answer(sent: bytes) -> None:
    """A 101, then whole frames that are the protocol's, and nothing behind a close frame."""
    head, _, rest = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    seen = read_frames(rest)
    assert all(found.opcode is not Opcode.CLOSE for found in seen[:-1])
    for found in seen:
        if found.opcode is Opcode.TEXT:
            assert json.loads(found.data)["type"] in SAID_BY_SERVERS
        else:
            assert found.opcode in (Opcode.CLOSE, Opcode.PING, Opcode.PONG)


# --- for a fuzzer, which knows nothing but bytes ----------------------------------


def plan(data: bytes) -> Iterator[bytes]:
    """What to send, as ``data`` has it: kind, length, payload, and so on.

    A fuzzer that had to find masks and lengths by itself would find little else.
    """
    position = 0
    while position + 2 <= len(data):
        kind, length = data[position], data[position + 1]
        payload = data[position + 2 : position + 2 + length]
        position += 2 + length
        match kind % 8:
            case 0 | 1:
                yield payload
            case 2:
                yield text(payload)
            case 3:
                yield text(b'{"type":"presence:update","payload":' + payload + b"}")
            case 4:
                yield text(payload, fin=False)
            case 5:
                yield frame(Opcode.CONT, payload, fin=kind >= 128)
            case 6:
                yield frame(Opcode.PING if kind < 128 else Opcode.PONG, payload[:125])
            case 7:
                yield frame(Opcode.CLOSE, payload[:125]) if kind >= 128 else payload


def one_input(data: bytes) -> None:
    """Whatever ``data`` is, one of the targets by its first byte: it must not raise."""
    target, data = data[:1], data[1:]
    match (target[0] if target else 0) % 4:
        case 0:
            _decode(data)
        case 1:
            _head(data)
        case 2:
            _talk(upgrade_request("/ws/boards/x?user_id=" + _printable(data[:40])), data[40:])
        case _:
            _talk(GOOD_HEAD, data)


def _decode(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        return  # Closed with 1007 before it comes so far.
    try:
        message = decode(data)
        if isinstance(message, PresenceUpdate):
            read_update(message.payload, "demo")
    except BadMessage as error:
        error.message.encode()


def _head(data: bytes) -> None:
    reader = HeadReader()
    try:
        whole = reader.feed(data) if data else None
    except BadRequest:
        return
    if whole is not None:
        _talk(whole[0], b"", whole[1])


def _talk(head: bytes, data: bytes, first: bytes = b"") -> None:
    sent = trio.run(converse, head, [first, *plan(data)] if first else list(plan(data)))
    if sent is not None:
        check_answer(sent)


def _printable(data: bytes) -> str:
    return "".join(chr(0x21 + byte % 0x5E) for byte in data)


def seeds() -> list[bytes]:
    """Where to begin: every target once, with something it takes."""
    update = b'{"status":"away","cursor":{"x":1,"y":2.5},"metadata":{"a":["b",null]}}'
    beat = b'{"type":"heartbeat"}'
    leave = b'{"type":"board:leave"}'
    refresh = b'{"type":"auth:refresh","payload":{"token":"x"}}'

    def step(kind: int, payload: bytes) -> bytes:
        return bytes((kind, len(payload))) + payload

    talk = step(3, update) + step(2, beat) + step(6, b"ping") + step(2, refresh)
    cut = step(4, beat[:7]) + step(6, b"") + step(5, beat[7:9]) + step(133, beat[9:])
    return [
        b"\0" + b'{"type":"presence:update","payload":' + update + b"}",
        b"\0" + refresh,
        b"\1" + GOOD_HEAD,
        b"\1" + b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        b"\2" + b"a" * 40 + talk,
        b"\3" + talk + step(2, leave),
        b"\3" + cut + step(135, b"\x03\xe8bye"),
        b"\3" + step(1, text(beat)[:5]) + step(1, text(beat)[5:]),
    ]
