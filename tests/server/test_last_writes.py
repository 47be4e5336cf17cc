"""What the log says at the end of a server about writes: only what was lost."""

from __future__ import annotations

import pytest
import structlog
import trio
from trio.testing import MockClock

from presence_server.presence.ports import Timing
from presence_server.presence.service import PresenceService
from presence_server.server.serving import _flush
from tests.presence.fakes import T0, DirectBridge, FakeCache, FakeStore, profile, record


@pytest.mark.parametrize("is_store_down", [False, True])
async def test_sessions_are_given_up_only_if_the_database_is_down(
    autojump_clock: MockClock, *, is_store_down: bool
) -> None:
    store, cache = FakeStore(), FakeCache()
    service = PresenceService(
        store,
        cache,
        DirectBridge(),
        cache_ttl_s=60,
        retention_days=30,
        timing=Timing(),
        now_ms=lambda: T0,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(service.run)
        await trio.sleep(1)
        cache.is_down, store.is_down = True, is_store_down
        for number in range(3):
            service.join(record(number), profile(number), lambda: None)
        service.publish("b", b"[1]")
        with structlog.testing.capture_logs() as logs:
            await _flush(service)
        nursery.cancel_scope.cancel()
    given_up = [line["sessions"] for line in logs if line["event"] == "writes given up"]
    assert given_up == ([3] if is_store_down else [])
    assert len(store.rows) == (0 if is_store_down else 3)
