from __future__ import annotations

import trio
from trio.testing import MockClock

from presence_server.presence.ports import Timing
from presence_server.presence.service import PresenceService
from tests.presence.fakes import T0, DirectBridge, FakeCache, FakeStore, profile, record

DAY_MS = 86_400_000


def make(store: FakeStore, cache: FakeCache, timing: Timing | None = None) -> PresenceService:
    return PresenceService(
        store,
        cache,
        DirectBridge(),
        timing=timing,
        now_ms=lambda: T0,
        cache_ttl_s=60,
        retention_days=30,
    )


def nothing() -> None:
    pass


async def test_a_session_from_join_to_leave(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store, cache = FakeStore(), FakeCache()
    service = make(store, cache)
    await nursery.start(service.run)
    committed = trio.Event()
    service.join(record(), profile(), committed.set)
    service.publish("b", b"[1]")
    await committed.wait()
    service.heartbeat("b", "session-0", T0 + 1)
    service.update_status(record(status="away"))
    service.heartbeat("b", "session-0", T0 + 2)
    await service.flush()
    row = store.rows["b", "session-0"]
    assert (row.status, row.last_heartbeat_at, row.disconnected_at) == ("away", T0 + 2, None)
    assert cache.boards == {"b": b"[1]"}
    service.disconnect("b", "session-0", T0 + 3)
    service.publish("b", None)
    await service.flush()
    assert store.rows["b", "session-0"].disconnected_at == T0 + 3
    assert cache.boards == {}
    assert (service.database_status, service.cache_status) == ("ok", "ok")


async def test_what_is_noted_before_the_start_is_written_after_it(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = FakeStore()
    service = make(store, FakeCache())
    service.join(record(), profile(), nothing)
    service.disconnect("b", "session-0", T0 + 1)
    assert service.waiting_writes == 1
    await nursery.start(service.run)
    await service.flush()
    assert store.rows["b", "session-0"].disconnected_at == T0 + 1
    assert service.waiting_writes == 0


async def test_open_sessions_are_right_while_writes_are_on_their_way(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = FakeStore()
    service = make(store, FakeCache())
    await nursery.start(service.run)
    for number in range(3):
        service.join(record(number), profile(number), nothing)
    await service.flush()
    service.disconnect("b", "session-0", T0 + 1)
    # Not written yet.
    assert {r.session_id for r, _ in await service.stored.sessions()} == {"session-1", "session-2"}
    # Written while the store is being read.
    service.disconnect("b", "session-1", T0 + 1)
    store.delay_s = 3
    found: list[str] = []

    async def read() -> None:
        found.extend(r.session_id for r, _ in await service.stored.sessions(["b"]))

    async with trio.open_nursery() as readers:
        readers.start_soon(read)
        await trio.sleep(0.001)
        store.delay_s = 0.01
    assert store.rows["b", "session-1"].disconnected_at == T0 + 1
    assert found == ["session-2"]


async def test_while_the_store_is_down_readers_are_told_and_rooms_are_not_held_up(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store, cache = FakeStore(), FakeCache()
    service = make(store, cache)
    store.is_down = True
    await nursery.start(service.run)
    await trio.sleep(1)
    assert service.database_status == "down"
    committed = trio.Event()
    service.join(record(), profile(), committed.set)
    with trio.fail_after(0.01):
        await committed.wait()


async def test_old_sessions_are_deleted_in_small_batches_at_the_start_and_every_hour(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = FakeStore()
    store.to_delete = 1200
    service = make(store, FakeCache())
    await nursery.start(service.run)
    await trio.sleep(60)
    assert store.deletes == [(T0 - 30 * DAY_MS, 500)] * 3
    assert service.counters.sessions_deleted == 1200
    await trio.sleep(3600)
    assert len(store.deletes) == 4


async def test_retention_survives_a_store_that_is_down(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store = FakeStore()
    store.is_down = True
    store.to_delete = 10
    service = make(store, FakeCache())
    await nursery.start(service.run)
    await trio.sleep(60)
    store.is_down = False
    # The clock could not be compared with the store, so it must first run for a day.
    await trio.sleep(86_400 + 3600)
    assert service.counters.sessions_deleted == 10
