"""Connections are opened, started, drained and forgotten in one place."""

from __future__ import annotations

import pytest
import structlog.testing
import trio.testing

from presence_server.protocol.errors import CloseCode
from presence_server.transport.gate.upgrade import accept, read_handshake
from presence_server.transport.http.head import parse_head
from presence_server.transport.sessions.handshake import Accepted
from presence_server.transport.sessions.session_link import SessionLink
from tests.transport.fake_wire import FakeWire
from tests.transport.frames import event, read_frames, upgrade_request
from tests.transport.gateway_kit import GatewayUnderTest

Clock = trio.testing.MockClock


def accepted(user_id: str = "ada", rest: bytes = b"") -> Accepted:
    head = parse_head(upgrade_request(f"/ws/boards/demo?user_id={user_id}"))
    return accept(read_handshake(head, frozenset()), 65536, rest)


def said(wire: FakeWire) -> list[str]:
    """The types of the events, and the codes of the close frames, after the 101."""
    frames = read_frames(bytes(wire.sent).partition(b"\r\n\r\n")[2])
    return [
        str(seen.close.code) if seen.opcode == 8 else str(seen.event["type"]) for seen in frames
    ]


async def test_a_connection_is_counted_until_its_wire_is_gone(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest()
    async with kit.open():
        wire, closed = FakeWire(), []
        kit.connections.serve(accepted(), wire, "192.0.2.1", lambda: closed.append("ada"))
        assert (len(kit.connections), closed) == (1, [])
        await trio.testing.wait_all_tasks_blocked()
        wire.endpoint.receive_eof()
        assert (len(kit.connections), closed) == (0, ["ada"])
        assert kit.metrics.connections_accepted == 1


async def test_bytes_after_the_head_are_read_after_the_response(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest()
    async with kit.open():
        wire = FakeWire()
        kit.connections.serve(accepted(rest=event("heartbeat")), wire, None, lambda: None)
        await trio.testing.wait_all_tasks_blocked()
        assert said(wire) == ["heartbeat:ack", "board:joined"]


async def test_a_drain_closes_everybody_and_ends_with_the_last(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        wires = [FakeWire(), FakeWire()]
        for wire, user_id in zip(wires, ("ada", "bob"), strict=True):
            kit.connections.serve(accepted(user_id), wire, None, lambda: None)
        await trio.testing.wait_all_tasks_blocked()
        ended = trio.Event()

        async def wait() -> None:
            await kit.connections.wait_until_empty()
            ended.set()

        nursery.start_soon(wait)
        kit.connections.drain(lambda: 100)
        assert [said(wire)[-1] for wire in wires] == ["1012", "1012"]
        for wire in wires:
            await trio.testing.wait_all_tasks_blocked()
            assert not ended.is_set()
            wire.endpoint.receive_eof()
        await ended.wait()


async def test_a_bug_at_the_start_closes_that_connection_alone(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit = GatewayUnderTest()
    async with kit.open():
        ada = FakeWire()
        kit.connections.serve(accepted("ada"), ada, None, lambda: None)

        def broken(*_: object) -> None:
            raise LookupError("oops")

        bob = FakeWire()
        with monkeypatch.context() as patch, structlog.testing.capture_logs():
            patch.setattr(SessionLink, "start", broken)
            kit.connections.serve(accepted("bob"), bob, None, lambda: None)
        assert said(bob) == [str(CloseCode.SERVER_FAULT.value)]
        assert not ada.shut
