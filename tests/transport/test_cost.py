"""What a message may cost, counted: nothing here looks at a clock.

A broadcast is encoded once, a member gets one write per flush, and neither a message nor a
connection brings about a task or a call of the store.
"""

from __future__ import annotations

import itertools
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing

from presence_server.protocol.frames import text_frame
from presence_server.protocol.messages import ServerMessage, encode
from presence_server.protocol.model import Cursor, Update
from presence_server.rooms import members
from presence_server.transport.wire.pump import Pump, pump_is_available
from presence_server.transport.wire.socket_wire import SocketWire
from tests.limits import board_limits
from tests.rooms.fake_board import FakeBoard, settle
from tests.transport.frames import event
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, call, listen

MEMBERS = 12
PATIENCE_S = 20.0

needs_epoll = pytest.mark.skipif(not pump_is_available(), reason="needs epoll")


class Spy:
    """Counts calls of a function that goes on doing what it did."""

    def __init__(self, function: Callable[..., bytes]) -> None:
        self._function = function
        self.calls = 0

    def __call__(self, *args: object) -> bytes:
        self.calls += 1
        return self._function(*args)


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Messages that were encoded."""
    spy = Spy(encode)
    monkeypatch.setattr(members, "encode", spy)
    return spy


@pytest.fixture
def framings(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Frames that were made."""
    spy = Spy(text_frame)
    monkeypatch.setattr(members, "text_frame", spy)
    return spy


