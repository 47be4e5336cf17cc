"""All sockets in one task: real sockets, in real time, without a sleep."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import cast

import pytest
import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.core.events import Kick
from presence_server.protocol.decode import decode
from presence_server.rooms.batch import Batch
from presence_server.transport.http.head import parse_head
from presence_server.transport.wire import pump as pump_module
from presence_server.transport.wire.connection import Connection
from presence_server.transport.wire.pump import (
    MAX_WAKE_S,
    NEWCOMERS_S,
    Pump,
    pump_is_available,
)
from presence_server.transport.wire.socket_wire import READ_SIZE, SocketWire
from tests.limits import board_limits, connection_limits
from tests.transport.frames import close, event
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, call, listen

pytestmark = pytest.mark.skipif(not pump_is_available(), reason="needs epoll")

PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
async def _patience() -> AsyncIterator[None]:
    with trio.fail_after(PATIENCE_S):
        yield


class CountingPump(Pump):
    """Counts the writes to all sockets."""

    sends = 0

    def wire(self, sock: socket.socket) -> SocketWire:
        wire = super().wire(sock)
        send = wire.send

        def counted(data: bytes) -> int:
            CountingPump.sends += 1
            return send(data)

        wire.send = counted  # type: ignore[assignment]
        return wire


class Scripted:
    """Stands for a connection; does what a test says when bytes come."""

    def __init__(self, pump: Pump, *, is_newcomer: bool = False) -> None:
        self.peer, ours = socket.socketpair()
        ours.setblocking(False)
        self.peer.setblocking(False)
        self.fd = ours.fileno()
        self.wire = pump.wire(ours)
        self.heard: list[bytes | str] = []
        self.is_broken = False
        self.react: Callable[[], object] = lambda: None
        pump.add(self.wire, cast("Connection", self))
        if not is_newcomer:
            self.wire.join_sessions()

    def receive(self, data: bytes) -> None:
        self.heard.append(data)
        self.react()

    def receive_eof(self) -> None:
        self.heard.append("eof")
        self.wire.abort()

    def on_writable(self) -> None:
        self.heard.append("writable")

    def crash(self, error: Exception) -> None:
        self.heard.append(f"crash {error}")
        self.wire.abort()

    def on_gone(self) -> None:
        self.heard.append("gone")
        self.peer.close()


class TestFlushing:
    async def test_is_one_write_a_member_however_many_events_came(self) -> None:
        kit = GatewayUnderTest(pump=CountingPump, board=board_limits(cursor_interval_ms=0))
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            ada, bob = await call(kit, address, "ada"), await call(kit, address, "bob")
            await ada.next_of("user:joined")
            CountingPump.sends = 0
            kit.metrics.flushes.clear()
            words = ["away", "online", "idle", "away", "online"]
            await ada.send(*(event("presence:update", status=word) for word in words))
            for client in (ada, bob):
                assert [(await client.next())["status"] for _ in words] == words
            assert kit.metrics.flushes == [(10, 5)]
            assert CountingPump.sends == 2

    async def test_of_one_message_is_one_write_too(self) -> None:
        kit = GatewayUnderTest(pump=CountingPump)
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            ada, bob = await call(kit, address, "ada"), await call(kit, address, "bob")
            await ada.next_of("user:joined")
            CountingPump.sends = 0
            await bob.say("presence:update", status="away")
            assert (await ada.next())["status"] == "away"
            assert (await bob.next())["status"] == "away"
            assert CountingPump.sends == 2


class TestInput:
    async def test_that_a_wake_cannot_work_through_is_known_to_wait(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pump_module, "MAX_EVENTS", 2)
        kit = GatewayUnderTest(pump=Pump)
        async with kit.open():
            assert kit.pump is not None
            batch, waits = kit.registry.batch, list[bool]()
            crowd = [Scripted(kit.pump) for _ in range(5)]
            for one in crowd:
                one.peer.send(b"x")
            while any(one.heard == [] for one in crowd):
                await trio.lowlevel.checkpoint()
                waits.append(batch.input_waits)
            assert True in waits
            await trio.testing.wait_all_tasks_blocked()
            assert not batch.input_waits
            for one in crowd:
                one.wire.abort()


class TestResting:
    async def test_a_wire_that_wants_nothing_reads_nothing_until_it_does(self) -> None:
        kit = GatewayUnderTest(pump=Pump)
        async with kit.open():
            assert kit.pump is not None
            scripted = Scripted(kit.pump)
            scripted.wire.want_read(False)
            scripted.peer.send(b"one")
            await trio.testing.wait_all_tasks_blocked()
            assert scripted.heard == []
            scripted.wire.want_write()
            await trio.testing.wait_all_tasks_blocked()
            assert scripted.heard == ["writable"]
            scripted.wire.want_read(True)
            await trio.testing.wait_all_tasks_blocked()
            assert scripted.heard == ["writable", b"one"]
            scripted.wire.abort()


class TestPeer:
    async def test_that_says_goodbye_and_closes_with_unread_data_has_left(self) -> None:
        kit = GatewayUnderTest(pump=Pump)
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            watcher, bob = await call(kit, address, "eve"), await call(kit, address, "bob")
            cleo = await call(kit, address, "cleo")
            assert (await watcher.next())["type"] == "user:joined"
            assert (await watcher.next())["type"] == "user:joined"
            # cleo's coming is unread on bob's side, so closing resets the connection.
            assert isinstance(bob.stream, trio.SocketStream)
            os.write(bob.stream.socket.fileno(), close(1000))
            bob.stream.socket.close()
            room = kit.registry.get("demo")
            assert room is not None
            # No checkpoint since: the write to bob fails before his last words are read.
            with kit.registry.batch:
                room.apply(Kick("cleo"))
            assert (await watcher.next())["user_id"] == "cleo"
            left = await watcher.next()
            assert (left["type"], left["user_id"]) == ("user:left", "bob")
            assert left["reason"] == "disconnect"
            assert await cleo.end() == 4410

    async def test_that_resets_the_connection_is_detached(self) -> None:
        kit = GatewayUnderTest(pump=Pump)
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            bob = await call(kit, address, "bob")
            assert isinstance(bob.stream, trio.SocketStream)
            bob.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            bob.stream.socket.close()
            while kit.gateway.connections:
                await trio.testing.wait_all_tasks_blocked(0.001)
            assert kit.board_is_live()
            assert kit.store.closed == []

    async def test_that_half_closes_is_detached_and_let_go(self) -> None:
        kit = GatewayUnderTest(pump=Pump)
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            bob = await call(kit, address, "bob")
            await bob.stream.send_eof()
            assert await bob.end() is None
            assert kit.gateway.connections == 0
            assert kit.board_is_live()

    async def test_that_does_not_read_gets_whole_frames_and_4508(self) -> None:
        kit = GatewayUnderTest(
            pump=Pump,
            board=board_limits(cursor_interval_ms=0),
            connection=connection_limits(outbox_bytes=20_000),
            messages_per_s=100_000,
            burst=100_000,
        )
        async with kit.open() as nursery:
            address = await listen(kit, nursery, send_buffer=4096)
            fast = await call(kit, address, "eve")
            slow = await call(kit, address, "bob", receive_buffer=4096)
            await fast.next_of("user:joined")
            number = 0
            # Until the end has begun: if the test read later than the server waits for a peer that
            # is gone, the close frame would be lost.
            while kit.open_connections == 2 and number < 200:
                await fast.say("presence:update", metadata={"n": number, "x": "y" * 2000})
                number += 1
                await fast.next_of("presence:update")
            seen = []
            while (frame := await slow.frame()) is not None:
                seen.append(frame)
            assert seen[-1].close.code == 4508
            assert {frame.opcode for frame in seen[:-1]} == {Opcode.TEXT}
            assert kit.store.closed == []
            assert await fast.answers() == []

    async def test_may_send_frames_together_with_its_request(self) -> None:
        kit = GatewayUnderTest(pump=Pump)
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            watcher = await call(kit, address, "eve")
            bob = await call(kit, address, "bob")
            await watcher.next_of("user:joined")
            await bob.send(event("presence:update", status="away"), event("board:leave"))
            assert (await watcher.next())["status"] == "away"
            assert (await watcher.next())["type"] == "user:left"
            assert await bob.end() == 1000


class TestWake:
    async def test_does_not_reuse_a_descriptor_under_a_stale_event(
        self, nursery: trio.Nursery
    ) -> None:
        pump = Pump(Batch(lambda: None))
        first, second = Scripted(pump), Scripted(pump)
        reused: list[int] = []

        def abort(other: Scripted) -> None:
            other.wire.abort()
            with socket.socket() as fresh:
                reused.append(fresh.fileno())

        # Whichever comes first lets go of the other, for which an event waits.
        first.react, second.react = lambda: abort(second), lambda: abort(first)
        first.peer.send(b"1")
        second.peer.send(b"2")
        nursery.start_soon(pump.run)
        while not reused:
            await trio.testing.wait_all_tasks_blocked()
        heard, gone = sorted([first, second], key=lambda one: one.heard == ["gone"])
        assert gone.heard == ["gone"]
        assert len(heard.heard) == 1
        assert gone.fd not in reused
        assert len(pump) == 1
        nursery.cancel_scope.cancel()

    async def test_contains_a_bug_in_one_connection(self, nursery: trio.Nursery) -> None:
        pump = Pump(Batch(lambda: None))
        broken, other = Scripted(pump), Scripted(pump)

        def fail() -> None:
            raise RuntimeError("a bug")

        broken.react = fail
        broken.peer.send(b"1")
        other.peer.send(b"2")
        nursery.start_soon(pump.run)
        while not (broken.heard and other.heard):
            await trio.testing.wait_all_tasks_blocked()
        assert broken.heard == [b"1", "crash a bug", "gone"]
        assert other.heard == [b"2"]
        nursery.cancel_scope.cancel()

    async def test_reads_one_helping_a_socket(self, nursery: trio.Nursery) -> None:
        pump = Pump(Batch(lambda: None))
        one = Scripted(pump)
        one.peer.send(b"x" * (READ_SIZE + 1))
        nursery.start_soon(pump.run)
        while len(one.heard) < 2:
            await trio.testing.wait_all_tasks_blocked()
        assert one.heard == [b"x" * READ_SIZE, b"x"]
        nursery.cancel_scope.cancel()

    async def test_out_of_time_serves_first_what_it_left(
        self, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pump_module, "MAX_WAKE_S", 0.0)
        pump = Pump(Batch(lambda: None))
        order: list[str] = []
        busy, quiet = Scripted(pump), Scripted(pump)

        def go_on() -> None:
            order.append("busy")
            busy.peer.send(b"more")

        busy.react, quiet.react = go_on, lambda: order.append("quiet")
        busy.peer.send(b"first")
        quiet.peer.send(b"first")
        nursery.start_soon(pump.run)
        while len(order) < 10:
            await trio.lowlevel.checkpoint()
        assert "quiet" in order[:2]
        nursery.cancel_scope.cancel()

    async def test_that_is_the_last_lets_go_of_every_socket(self) -> None:
        pump = Pump(Batch(lambda: None))
        one, two = Scripted(pump), Scripted(pump)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump.run)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert (one.heard, two.heard) == (["gone"], ["gone"])
        assert len(pump) == 0


NEWCOMER_COSTS_S = 0.4 * NEWCOMERS_S


class Order:
    """Who was heard, in order, by a clock on which hearing a newcomer takes a while."""

    def __init__(self, pump: Pump, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard: list[str] = []
        self._pump = pump
        self._now = 0.0
        monkeypatch.setattr(pump_module, "perf_counter", lambda: self._now)

    def session(self, then: Callable[[Scripted], object] = lambda _self: None) -> Scripted:
        return self._scripted("session", 0.0, then)

    def newcomer(self, then: Callable[[Scripted], object] = lambda _self: None) -> Scripted:
        one = self._scripted("newcomer", NEWCOMER_COSTS_S, then)
        one.peer.send(b"x")
        return one

    def _scripted(self, name: str, costs_s: float, then: Callable[[Scripted], object]) -> Scripted:
        one = Scripted(self._pump, is_newcomer=name == "newcomer")

        def react() -> None:
            self.heard.append(name)
            self._now += costs_s
            then(one)

        one.react = react
        return one

    async def until(self, count: int) -> None:
        while len(self.heard) < count:
            await trio.lowlevel.checkpoint()


def speak(one: Scripted) -> None:
    one.peer.send(b"more")


class TestNewcomers:
    async def test_wait_for_a_session_that_speaks_meanwhile(
        self, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pump = Pump(Batch(lambda: None))
        order = Order(pump, monkeypatch)
        session = order.session()
        order.newcomer(lambda _self: speak(session))
        for _ in range(19):
            order.newcomer()
        nursery.start_soon(pump.run)
        await order.until(21)
        # The newcomers have had their share of the wake after three of them.
        assert order.heard.index("session") <= 3
        nursery.cancel_scope.cancel()

    async def test_are_served_a_while_in_each_wake_however_much_sessions_say(
        self, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pump = Pump(Batch(lambda: None))
        order = Order(pump, monkeypatch)
        speak(order.session(speak))
        for _ in range(30):
            order.newcomer()
        nursery.start_soon(pump.run)
        await order.until(42)
        # One helping of the session, then three newcomers, and so on.
        assert order.heard[:40] == ["session", "newcomer", "newcomer", "newcomer"] * 10
        nursery.cancel_scope.cancel()

    async def test_have_the_whole_wake_while_no_session_speaks(
        self, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wakes = 0

        def count() -> None:
            nonlocal wakes
            wakes += 1

        pump = Pump(Batch(count))
        order = Order(pump, monkeypatch)
        for _ in range(25):
            order.newcomer()
        nursery.start_soon(pump.run)
        await order.until(25)
        assert wakes == 2  # A wake has time for thirteen.
        nursery.cancel_scope.cancel()

    async def test_that_got_a_session_are_served_with_the_sessions(
        self, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pump = Pump(Batch(lambda: None))
        order = Order(pump, monkeypatch)
        first, second = order.newcomer(), order.newcomer()
        for _ in range(10):
            order.newcomer()
        second.wire.join_sessions()
        second.wire.join_sessions()  # Once more changes nothing.
        second.react = lambda: order.heard.append("second")
        first.wire.abort()
        first.wire.join_sessions()  # Nor for a socket that is gone.
        nursery.start_soon(pump.run)
        await order.until(11)
        assert order.heard == ["second"] + ["newcomer"] * 10
        second.peer.send(b"x")
        await order.until(12)
        assert len(pump) == 11
        nursery.cancel_scope.cancel()

    async def test_a_round_of_them_ends_however_much_they_say(
        self, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pump = Pump(Batch(lambda: None))
        order = Order(pump, monkeypatch)
        await pump.serve_newcomers()  # Nobody is there.
        for _ in range(100):
            order.newcomer(speak)
        nursery.start_soon(pump.run)
        await order.until(1)
        for _ in range(3):
            before = len(order.heard)
            await pump.serve_newcomers()
            # A few wakes more, until this task goes on.
            assert len(order.heard) <= before + 100 + 4 * MAX_WAKE_S / NEWCOMER_COSTS_S
        nursery.cancel_scope.cancel()

    async def test_a_bug_in_one_ends_that_one_alone(self, nursery: trio.Nursery) -> None:
        pump = Pump(Batch(lambda: None))
        broken, other = (Scripted(pump, is_newcomer=True) for _ in range(2))

        def fail() -> None:
            raise RuntimeError("a bug")

        broken.react = fail
        broken.peer.send(b"1")
        other.peer.send(b"2")
        nursery.start_soon(pump.run)
        while not (broken.heard and other.heard):
            await trio.testing.wait_all_tasks_blocked()
        assert broken.heard == [b"1", "crash a bug", "gone"]
        assert other.heard == [b"2"]
        nursery.cancel_scope.cancel()

    async def test_have_no_session_before_their_upgrade(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order: list[str] = []
        kit = GatewayUnderTest(pump=Pump)
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            ada = await call(kit, address, "ada")
            crowd = [await trio.open_tcp_stream(*address) for _ in range(10)]
            await trio.testing.wait_all_tasks_blocked()

            def note(name: str, function: Callable[[bytes], object], data: bytes) -> object:
                order.append(name)
                return function(data)

            transport = "presence_server.transport"
            newcomer, session = (
                partial(note, "newcomer", parse_head),
                partial(note, "session", decode),
            )
            monkeypatch.setattr(f"{transport}.gate.decision.parse_head", newcomer)
            monkeypatch.setattr(f"{transport}.sessions.session_link.decode", session)
            # No checkpoint, so all of it is there when the pump looks.
            for stream in crowd:
                os.write(stream.socket.fileno(), b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert isinstance(ada.stream, trio.SocketStream)
            os.write(ada.stream.socket.fileno(), event("heartbeat"))
            while len(order) < 11:
                await trio.lowlevel.checkpoint()
            assert order == ["session"] + ["newcomer"] * 10
            for stream in crowd:
                await stream.aclose()


class NotingPump(Pump):
    """Notes how many sockets joined the sessions."""

    joined = 0

    def join_sessions(self, wire: SocketWire, interest: int) -> None:
        super().join_sessions(wire, interest)
        self.joined += 1


async def test_a_client_that_is_refused_stays_among_the_newcomers() -> None:
    kit = GatewayUnderTest(pump=NotingPump, board=board_limits(capacity=1, queue_limit=1))
    async with kit.open() as nursery:
        address = await listen(kit, nursery)

        async def ask(user_id: str) -> RawClient:
            client = RawClient(await trio.open_tcp_stream(*address))
            kit.clients.append(client)
            await client.upgrade(f"/ws/boards/demo?user_id={user_id}")
            return client

        assert isinstance(kit.pump, NotingPump)
        for user_id, first in (("ada", "board:joined"), ("bob", "board:queued"), ("cleo", "error")):
            client = await ask(user_id)
            assert (await client.next())["type"] == first
        assert await client.end() == 1013
        assert kit.pump.joined == 2


@pytest.mark.parametrize("is_newcomer", [False, True])
async def test_catching_up_is_a_helping_of_each_however_much_more_comes(
    *, is_newcomer: bool
) -> None:
    pump = Pump(Batch(lambda: None))
    people = [Scripted(pump, is_newcomer=is_newcomer) for _ in range(300)]
    for one in people:
        # Whoever is heard has more to say.
        one.react = partial(one.peer.send, b"more")
        one.peer.send(b"first")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.run)
        await pump.catch_up()
        assert all(one.heard[0] == b"first" for one in people)
        for one in people:
            one.react = lambda: None
        await pump.catch_up()
        nursery.cancel_scope.cancel()
    for one in people:
        one.peer.close()
