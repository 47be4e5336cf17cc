"""The pump's contract over any stream: whole lives of sessions, without waiting for them."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NoReturn

import pytest
import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.transport.sessions.session_link import SessionLink
from presence_server.transport.wire.closing import CLOSE_TIMEOUT_S, LINGER_S
from tests.certificates import self_signed
from tests.limits import board_limits, connection_limits
from tests.transport.frames import close, event, frame, read_frames, upgrade_request
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, connect, join

Clock = trio.testing.MockClock


class Deaf(trio.abc.SendStream):
    """The way to a peer that reset the connection."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        raise trio.BrokenResourceError

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class NoHalfClose(trio.abc.Stream):
    """As TLS: a stream that closes both ways or not at all."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self._stream.receive_some(max_bytes))

    async def aclose(self) -> None:
        await self._stream.aclose()


async def test_a_whole_life_from_joining_to_timing_out(autojump_clock: Clock) -> None:
    board = board_limits(idle_after_s=60, away_after_s=180, reconnecting_after_s=5, timeout_s=300)
    kit = GatewayUnderTest(board=board)
    async with kit.open() as nursery:
        watcher = await join(kit, nursery, "eve")
        begin = trio.current_time()

        async def stay() -> None:
            while True:
                await trio.sleep(30)
                await watcher.say("presence:update", status="online")

        nursery.start_soon(stay)
        ada = await connect(kit, nursery)
        await ada.upgrade("/ws/boards/demo?user_id=ada")
        session_id = (await ada.next())["session_id"]
        assert (await watcher.next())["type"] == "user:joined"
        await ada.say("presence:update", cursor={"x": 1, "y": 2})
        assert (await watcher.next())["cursors"] == [["ada", 1.0, 2.0]]

        async def pong() -> None:
            while (seen := await ada.frame()) is not None:
                if seen.opcode is Opcode.PING:
                    await ada.send(frame(Opcode.PONG))

        async with trio.open_nursery() as listening:
            listening.start_soon(pong)
            for status, after_s in (("idle", 60), ("away", 180)):
                changed = await watcher.next_of("presence:update")
                assert (changed["user_id"], changed["status"]) == ("ada", status)
                assert trio.current_time() == pytest.approx(begin + after_s, abs=1)
            listening.cancel_scope.cancel()
        await ada.stream.aclose()
        dropped = trio.current_time()
        assert (await watcher.next_of("presence:update"))["connected"] is False
        assert trio.current_time() == pytest.approx(dropped + 5)
        back = await connect(kit, nursery)
        await back.upgrade(f"/ws/boards/demo?user_id=ada&session_id={session_id}")
        assert (await back.next())["resumed"] is True
        assert (await watcher.next_of("presence:update"))["connected"] is True
        await back.stream.aclose()
        heard = trio.current_time()
        left = await watcher.next_of("user:left")
        assert left["reason"] == "timeout"
        assert trio.current_time() == pytest.approx(heard + 300, abs=1)


async def test_a_full_board_queues_and_admits_when_a_seat_is_free(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest(board=board_limits(capacity=1))
    async with kit.open() as nursery:
        ada = await join(kit, nursery, "ada")
        bob = await connect(kit, nursery)
        await bob.upgrade("/ws/boards/demo?user_id=bob")
        queued = await bob.next()
        assert (queued["type"], queued["position"]) == ("board:queued", 1)
        await bob.say("presence:update", status="away")
        assert (await bob.next())["code"] == "NOT_JOINED"
        await ada.say("board:leave")
        assert (await bob.next())["type"] == "board:joined"


async def test_bytes_may_come_one_by_one(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        ada = await connect(kit, nursery)
        for byte in upgrade_request("/ws/boards/demo?user_id=ada"):
            await ada.send(bytes([byte]))
            await trio.sleep(0.001)
        await ada.read_until(b"\r\n\r\n")
        assert (await ada.next())["type"] == "board:joined"
        for byte in event("heartbeat"):
            await ada.send(bytes([byte]))
            await trio.sleep(0.001)
        assert (await ada.next())["type"] == "heartbeat:ack"


async def test_frames_may_come_with_the_request(autojump_clock: Clock) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        ada = await connect(kit, nursery)
        data = event("presence:update", status="away") + event("board:leave") + close(1000)
        await ada.upgrade("/ws/boards/demo?user_id=ada", data)
        assert await ada.end() == 1000
        await ada.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert not kit.board_is_live()
        assert kit.gateway.connections == 0


async def test_a_bug_in_what_comes_with_the_request_ends_that_connection(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> NoReturn:
        raise RuntimeError("injected")

    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        monkeypatch.setattr(SessionLink, "on_binary", broken)
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(kit.serve_stream, theirs)
        ada = RawClient(ours)
        await ada.upgrade("/ws/boards/demo?user_id=ada", frame(Opcode.BINARY, b"x"))
        assert await ada.end() == 1011
        await ours.aclose()
        await trio.sleep(LINGER_S)
        assert kit.gateway.connections == 0
        assert kit.deadlines.alarms == 0


async def test_over_tls_a_goodbye_ends_the_connection_at_once(
    autojump_clock: Clock, tmp_path: Path
) -> None:
    certfile, keyfile = self_signed(tmp_path)
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(certfile, keyfile)
    trust = ssl.create_default_context(cafile=certfile)
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        ours, theirs = trio.testing.memory_stream_pair()
        server = trio.SSLStream(theirs, shown, server_side=True, https_compatible=True)
        nursery.start_soon(kit.serve_stream, server)
        client = trio.SSLStream(ours, trust, server_hostname="127.0.0.1", https_compatible=True)
        await client.send_all(upgrade_request("/ws/boards/demo?user_id=ada"))
        before = trio.current_time()
        await client.send_all(close(1000))
        assert read_frames((await rest_of(client)).partition(b"\r\n\r\n")[2])[-1].close.code == 1000
        assert trio.current_time() == before


async def rest_of(stream: trio.abc.ReceiveStream) -> bytes:
    data = b""
    while more := await stream.receive_some():
        data += more
    return data


async def test_a_write_that_breaks_does_not_lose_the_goodbye_behind_it(
    autojump_clock: Clock,
) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        ours, theirs = trio.testing.memory_stream_pair()
        await ours.send_all(upgrade_request("/ws/boards/demo?user_id=ada"))
        await ours.send_all(event("presence:update", status="away"))
        stream = trio.StapledStream(Deaf(), theirs.receive_stream)
        nursery.start_soon(kit.serve_stream, stream)
        await trio.sleep(1)
        await ours.send_all(close(1000))
        await trio.sleep(connection_limits().write_timeout_s + 1)
        assert kit.gateway.connections == 0
        assert not kit.board_is_live(), "it was taken for a drop"


async def test_a_stream_without_a_half_close_is_closed_after_a_while(
    autojump_clock: Clock,
) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(kit.serve_stream, NoHalfClose(theirs))
        ada = RawClient(ours)
        await ada.upgrade("/ws/boards/demo?user_id=ada")
        await ada.next_of("board:joined")
        await ada.say("board:leave")
        before = trio.current_time()
        assert await ada.end() == 1000
        assert trio.current_time() == pytest.approx(before + LINGER_S)


async def in_lockstep(kit: GatewayUnderTest, nursery: trio.Nursery) -> RawClient:
    """Ada, who has asked to join on a stream that takes no byte that she does not read."""
    ours, theirs = trio.testing.lockstep_stream_pair()
    nursery.start_soon(kit.serve_stream, theirs)
    ada = RawClient(ours)
    await ada.upgrade("/ws/boards/demo?user_id=ada")
    return ada


async def test_a_peer_that_never_reads_is_let_go_and_its_session_detached(
    autojump_clock: Clock,
) -> None:
    limits = connection_limits(write_timeout_s=10, ping_interval_s=1000, outbox_bytes=10_000_000)
    kit = GatewayUnderTest(connection=limits)
    async with kit.open() as nursery:
        watcher = await join(kit, nursery, "eve")
        await in_lockstep(kit, nursery)
        await watcher.next_of("user:joined")
        # The first is on its way for ever; the second waits behind it.
        for status in ("away", "idle"):
            await watcher.say("presence:update", status=status)
            await watcher.next_of("presence:update")
        await trio.sleep(10 + CLOSE_TIMEOUT_S + 1)
        assert kit.gateway.connections == 1
        assert kit.store.closed == []
        changed = await watcher.next_of("presence:update")
        assert (changed["user_id"], changed["connected"]) == ("ada", False)


async def test_a_peer_that_reads_little_at_a_time_is_not_given_up(autojump_clock: Clock) -> None:
    limits = connection_limits(write_timeout_s=10, ping_interval_s=1000, outbox_bytes=10_000_000)
    kit = GatewayUnderTest(connection=limits, messages_per_s=1000, burst=1000)
    async with kit.open() as nursery:
        watcher = await join(kit, nursery, "eve")
        ada = await in_lockstep(kit, nursery)
        await watcher.next_of("user:joined")
        for number in range(40):
            await watcher.say("presence:update", metadata={"n": number, "x": "y" * 1900})
            await watcher.next_of("presence:update")
        # 80 KiB wait, and a minute goes by while they are taken.
        data = b""
        while b'"n":39' not in data:
            await trio.sleep(1)
            more = await ada.stream.receive_some(1500)
            assert more, "given up"
            data += more
        assert kit.gateway.connections == 2


async def test_a_server_that_is_cancelled_leaves_sessions_to_be_resumed(
    autojump_clock: Clock,
) -> None:
    kit = GatewayUnderTest()
    async with kit.open() as nursery:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as connections:
                ada = await connect(kit, connections)
                await ada.upgrade("/ws/boards/demo?user_id=ada")
                session_id = (await ada.next())["session_id"]
                scope.cancel()
        assert await ada.end() is None
        assert kit.gateway.connections == 0
        assert kit.store.closed == []
        back = await connect(kit, nursery)
        await back.upgrade(f"/ws/boards/demo?user_id=ada&session_id={session_id}")
        assert (await back.next())["resumed"] is True
