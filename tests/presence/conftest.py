from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from presence_server.presence.bridge import Bridge
from tests.servers import postgres_server, postgres_url, redis_server, redis_url

__all__ = ["postgres_server", "postgres_url", "redis_server", "redis_url"]


@pytest.fixture
async def bridge(nursery: trio.Nursery) -> Bridge:
    """A real one: not for tests with an autojump clock."""
    bridge = Bridge()
    await nursery.start(bridge.run)
    return bridge


@pytest.fixture
async def cleanup() -> AsyncIterator[trio.Nursery]:
    """A nursery that ends with the test, before the servers of its fixtures do."""
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()
