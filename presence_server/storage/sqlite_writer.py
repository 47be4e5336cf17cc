"""SQLite's batch writes: a whole transaction in one visit to a thread.

Through aiosqlite each step of a transaction is a visit of its own, there and back
through the event loop: some ten of them, each waiting for its turn. On a busy server
that made half a second of a transaction that takes SQLite ten milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from .engine import EngineLimits, open_sync_sqlite
from .statements import Prepared
from .url import StoreUrl


class SqliteWriter:
    """One connection in one thread, which ends what it has begun whoever stops waiting.

    Connects when it is first used.
    """

    def __init__(self, url: StoreUrl, limits: EngineLimits) -> None:
        self._url = url
        self._limits = limits
        self._engine: sa.Engine | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")

    async def execute(self, prepared: Sequence[Prepared]) -> None:
        """Run statements in one transaction, committed on return."""
        await asyncio.wrap_future(self._thread.submit(self._execute, prepared))

    def close(self) -> None:
        """Let go of the connection when what was begun is done; does not wait for that."""
        self._thread.submit(self._dispose)
        self._thread.shutdown(wait=False)

    def _execute(self, prepared: Sequence[Prepared]) -> None:
        if self._engine is None:
            self._engine = open_sync_sqlite(self._url, self._limits)
        with self._engine.begin() as connection:
            for statement, parameters in prepared:
                connection.execute(statement, parameters)

    def _dispose(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
