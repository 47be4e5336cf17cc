"""Sessions in the store, and a wall clock that was set forward before the server started."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import structlog.testing
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from presence_server.core.events import Restore
from presence_server.core.room import Room
from presence_server.presence.clock_readings import ClockReadings
from presence_server.presence.service import PresenceService
from presence_server.storage.store_clock import StoredClock
from presence_server.storage.write_batch import ClockReading
from tests.limits import board_limits
from tests.presence.fakes import T0, DirectBridge, FakeCache, FakeStore, profile, record

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


def service_of(
    store: FakeStore, now_ms: Callable[[], int], *, boot_ms: int = 0, boot_id: str | None = "boot"
) -> PresenceService:
    """A service whose wall clock is ``now_ms``."""
    return PresenceService(
        store,
        FakeCache(),
        DirectBridge(),
        cache_ttl_s=60,
        retention_days=30,
        now_ms=now_ms,
        clocks=ClockReadings(now_ms, lambda: boot_ms, lambda: boot_id),
    )


async def restored(
    ahead_ms: int, *, away_ms: int = 0, boot_id: str | None = "other", store_ms: int | None = None
) -> tuple[Room, FakeStore]:
    """A board whose session was seen at T0, on a server that starts later.

    Args:
        ahead_ms: how much later, by the wall clock.
        away_ms: how much later, by the clock of the machine; ``boot_id`` names it.
        boot_id: that of the first server is "boot".
        store_ms: how much later, by the database's clock; None if it has none.
    """
    store = FakeStore()
    store.rows["b", "session-0"] = record()
    store.profiles["user-0"] = profile()
    store.newest = T0
    store.stored_clock = StoredClock(ClockReading(T0, "boot", 1000), store_ms)
    service = service_of(store, lambda: T0 + ahead_ms, boot_ms=1000 + away_ms, boot_id=boot_id)
    await service.stored.compare_clock()
    epoch_ms = T0 + ahead_ms - round(trio.current_time() * 1000)
    room = Room("b", board_limits(), epoch_ms)
    room.handle(Restore(tuple(await service.stored.sessions())), trio.current_time())
    return room, store


@pytest.mark.parametrize("ahead_ms", [HOUR_MS, 5 * HOUR_MS, 40 * DAY_MS, -HOUR_MS, -40 * DAY_MS])
@pytest.mark.parametrize("on", [{"boot_id": "boot", "away_ms": 2000}, {"store_ms": 2000}])
async def test_a_clock_that_was_set_while_the_server_was_down_ends_no_session(
    autojump_clock: MockClock, ahead_ms: int, on: dict[str, Any]
) -> None:
    room, _ = await restored(ahead_ms, **on)
    assert [user.user_id for user in room.current_users()] == ["user-0"]


@pytest.mark.parametrize("ahead_ms", [HOUR_MS, 6 * HOUR_MS, -HOUR_MS])
@pytest.mark.parametrize("on", [{"boot_id": "boot", "away_ms": HOUR_MS}, {"store_ms": HOUR_MS}])
async def test_an_absence_ends_sessions_whatever_the_wall_clock_says(
    autojump_clock: MockClock, ahead_ms: int, on: dict[str, Any]
) -> None:
    room, _ = await restored(ahead_ms, **on)
    assert room.current_users() == []


@pytest.mark.parametrize("ahead_ms", [5 * HOUR_MS, -5 * HOUR_MS])
async def test_rows_written_after_the_clock_was_set_keep_their_times(
    autojump_clock: MockClock, ahead_ms: int
) -> None:
    store = FakeStore()
    store.stored_clock = StoredClock(ClockReading(T0, "boot", 1000), None)
    store.rows["b", "session-0"] = record()
    started_ms = T0 + ahead_ms
    store.rows["b", "session-1"] = replace(record(1), last_heartbeat_at=started_ms + 10)
    store.profiles |= {"user-0": profile(), "user-1": profile(1)}
    now = [started_ms]
    service = service_of(store, lambda: now[0], boot_ms=1000)
    await service.stored.compare_clock()
    now[0] += 10
    times = [row.last_heartbeat_at for row, _ in await service.stored.sessions()]
    assert times == [started_ms, started_ms + 10]


async def test_a_reading_is_of_one_moment() -> None:
    wall, boot = iter([1, 5]), iter([1000, 9000, 9000, 9001])
    clocks = ClockReadings(lambda: next(wall), lambda: next(boot), lambda: "boot")
    assert clocks.now() == ClockReading(5, "boot", 9001)


async def test_the_store_gets_a_reading_every_few_seconds_and_when_the_clock_was_set() -> None:
    wall, boot = [T0], [0]
    clocks = ClockReadings(lambda: wall[0], lambda: boot[0], lambda: None)

    def passes(seconds: float, *, set_by_s: float = 0) -> bool:
        boot[0] += round(seconds * 1000)
        wall[0] += round((seconds + set_by_s) * 1000)
        due = clocks.due()
        if due is not None:
            clocks.written(due)
        return due is not None

    assert [passes(0), passes(1), passes(3.9), passes(0.1), passes(1)] == [1, 0, 0, 1, 0]
    assert [passes(0.5, set_by_s=0.9), passes(0.5, set_by_s=3600), passes(0.5)] == [0, 1, 0]
    assert passes(0.5, set_by_s=-3600)


async def test_a_clock_set_forward_by_days_ends_no_session(autojump_clock: MockClock) -> None:
    with structlog.testing.capture_logs() as logs:
        room, _ = await restored(40 * DAY_MS)
    assert [user.user_id for user in room.current_users()] == ["user-0"]
    assert [(e["event"], e["seconds"]) for e in logs] == [
        ("the clock may have been set since the last write", 40 * 86_400)
    ]


async def test_a_server_that_was_away_for_an_hour_believes_its_clock(
    autojump_clock: MockClock,
) -> None:
    room, _ = await restored(3_600_000)
    assert room.current_users() == []


async def test_a_restart_of_a_moment_is_as_ever(autojump_clock: MockClock) -> None:
    room, _ = await restored(2_000)
    assert [user.user_id for user in room.current_users()] == ["user-0"]


async def test_a_clock_set_back_ends_no_session(autojump_clock: MockClock) -> None:
    room, _ = await restored(-40 * DAY_MS)
    assert [user.user_id for user in room.current_users()] == ["user-0"]


async def test_rows_written_since_the_start_keep_their_times(autojump_clock: MockClock) -> None:
    store = FakeStore()
    store.newest = T0
    now_ms = T0 + 40 * DAY_MS
    store.rows["b", "session-0"] = replace(record(), last_heartbeat_at=now_ms)
    store.profiles["user-0"] = profile()
    service = service_of(store, lambda: now_ms)
    await service.stored.compare_clock()
    ((row, _),) = await service.stored.sessions()
    assert row.last_heartbeat_at == now_ms


async def test_a_store_that_is_down_leaves_the_clock_believed(autojump_clock: MockClock) -> None:
    store = FakeStore()
    store.is_down = True
    service = PresenceService(store, FakeCache(), DirectBridge(), cache_ttl_s=60, retention_days=30)
    await service.stored.compare_clock()


@pytest.mark.parametrize(("boot_id", "reads"), [("boot", 0), ("another boot", 1)])
async def test_a_start_reads_every_row_only_if_no_clock_tells_the_absence(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, boot_id: str, reads: int
) -> None:
    store = FakeStore()
    store.stored_clock = StoredClock(ClockReading(T0, boot_id, 1000), None)
    found: list[int] = []

    async def newest_ms() -> int:
        found.append(T0)
        return T0

    monkeypatch.setattr(store, "newest_ms", newest_ms)
    await service_of(store, lambda: T0, boot_ms=1000).stored.compare_clock()
    assert len(found) == reads