class CountingPump(Pump):
    """Counts the reads and writes of each socket."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.writes: Counter[int] = Counter()

    def wire(self, sock: socket.socket) -> SocketWire:
        wire = super().wire(sock)
        number, send = len(self), wire.send

        def counted(data: bytes) -> int:
            self.writes[number] += 1
            return send(data)

        wire.send = counted  # type: ignore[assignment]
        return wire


class Births(trio.abc.Instrument):
    """Counts the tasks that begin."""

    def __init__(self) -> None:
        self.count = 0

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self.count += 1


@contextmanager
def counting_births() -> Iterator[Births]:
    births = Births()
    trio.lowlevel.add_instrument(births)
    try:
        yield births
    finally:
        trio.lowlevel.remove_instrument(births)


def tasks_alive() -> int:
    return trio.lowlevel.current_statistics().tasks_living


class FullBoard:
    """Members of one board, over TCP, who have heard of each other."""

    def __init__(self, kit: GatewayUnderTest, address: tuple[str, int]) -> None:
        self.kit = kit
        self._address = address
        self.members: list[RawClient] = []

    async def grow_to(self, count: int) -> None:
        while len(self.members) < count:
            newcomer = await call(self.kit, self._address, f"user-{len(self.members)}")
            for member in self.members:
                await member.next_of("user:joined")
            self.members.append(newcomer)

    async def hear(self, kind: str, count: int) -> None:
        """Everybody gets so many events of a kind, and nothing between them."""
        for member in self.members:
            for _ in range(count):
                assert (await member.next())["type"] == kind


@pytest.fixture
async def full() -> AsyncIterator[FullBoard]:
    # Without a pause between two events about one user, so that each change is one event.
    kit = GatewayUnderTest(
        board=board_limits(cursor_interval_ms=0),
        pump=CountingPump,
        messages_per_s=1e6,
        burst=1_000_000,
    )
    with trio.fail_after(PATIENCE_S):
        async with kit.open() as nursery:
            yield FullBoard(kit, await listen(kit, nursery))


def changes(count: int) -> list[bytes]:
    """Updates each of which changes something."""
    return [event("presence:update", metadata={"n": next(_numbers)}) for _ in range(count)]


_numbers = itertools.count()


@needs_epoll
class TestBroadcast:
    @pytest.mark.parametrize("members", [2, MEMBERS])
    async def test_is_encoded_and_framed_once_whoever_hears_it(
        self, full: FullBoard, encodings: Spy, framings: Spy, members: int
    ) -> None:
        await full.grow_to(members)
        encodings.calls = framings.calls = 0
        await full.members[0].send(*changes(5))
        await full.hear("presence:update", 5)
        assert (encodings.calls, framings.calls) == (5, 5)

    async def test_is_one_write_a_member_however_many_there_are(self, full: FullBoard) -> None:
        await full.grow_to(MEMBERS)
        pump = full.kit.pump
        assert isinstance(pump, CountingPump)
        for count in (1, 40):
            pump.writes.clear()
            # One piece of TCP, which the server reads as one helping.
            await full.members[0].send(*changes(count))
            await full.hear("presence:update", count)
            assert list(pump.writes.values()) == [1] * MEMBERS

    async def test_of_cursors_is_one_frame_for_all_that_moved(
        self, full: FullBoard, encodings: Spy
    ) -> None:
        await full.grow_to(2)
        # The first of an interval is told at once, what follows with the next tick.
        moves = [event("presence:update", cursor={"x": n, "y": 0}) for n in range(40)]
        encodings.calls = 0
        await full.members[0].send(*moves)
        seen: list[object] = []
        while [["user-0", 39, 0]] not in seen:
            seen.append((await full.members[1].next_of("presence:cursors"))["cursors"])
        assert encodings.calls == len(seen) <= 2


@needs_epoll
class TestTasks:
    async def test_a_message_begins_none(self, full: FullBoard) -> None:
        await full.grow_to(3)
        await settle()
        alive = tasks_alive()
        with counting_births() as births:
            await full.members[0].send(*changes(50))
            await full.hear("presence:update", 50)
            for member in full.members:
                assert await member.answers() == []
        assert births.count == 0
        assert tasks_alive() == alive

    async def test_a_connection_begins_none(self, full: FullBoard) -> None:
        await full.grow_to(1)  # It begins the board, which has tasks.
        await settle()
        alive = tasks_alive()
        with counting_births() as births:
            await full.grow_to(MEMBERS)
        assert births.count == 0
        assert tasks_alive() == alive


class Everything:
    """Updates of all kinds, each of which changes something."""

    def __init__(self) -> None:
        self._number = 0

    def next(self) -> Update:
        self._number += 1
        kinds = (
            Update(cursor=Cursor(self._number, 0)),
            Update(metadata=b'{"n":%d}' % self._number),
        )
        return kinds[self._number % len(kinds)]


class TestStore:
    async def test_hears_of_no_message_while_it_is_handled(
        self, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        board, updates = FakeBoard(), Everything()
        await nursery.start(board.registry.run)
        peers = [board.connect(f"user-{n}") for n in range(MEMBERS)]
        await trio.sleep(5)  # The joins are saved and published.
        calls, published = list(board.store.calls), dict(board.store.published)
        with board.registry.batch:
            for _ in range(20):
                for peer in peers:
                    board.update(peer, updates.next())
        # The clock stands still until somebody waits for it.
        assert board.store.calls == calls
        assert board.store.published == published

    async def test_is_told_the_newest_of_each_session_however_much_came_before(
        self, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        board, updates = FakeBoard(), Everything()
        await nursery.start(board.registry.run)
        peers = [board.connect(f"user-{n}") for n in range(MEMBERS)]
        await trio.sleep(5)
        board.store.calls.clear()
        for _ in range(20):
            for peer in peers:
                board.update(peer, updates.next())
            await settle()
        await trio.sleep(5)
        told = Counter(board.store.calls)
        assert told == Counter({f"update {peer.session_id}": 1 for peer in peers})

    async def test_hears_nothing_of_a_board_where_nothing_happens(
        self, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
    ) -> None:
        board = FakeBoard()
        await nursery.start(board.registry.run)
        peer = board.connect("ada")
        await trio.sleep(5)
        board.store.calls.clear()
        heard: list[ServerMessage] = peer.take()
        assert heard
        await trio.sleep(20)
        assert board.store.calls == []
        assert peer.take() == []
