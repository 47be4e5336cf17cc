"""What retention deletes, and when it does not believe the clock."""

from __future__ import annotations

import structlog.testing
import trio
from trio.testing import MockClock

from presence_server.presence.bounded_calls import BoundedCalls
from presence_server.presence.ports import Counters, Timing
from presence_server.presence.retention import Retention
from presence_server.storage.errors import StorageUnavailable
from tests.presence.fakes import T0, DirectBridge, FakeStore

DAY_S = 86_400
DAY_MS = DAY_S * 1000


class WallClock:
    """Runs with Trio's clock, and can be set."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ahead_ms = ahead_ms

    def __call__(self) -> int:
        return T0 + self.ahead_ms + round(trio.current_time() * 1000)


def start(store: FakeStore, clock: WallClock, nursery: trio.Nursery) -> Counters:
    counters = Counters()
    retention = Retention(
        store,
        BoundedCalls(DirectBridge(), StorageUnavailable, "late"),
        retention_ms=30 * DAY_MS,
        now_ms=clock,
        timing=Timing(),
        counters=counters,
    )
    nursery.start_soon(retention.run)
    return counters


async def test_profiles_go_after_the_sessions_in_small_batches(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = FakeStore()
    store.newest, store.to_delete, store.profiles_to_delete = T0, 600, 1200
    counters = start(store, WallClock(), nursery)
    await trio.sleep(60)
    assert (counters.sessions_deleted, counters.profiles_deleted) == (600, 1200)


async def test_one_of_several_processes_deletes_sessions_and_each_its_documents(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = FakeStore()
    store.newest, store.to_delete, store.profiles_to_delete = T0, 600, 1200
    counters = Counters()
    retention = Retention(
        store,
        BoundedCalls(DirectBridge(), StorageUnavailable, "late"),
        retention_ms=30 * DAY_MS,
        now_ms=WallClock(),
        timing=Timing(),
        counters=counters,
        deletes_sessions=False,
    )
    asked: list[int] = []

    async def delete_documents(now_ms: int) -> int:
        asked.append(now_ms)
        return 0

    retention.also = delete_documents
    nursery.start_soon(retention.run)
    await trio.sleep(60)
    assert (counters.sessions_deleted, counters.profiles_deleted) == (0, 0)
    assert len(asked) == 1


async def test_a_clock_far_ahead_at_the_start_deletes_nothing_for_a_day(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = FakeStore()
    store.newest, store.to_delete, store.profiles_to_delete = T0, 10, 10
    with structlog.testing.capture_logs() as logs:
        counters = start(store, WallClock(40 * DAY_MS), nursery)
        await trio.sleep(DAY_S - 10)
    assert (counters.sessions_deleted, counters.profiles_deleted) == (0, 0)
    warnings = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert warnings == ["old sessions are not deleted for a day: the clock may be wrong"]
    await trio.sleep(3700)
    assert (counters.sessions_deleted, counters.profiles_deleted) == (10, 10)


async def test_a_clock_that_is_set_forward_later_deletes_nothing_for_a_day(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store, clock = FakeStore(), WallClock()
    store.newest = T0
    counters = start(store, clock, nursery)
    await trio.sleep(10)
    store.to_delete = 10
    clock.ahead_ms = 40 * DAY_MS
    await trio.sleep(DAY_S)
    assert counters.sessions_deleted == 0
    await trio.sleep(2 * 3600)
    assert counters.sessions_deleted == 10


async def test_a_clock_that_was_set_back_to_what_it_should_be_deletes_nothing_wrong(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store, clock = FakeStore(), WallClock(40 * DAY_MS)
    store.newest = T0
    start(store, clock, nursery)
    await trio.sleep(3600 * 5)
    clock.ahead_ms = 0
    await trio.sleep(DAY_S * 2)
    assert store.deletes
    assert all(before_ms < T0 - 27 * DAY_MS for before_ms, _ in store.deletes)


async def test_a_server_that_was_away_for_hours_deletes_at_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = FakeStore()
    store.newest, store.to_delete = T0 - DAY_MS // 2, 10
    counters = start(store, WallClock(), nursery)
    await trio.sleep(60)
    assert counters.sessions_deleted == 10


async def test_an_empty_store_is_no_reason_for_distrust(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = FakeStore()
    with structlog.testing.capture_logs() as logs:
        start(store, WallClock(), nursery)
        await trio.sleep(60)
    assert [entry for entry in logs if entry["log_level"] == "warning"] == []


async def test_old_places_of_queues_are_deleted_whatever_the_clock_says(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = FakeStore()
    store.newest, store.marks_to_delete = T0, 1200
    start(store, WallClock(40 * DAY_MS), nursery)
    await trio.sleep(60)
    assert store.marks_to_delete == 0
