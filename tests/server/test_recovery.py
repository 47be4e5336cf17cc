"""What happens when the store cannot be read at the start."""

from __future__ import annotations

import pytest
import structlog.testing
import trio
import trio.testing

from presence_server.core.effects import Effect
from presence_server.core.events import Event, Kick, Restore
from presence_server.core.room import Room
from presence_server.server.recovery import PATIENCE_S, RETRY_S, SLICE_ROWS
from tests.server.recovery_kit import FakeService, started


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The board of each ``Restore``, and the number of its sessions."""
    found: list[tuple[str, int]] = []
    handle = Room.handle

    def noted(room: Room, event: Event, now: float) -> list[Effect]:
        if isinstance(event, Restore):
            found.append((room.board_id, len(event.sessions)))
        return handle(room, event, now)

    monkeypatch.setattr(Room, "handle", noted)
    return found


async def test_it_is_asked_until_it_answers_and_the_log_says_so_once(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    service = FakeService(away_for=7)
    with structlog.testing.capture_logs() as logs:
        registry = await started(nursery, service)
        assert registry.get("b") is None
        await trio.sleep(7.5 * RETRY_S)
    assert service.calls == 9
    assert registry.get("b") is not None
    assert [entry["event"] for entry in logs] == ["recovery waits", "sessions recovered"]


async def test_a_board_that_is_asked_for_is_restored_next_and_before_its_first_event(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery, parts: list[tuple[str, int]]
) -> None:
    service = FakeService(boards=["a", "b", "c", "z"])
    service.slice_may_go = trio.Event()
    registry = await started(nursery, service)
    await trio.testing.wait_all_tasks_blocked()
    assert service.asked == [["a"]]
    room = registry.open("z")
    room.apply(Kick("user-0"))
    await trio.testing.wait_all_tasks_blocked()
    assert not room.room.has_session("session-z")
    service.slice_may_go.set()
    await trio.testing.wait_all_tasks_blocked()
    assert service.asked == [["a"], ["z"], ["b"], ["c"]]
    assert [board for board, _ in parts] == ["a", "z", "b", "c"]
    # The event came after the sessions: it ended the one that was restored.
    assert not room.room.has_session("session-z")
    assert registry.get("z") is None
    assert all(registry.get(b) is not None for b in "abc")


async def test_rooms_do_not_wait_for_a_store_that_is_away(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    service = FakeService(away_for=14)  # Lists of boards, and what is asked for, are two calls.
    registry = await started(nursery, service)
    waiting = registry.open("b")
    waiting.apply(Kick("nobody"))
    await trio.sleep(PATIENCE_S - 0.5)
    was_alive = waiting.is_alive
    await trio.sleep(RETRY_S)
    # It heard the event, and is empty.
    assert (was_alive, waiting.is_alive) == (True, False)
    await trio.sleep(5 * RETRY_S)
    found = registry.get("b")
    assert found is not None
    assert found.room.has_session("session-b")


async def test_a_store_that_is_away_for_a_moment_after_the_start_is_waited_for(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    registry = await started(nursery, FakeService(away_for=6))
    waiting = registry.open("b")
    waiting.apply(Kick("nobody"))
    await trio.sleep(PATIENCE_S - 0.5)
    assert waiting.is_alive
    assert waiting.room.has_session("session-b")


async def test_a_board_of_many_sessions_is_restored_in_parts_before_its_first_event(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery, parts: list[tuple[str, int]]
) -> None:
    service = FakeService(boards=["z"])
    service.tabs = [f"-{n}" for n in range(2 * SLICE_ROWS + 1)]
    service.slice_may_go = trio.Event()
    registry = await started(nursery, service)
    room = registry.open("z")
    room.apply(Kick("user-0"))
    service.slice_may_go.set()
    await trio.testing.wait_all_tasks_blocked()
    assert parts == [("z", SLICE_ROWS), ("z", SLICE_ROWS), ("z", 1)]
    # The event came after all of them.
    assert not room.is_alive
    assert registry.get("z") is None
