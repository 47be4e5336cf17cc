"""The nursery of one board: time, admission, the cursor tick, and what a crash costs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from presence_server.core.effects import Effect
from presence_server.core.events import Event, Kick, Parting, Tick
from presence_server.core.room import Room
from presence_server.protocol.errors import CloseCode
from presence_server.protocol.messages import (
    BoardJoined,
    BoardQueued,
    PresenceChanged,
    PresenceCursors,
    UserLeft,
)
from presence_server.protocol.model import Cursor, LeaveReason, PresenceStatus, Update
from presence_server.stalls import StallWatch
from tests.limits import board_limits
from tests.rooms.fake_board import FakeBoard, settle


@asynccontextmanager
async def running(board: FakeBoard) -> AsyncIterator[FakeBoard]:
    """The board's registry, running."""
    async with trio.open_nursery() as nursery:
        await nursery.start(board.registry.run)
        yield board
        nursery.cancel_scope.cancel()


async def test_the_watchdog_makes_a_silent_user_idle_and_then_away(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(FakeBoard()) as board:
        silent = board.connect("ada")
        silent.take()
        seen = []
        for _ in range(2):
            await trio.sleep(100)
            seen += [e.payload.status for e in silent.take() if isinstance(e, PresenceChanged)]
        assert seen == [PresenceStatus.IDLE, PresenceStatus.AWAY]


async def test_the_watchdog_is_woken_for_a_deadline_that_comes_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    limits = board_limits(timeout_s=1000, leave_grace_s=2)
    async with running(FakeBoard(limits)) as board:
        stays, reloads = board.connect("ada"), board.connect("bob")
        await settle()  # The watchdog sleeps towards a deadline a minute away.
        stays.take()
        board.part(reloads, Parting.PAGE_LEFT)
        await trio.sleep(3)
        (left,) = stays.take()
        assert isinstance(left, UserLeft)
        assert left.payload.reason is LeaveReason.DISCONNECT


async def test_a_freed_seat_goes_to_the_head_of_the_queue_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(FakeBoard(board_limits(capacity=1))) as board:
        seated, first, second = (board.connect(name) for name in ("ada", "bob", "cy"))
        assert isinstance(first.take()[-1], BoardQueued)
        started = trio.current_time()
        board.part(seated, Parting.LEFT)
        await settle()
        board.store.commit()
        assert isinstance(first.take()[0], BoardJoined)
        assert trio.current_time() == started
        await trio.sleep(2)
        positions = [e.payload.position for e in second.take() if isinstance(e, BoardQueued)]
        assert positions == [2, 1]


async def test_the_time_of_a_join_begins_with_the_seat_and_the_queue_has_a_time_of_its_own(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(FakeBoard(board_limits(capacity=1), commits_at_once=False)) as board:
        seated = board.connect("ada")
        board.store.commit()
        first = board.connect("bob")
        await trio.sleep(90)
        board.part(seated, Parting.LEFT)
        await settle()
        await trio.sleep(0.125)
        board.store.commit()
        assert "board:joined" in first.names()
        assert board.metrics.joins == [0.0, 0.125]
        assert board.metrics.waits == [90.0]


async def test_a_join_waits_for_its_row_but_not_for_ever(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(FakeBoard(commits_at_once=False)) as board:
        quick = board.connect("ada")
        assert quick.take() == []
        board.store.commit()
        assert quick.names() == ["board:joined"]
        unlucky = board.connect("bob")
        await trio.sleep(0.2)
        assert unlucky.take() == []
        await trio.sleep(0.1)
        assert unlucky.names() == ["board:joined"]
        board.store.commit()
        assert unlucky.take() == []


async def test_cursors_are_sent_at_once_and_then_once_an_interval(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(FakeBoard(board_limits(cursor_interval_ms=50))) as board:
        mover, watcher = board.connect("ada"), board.connect("bob")
        await settle()
        watcher.take()
        for x in range(10):
            board.update(mover, Update(cursor=Cursor(x, 0)))
            await trio.sleep(0.01)
        await trio.sleep(0.1)
        ticks = [e.payload.cursors for e in watcher.take() if isinstance(e, PresenceCursors)]
        assert ticks[0] == [("ada", 0.0, 0.0)]
        assert ticks[-1] == [("ada", 9.0, 0.0)]
        assert len(ticks) == 3


async def test_rows_are_saved_newest_only_and_soon(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(FakeBoard()) as board:
        peer = board.connect("ada")
        board.store.calls.clear()
        for x in range(100):
            board.update(peer, Update(cursor=Cursor(x, 0)))
        assert board.store.calls == []  # Nothing is stored on the hot path.
        await trio.sleep(1)
        assert board.store.calls == ["update s1"]
        assert b'"x":99,' in (board.store.published["b"] or b"")


async def test_the_last_leave_empties_the_cache_and_ends_the_room(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(FakeBoard()) as board:
        peer = board.connect("ada")
        board.part(peer, Parting.LEFT)
        assert board.store.calls == ["join s1", "disconnect s1"]
        assert board.store.published == {"b": None}
        assert board.registry.get("b") is None


async def test_a_detached_session_keeps_its_room_alive_until_it_times_out(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(FakeBoard()) as board:
        peer = board.connect("ada")
        board.part(peer, Parting.DROPPED)
        await trio.sleep(299)
        assert len(board.registry) == 1
        await trio.sleep(2)
        assert len(board.registry) == 0


async def test_a_crash_closes_this_room_with_1011_and_leaves_the_others_alone(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(FakeBoard()) as board:
        victim, bystander = board.connect("ada"), board.connect("bob", board="other")
        room = board.registry.get("b")
        assert room is not None

        def broken(self: Room, event: object, now: float) -> list[object]:
            raise RuntimeError("a bug in the core")

        with monkeypatch.context() as patched:
            patched.setattr(Room, "handle", broken)
            room.apply(Tick())
        assert victim.closed == CloseCode.SERVER_FAULT
        assert bystander.closed is None
        assert not room.is_alive
        fresh = board.connect("ada")
        assert board.registry.get("b") is not room
        assert fresh.names() == ["board:joined"]


async def test_a_crash_while_flushing_is_contained_in_the_room(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(FakeBoard()) as board:
        broken, other = board.connect("ada"), board.connect("bob")
        bystander = board.connect("cy", board="other")
        await settle()
        broken.breaks = True
        board.update(other, Update(metadata=b"{}"))
        await settle()
        assert other.closed == CloseCode.SERVER_FAULT
        assert board.registry.get("b") is None
        assert bystander.closed is None


async def test_a_room_follows_a_wall_clock_that_was_set(
    autojump_clock: trio.testing.MockClock,
) -> None:
    epoch = [1000]
    board = FakeBoard()
    board.registry.epoch_ms = lambda: epoch[0]
    async with running(board):
        peer = board.connect("ada")
        peer.take()
        epoch[0] += 3_600_000
        await trio.sleep(61)
        (idle,) = peer.take()
        assert isinstance(idle, PresenceChanged)
        assert idle.payload.timestamp >= 3_600_000


async def test_a_room_hears_its_members_first_after_the_server_stood_still(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        stalls = StallWatch()
        board = FakeBoard(stalls=stalls)
        await nursery.start(board.registry.run)
        nursery.start_soon(stalls.run)
        ada = board.connect("ada")
        await settle()
        mock_clock.jump(1000)  # More than board.timeout_s, and no task has run meanwhile.
        await settle()
        assert ada.closed is None
        nursery.cancel_scope.cancel()


async def test_a_stall_is_left_to_the_next_event_of_each_room(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: list[str] = []
    handle = Room.handle

    def noted(room: Room, event: Event, now: float) -> list[Effect]:
        handled.append(type(event).__name__)
        return handle(room, event, now)

    async with trio.open_nursery() as nursery:
        stalls = StallWatch()
        board = FakeBoard(stalls=stalls)
        await nursery.start(board.registry.run)
        nursery.start_soon(stalls.run)
        ada = board.connect("ada")
        await settle()
        monkeypatch.setattr(Room, "handle", noted)
        for _ in range(2):
            mock_clock.jump(10)
            stalls.check()
        assert handled == []
        # Not by the short way, which would pass the two stalls over. They are one by now.
        board.update(ada, Update(cursor=Cursor(1, 2)))
        assert handled == ["Stalled", "Updated"]
        nursery.cancel_scope.cancel()


async def test_a_room_that_has_ended_is_freed_without_the_garbage_collector() -> None:
    async with running(FakeBoard()) as board:
        board.connect("ada")
        await settle()
        (room,) = board.registry
        freed = weakref.ref(room)
        gc.disable()
        try:
            room.apply(Kick("ada"))
            del room
            await settle()
            assert freed() is None
        finally:
            gc.enable()
