from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from presence_server.presence.bridge import Bridge
from presence_server.storage import migrate
from presence_server.storage.repository import Repository
from presence_server.storage.url import parse_url
from tests.servers import postgres_server, postgres_url, store_url
from tests.storage.records import PATIENT

__all__ = ["postgres_server", "postgres_url", "store_url"]


@pytest.fixture
async def bridge(nursery: trio.Nursery) -> Bridge:
    bridge = Bridge()
    await nursery.start(bridge.run)
    return bridge


@pytest.fixture
async def repository(store_url: str, bridge: Bridge) -> AsyncIterator[Repository]:
    """A migrated store of either dialect."""
    await trio.to_thread.run_sync(migrate.upgrade, store_url)
    repository = Repository(parse_url(store_url), PATIENT)
    yield repository
    with trio.CancelScope(shield=True):
        await bridge.call(repository.aclose)
