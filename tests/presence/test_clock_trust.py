"""Sessions in the store, and a wall clock that was set forward before the server started."""

from __future__ import annotations

import structlog.testing
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from presence_server.core.events import Restore
from presence_server.core.room import Room
from presence_server.presence.service import PresenceService
from tests.limits import board_limits
from tests.presence.fakes import T0, DirectBridge, FakeCache, FakeStore, profile, record

DAY_MS = 86_400_000


async def restored(ahead_ms: int) -> tuple[Room, FakeStore]:
    """A board whose session was seen at T0, on a server that starts so much later."""
    store = FakeStore()
    store.rows["b", "session-0"] = record()
    store.profiles["user-0"] = profile()
    store.newest = T0
    service = PresenceService(
        store,
        FakeCache(),
        DirectBridge(),
        cache_ttl_s=60,
        retention_days=30,
        now_ms=lambda: T0 + ahead_ms,
    )
    await service.compare_clock()
    epoch_ms = T0 + ahead_ms - round(trio.current_time() * 1000)
    room = Room("b", board_limits(), epoch_ms)
    room.handle(Restore(tuple(await service.open_sessions())), trio.current_time())
    return room, store


async def test_a_clock_set_forward_by_days_ends_no_session(autojump_clock: MockClock) -> None:
    with structlog.testing.capture_logs() as logs:
        room, _ = await restored(40 * DAY_MS)
    assert [user.user_id for user in room.current_users()] == ["user-0"]
    assert [(e["event"], e["days"]) for e in logs] == [
        ("the clock is far ahead of the newest session", 40)
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
    service = PresenceService(
        store,
        FakeCache(),
        DirectBridge(),
        cache_ttl_s=60,
        retention_days=30,
        now_ms=lambda: now_ms,
    )
    await service.compare_clock()
    ((row, _),) = await service.open_sessions()
    assert row.last_heartbeat_at == now_ms


async def test_a_store_that_is_down_leaves_the_clock_believed(autojump_clock: MockClock) -> None:
    store = FakeStore()
    store.is_down = True
    service = PresenceService(store, FakeCache(), DirectBridge(), cache_ttl_s=60, retention_days=30)
    await service.compare_clock()
