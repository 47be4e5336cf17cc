"""Boards that stay in the store until somebody asks for them, or until their time is over."""

from __future__ import annotations

import math

import pytest
import structlog.testing
import trio
import trio.testing

from presence_server.core.events import Kick
from presence_server.rooms.registry import Registry
from presence_server.server import recovery as recovery_module
from presence_server.server.recovery import PATIENCE_S, RETRY_S, SLICE_ROWS
from presence_server.server.sleeping_boards import SleepingBoards
from presence_server.storage.stored_boards import StoredBoard
from tests.limits import board_limits
from tests.server.recovery_kit import FakeService, recovering
from tests.storage.records import T0

LIMITS = board_limits()


@pytest.fixture(autouse=True)
def nothing_is_restored_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery_module, "MOST_RESTORED", 0)


def users_of(registry: Registry, board_id: str) -> list[tuple[str, bool]]:
    room = registry.get(board_id)
    assert room is not None
    return [(user.user_id, user.connected) for user in room.room.current_users()]


async def test_only_so_many_sessions_are_restored_unasked(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery_module, "MOST_RESTORED", 2 * SLICE_ROWS + 10)
    with structlog.testing.capture_logs() as logs:
        registry, recovery = await recovering(nursery, FakeService(boards="abcd"))
        await trio.testing.wait_all_tasks_blocked()
    assert [room.board_id for room in registry] == ["a", "b"]
    assert [board.board_id for board in recovery.sleeping] == ["c", "d"]
    assert (recovery.sleeping.sessions, recovery.sleeping.users) == (2 * SLICE_ROWS, 2)
    (entry,) = logs
    assert (entry["event"], entry["boards"], entry["boards_in_store"]) == (
        "sessions recovered",
        2,
        2,
    )


