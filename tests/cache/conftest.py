from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio

from presence_server.cache.base import Cache
from presence_server.cache.memory import MemoryCache
from presence_server.cache.redis import RedisCache
from presence_server.presence.bridge import Bridge
from tests.servers import redis_server, redis_url

__all__ = ["redis_server", "redis_url"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Backend:
    """A cache of ``TTL_S``, and a way to let time pass for it."""

    TTL_S = 0.3

    def __init__(self, cache: Cache, wait: Callable[[float], Awaitable[None]]) -> None:
        self.cache = cache
        self.wait = wait


@pytest.fixture
async def bridge(nursery: trio.Nursery) -> Bridge:
    bridge = Bridge()
    await nursery.start(bridge.run)
    return bridge


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def backend(request: pytest.FixtureRequest, bridge: Bridge) -> AsyncIterator[Backend]:
    if request.param == "memory":
        clock = Clock()

        async def pass_time(seconds: float) -> None:
            clock.now += seconds

        yield Backend(MemoryCache(Backend.TTL_S, clock), pass_time)
        return
    # Redis keeps its own time, so time passes for real.
    cache = RedisCache(request.getfixturevalue("redis_url"), Backend.TTL_S, operation_s=20)
    yield Backend(cache, trio.sleep)
    await bridge.call(cache.aclose)
