"""Writing to SQLite: a whole transaction in one visit to a thread.

With aiosqlite each step of a transaction is a visit of its own, to the thread and back through
the event loop: about ten of them, and each waits for its turn. On a busy server a transaction
that SQLite does in ten milliseconds took half a second like that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from .engine import open_sync_sqlite
from .limits import EngineLimits
from .statements import Prepared
from .url import StoreUrl


class SqliteWriter:
    """One connection in one thread. It is opened by the first call.

    A transaction that was begun is ended by the thread, even if its caller stops waiting.

    Args:
        url: the store.
        limits: how long SQLite waits for a lock.
    """

    def __init__(self, url: StoreUrl, limits: EngineLimits) -> None:
        self._url = url
        self._limits = limits
        self._engine: sa.Engine | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")

    async def execute(self, prepared: Sequence[Prepared]) -> list[int]:
        """Execute statements in one transaction, which is committed on return.

        Returns:
            How many rows each statement changed.
        """
        return await asyncio.wrap_future(self._thread.submit(self._execute, prepared))

    def close(self) -> None:
        """Close the connection after the work under way, without waiting for it."""
        self._thread.submit(self._dispose)
        self._thread.shutdown(wait=False)

    def _execute(self, prepared: Sequence[Prepared]) -> list[int]:
        if self._engine is None:
            self._engine = open_sync_sqlite(self._url, self._limits)
        with self._engine.begin() as connection:
            return [
                connection.execute(statement, parameters).rowcount
                for statement, parameters in prepared
            ]

    def _dispose(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
