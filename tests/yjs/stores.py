"""The stores of either kind as tests of documents need them: locked for a while, and read."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from typing import Protocol

import trio

from presence_server.storage.documents import split_updates
from tests.servers import PostgresServer

_LOG = (
    "SELECT kind, data FROM (SELECT 0 AS kind, seq, data FROM {1}board_snapshot"
    " WHERE board_id = '{0}' UNION ALL SELECT 1, seq, data FROM {1}board_update"
    " WHERE board_id = '{0}') AS log ORDER BY kind, seq"
)


class DocumentStore(Protocol):
    """A store that a server uses meanwhile.

    Attributes:
        url: of the database.
    """

    url: str

    def away(self) -> AbstractAsyncContextManager[None]:
        """Take the database away while the block runs."""

    async def log(self, board_id: str) -> list[bytes]:
        """Everything that is stored of a document, in its order: the snapshot, then updates."""


class SqliteStore:
    """A file.

    Args:
        path: of the file.
    """

    def __init__(self, path: str) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Somebody else holds the lock for writing."""
        connection = await trio.to_thread.run_sync(self._lock)
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(connection.close)

    def _lock(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.execute("BEGIN IMMEDIATE")
        return connection

    async def log(self, board_id: str) -> list[bytes]:
        """Everything that is stored of a document, in its order."""
        return await trio.to_thread.run_sync(self._read, board_id)

    def _read(self, board_id: str) -> list[bytes]:
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            return _updates(connection.execute(_LOG.format(board_id, "")).fetchall())


class PostgresStore:
    """A database of a PostgreSQL server.

    Args:
        url: of the database.
        server: stands still while the database is away.
    """

    def __init__(self, url: str, server: PostgresServer) -> None:
        self.url = url
        self._server = server

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """All processes of the database stand still."""
        self._server.freeze()
        try:
            yield
        finally:
            self._server.thaw()

    async def log(self, board_id: str) -> list[bytes]:
        """Everything that is stored of a document, in its order."""
        return await trio.to_thread.run_sync(self._read, board_id)

    def _read(self, board_id: str) -> list[bytes]:
        rows = self._server.execute(_LOG.format(board_id, "collab."), self.url)
        return _updates([(row["kind"], row["data"]) for row in rows])


def _updates(rows: list[tuple[int, bytes]]) -> list[bytes]:
    """The updates of rows, of which those of kind 0 are snapshots."""
    return [update for kind, data in rows for update in (split_updates(data) if kind else [data])]