async def test_a_sleeping_board_is_restored_before_the_first_event_of_its_room(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    service = FakeService(boards=["a", "b"])
    registry, recovery = await recovering(nursery, service)
    await trio.sleep(100)
    room = registry.open("b")
    room.apply(Kick("nobody"))
    held = [room.is_held]
    await trio.testing.wait_all_tasks_blocked()
    assert [*held, room.is_held] == [True, False]
    assert service.asked == [["b"]]
    assert "b" not in recovery.sleeping
    # Dropped at the start, and not when somebody asked.
    assert users_of(registry, "b") == [("user-0", False)]
    # Nothing of it is read again: it is empty, and begins anew.
    room.apply(Kick("user-0"))
    assert registry.get("b") is None
    again = registry.open("b")
    assert not again.is_held
    again.apply(Kick("nobody"))
    assert service.asked == [["b"]]


async def test_whoever_needs_a_board_waits_until_it_is_restored(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    registry, recovery = await recovering(nursery, FakeService(boards=["a"]))
    await recovery.need("a")
    assert users_of(registry, "a") == [("user-0", True)]
    await recovery.need("a")
    await trio.testing.wait_all_tasks_blocked()
    await recovery.need("no stored board")
    assert registry.get("no stored board") is None


async def test_boards_that_are_asked_for_at_once_are_read_together(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = FakeService(boards="abcdefg")
    service.rows = SLICE_ROWS // 3
    registry, _ = await recovering(nursery, service)
    await trio.testing.wait_all_tasks_blocked()
    for board_id in "gfedcba":
        registry.open(board_id).apply(Kick("nobody"))
    await trio.testing.wait_all_tasks_blocked()
    assert service.asked == [["g", "f", "e"], ["d", "c", "b"], ["a"]]
    assert len(registry) == 7


async def test_a_board_whose_times_cannot_be_read_is_restored_at_once(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    service = FakeService(boards=["a"])
    service.seen_ms = None
    registry, recovery = await recovering(nursery, service)
    await trio.testing.wait_all_tasks_blocked()
    assert users_of(registry, "a") == [("user-0", True)]
    assert not len(recovery.sleeping)


async def test_a_board_that_nobody_asks_for_ends_in_the_store(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    service = FakeService(boards=["a", "b"])
    registry, recovery = await recovering(nursery, service)
    await trio.sleep(LIMITS.timeout_s - 2)
    assert service.ended == []
    with structlog.testing.capture_logs() as logs:
        await trio.sleep(6)
    ((boards, silence),) = service.ended
    assert boards == ["a", "b"]
    assert silence.length_ms == LIMITS.timeout_s * 1000
    assert silence.earliest_ms == T0
    assert silence.before_ms == T0 + 1
    assert service.unlisted == ["a", "b"]
    assert not len(registry)
    assert (recovery.sleeping.sessions, recovery.sleeping.users) == (0, 0)
    assert [(e["event"], e["sessions"]) for e in logs] == [("sessions without a room ended", 2)]


async def test_a_board_that_was_silent_for_long_before_the_start_ends_at_once(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    service = FakeService(boards=["a"])
    service.seen_ms = T0 - round(LIMITS.timeout_s * 1000) - 1
    _, recovery = await recovering(nursery, service)
    await trio.sleep(2)
    assert [boards for boards, _ in service.ended] == [["a"]]
    await recovery.need("a")
    assert service.asked == []


async def test_many_rows_end_in_several_transactions(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    service = FakeService(boards="abcd")
    await recovering(nursery, service)
    await trio.sleep(LIMITS.timeout_s + 5)
    assert [boards for boards, _ in service.ended] == [["a", "b", "c"], ["d"]]


async def test_rows_end_once_a_store_that_is_away_is_back(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    service = FakeService(boards=["a"])
    _, recovery = await recovering(nursery, service)
    await trio.sleep(LIMITS.timeout_s - 10)
    service.away_for = service.calls + 3
    await trio.sleep(20 + 3 * RETRY_S)
    assert [boards for boards, _ in service.ended] == [["a"]]
    assert not len(recovery.sleeping)


async def test_a_sleeping_board_goes_on_from_memory_while_the_store_is_away(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    service = FakeService(boards=["a"])
    registry, recovery = await recovering(nursery, service)
    await trio.sleep(PATIENCE_S)
    service.away_for = service.calls + 2
    room = registry.open("a")
    room.apply(Kick("nobody"))
    await recovery.need("a")
    assert not room.is_alive  # It heard the event, and is empty.
    await trio.sleep(3 * RETRY_S)
    assert users_of(registry, "a") == [("user-0", False)]


async def test_the_time_in_which_the_server_stood_still_does_not_end_a_board(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    service = FakeService(boards=["a", "b"])
    registry, recovery = await recovering(nursery, service)
    registry.stalls.total_s += 50
    await trio.sleep(LIMITS.timeout_s + 20)
    assert service.ended == []
    await recovery.need("a")
    assert users_of(registry, "a") == [("user-0", False)]
    await trio.sleep(40)
    assert registry.get("a") is None
    assert [boards for boards, _ in service.ended] == [["b"]]


@pytest.mark.parametrize("set_by_ms", [3_600_000, -3_600_000])
async def test_a_wall_clock_that_is_set_later_does_not_end_a_board(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery, set_by_ms: int
) -> None:
    service = FakeService(boards=["a", "b"])
    registry, recovery = await recovering(nursery, service)
    await trio.sleep(LIMITS.timeout_s - 5)
    registry.epoch_ms = lambda: T0 + set_by_ms
    await recovery.need("a")
    assert users_of(registry, "a") == [("user-0", False)]
    assert service.ended == []
    await trio.sleep(10)
    assert registry.get("a") is None
    assert [boards for boards, _ in service.ended] == [["b"]]


async def test_users_of_sleeping_boards_show_as_connected_for_a_while(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    _, recovery = await recovering(nursery, FakeService(boards=["a"]))
    assert recovery.shows_connected
    await trio.sleep(LIMITS.reconnecting_after_s)
    assert not recovery.shows_connected


def test_sleeping_boards_are_taken_once_each_when_they_end() -> None:
    boards = SleepingBoards()
    for number, board_id in enumerate("abcd"):
        boards.add(StoredBoard(board_id, 10, 2, T0, T0), float(number))
    boards.remove("b")
    boards.remove("b")
    assert ("b" in boards, boards.get("b"), len(boards)) == (False, None, 3)
    assert (boards.sessions, boards.users) == (30, 6)
    assert [b.board_id for b in boards.take_silent(2.0, 10)] == ["a"]
    assert [b.board_id for b in boards.take_silent(2.0, 10)] == ["c"]
    assert boards.take_silent(2.0, 10) == []
    boards.end_at("c", 9.0)
    assert [b.board_id for b in boards.take_silent(math.inf, 99)] == ["d", "c"]
    assert len(boards) == 3
