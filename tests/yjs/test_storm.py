"""A storm: stock clients come together whatever fails between them, the server and its store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import PostgresServer, postgres_server, postgres_url
from tests.yjs.stock import Node
from tests.yjs.stores import DocumentStore, PostgresStore, SqliteStore
from tests.yjs.storm import Storm

__all__ = ["postgres_server", "postgres_url"]

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> DocumentStore:
    """An empty store of either kind."""
    if request.param == "sqlite":
        return SqliteStore(f"{tmp_path}/presence.db")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return PostgresStore(server.new_database(), server)


async def test_after_a_storm_all_documents_the_stored_one_and_its_log_are_equal(
    clients: Node, store: DocumentStore
) -> None:
    await Storm(clients, store, seed=1).run()
