"""The tables go down only while no server owns the store."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio

from presence_server.presence.bounded_calls import BoundedCalls
from presence_server.presence.bridge import Bridge
from presence_server.presence.ownership import FileOwnership, LeaseOwnership, Ownership
from presence_server.storage import migrate
from presence_server.storage.errors import StorageUnavailable
from presence_server.storage.repository import Repository
from presence_server.storage.unowned import StoreInUse
from presence_server.storage.url import parse_url


@dataclass
class Server:
    """A server's hold on a store."""

    ownership: Ownership


@pytest.fixture
def server(store_url: str, repository: Repository, bridge: Bridge) -> Server:
    url = parse_url(store_url)
    calls = BoundedCalls(bridge, StorageUnavailable, "late")
    is_file = url.path is not None
    return Server(FileOwnership(url) if is_file else LeaseOwnership(repository, calls))


async def test_a_server_that_owns_the_store_keeps_its_tables(
    store_url: str, server: Server
) -> None:
    assert await server.ownership.claim()
    with pytest.raises(StoreInUse, match="stop it first"):
        await trio.to_thread.run_sync(migrate.downgrade, store_url, "base")
    status = await trio.to_thread.run_sync(migrate.status, store_url)
    assert status.up_to_date
    await server.ownership.release()
    status = await trio.to_thread.run_sync(migrate.downgrade, store_url, "base")
    assert status.current is None
