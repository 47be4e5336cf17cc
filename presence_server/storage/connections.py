"""The store's connections: one writes, the others read, and all belong to one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from weakref import WeakSet

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import ConnectionPoolEntry

from .engine import open_engine
from .limits import EngineLimits
from .ownership import Claimant, check_fence
from .sqlite_file import FileIdentity
from .sqlite_writer import SqliteWriter
from .statements import Prepared
from .url import Dialect, StoreUrl

log = structlog.get_logger(__name__)


class Connections:
    """One set of connections for each event loop, since a connection cannot change its loop.

    Args:
        url: the store.
        limits: deadlines, and the number of connections.
    """

    def __init__(self, url: StoreUrl, limits: EngineLimits) -> None:
        self._url = url
        self._limits = limits
        self._opened: dict[asyncio.AbstractEventLoop, _Open] = {}
        self.owner: Claimant | None = None
        """The owner as which everything is written; None writes without a check (SQLite)."""
        self.on_replaced: Callable[[], None] = lambda: None
        """Called when the file of a SQLite store was removed or replaced."""

    @asynccontextmanager
    async def transaction(
        self, *, write: bool, fenced: bool = True
    ) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a transaction, which is committed unless the body raises.

        There is one writer at a time. SQLite allows no more; with PostgreSQL, a batch that its
        caller gave up cannot be committed after the batch sent in its place.

        Args:
            write: whether the body changes anything.
            fenced: whether a write fails unless this server owns the store.

        Raises:
            OwnershipLost: another server owns the store.
        """
        opened = await self._current()
        gate = opened.writing if write else opened.reading
        async with gate, opened.engine.begin() as connection:
            if write and fenced and self.owner is not None:
                await check_fence(connection, self.owner)
            yield connection

    async def execute(self, prepared: Sequence[Prepared]) -> list[int]:
        """Execute statements in one transaction of the writer, which is committed on return.

        Returns:
            How many rows each statement changed.
        """
        opened = await self._current()
        if opened.writer is None:
            async with self.transaction(write=True) as connection:
                return [
                    (await connection.execute(statement, parameters)).rowcount
                    for statement, parameters in prepared
                ]
        async with opened.writing:
            return await opened.writer.execute(prepared)

    def distrust(self) -> None:
        """Have every connection of the running event loop opened anew before its next use.

        After a failover the old primary may keep its connections and refuse all writes, while
        its address leads new ones to the new primary.
        """
        opened = self._opened.get(asyncio.get_running_loop())
        if opened is not None:
            opened.generation += 1

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        opened = self._opened.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            await opened.aclose()

    async def _current(self) -> _Open:
        loop = asyncio.get_running_loop()
        opened = self._opened.get(loop)
        if opened is not None and opened.file is not None and opened.file.has_changed:
            log.error("the database file was removed or replaced", path=str(self._url.path))
            del self._opened[loop]
            self.on_replaced()
            await opened.aclose()
            opened = self._opened.get(loop)
        if opened is None:
            for other in [other for other in self._opened if other.is_closed()]:
                self._opened.pop(other).abandon()
            opened = self._opened[loop] = _Open(self._url, self._limits)
        return opened


class _Open:
    """The connections of one event loop."""

    def __init__(self, url: StoreUrl, limits: EngineLimits) -> None:
        self.engine = open_engine(url, limits)
        self.writer = SqliteWriter(url, limits) if url.dialect is Dialect.SQLITE else None
        """Does whole transactions for SQLite; None where the engine does them."""
        self.file = None if url.path is None else FileIdentity(url.path)
        self.writing = asyncio.Lock()
        self.reading = asyncio.Semaphore(max(1, limits.connections - 1))
        self._drivers: WeakSet[object] = WeakSet()
        self.generation = 0
        """Connections of an older generation are closed instead of used."""
        sa.event.listen(self.engine.sync_engine, "connect", self._remember)
        sa.event.listen(self.engine.sync_engine, "checkout", self._check)

    async def aclose(self) -> None:
        if self.writer is not None:
            self.writer.close()
        await self.engine.dispose()

    def abandon(self) -> None:
        """End the drivers' threads and sockets of an event loop that ended without closing them."""
        if self.writer is not None:
            self.writer.close()
        self.engine.sync_engine.dispose(close=False)
        for driver in list(self._drivers):
            for name in ("stop", "terminate"):  # aiosqlite, asyncpg
                end = getattr(driver, name, None)
                if end is not None:
                    with suppress(Exception):
                        end()

    def _check(self, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        if record.info["generation"] != self.generation:
            raise sa.exc.DisconnectionError("opened before a failure")

    def _remember(self, connection: object, record: ConnectionPoolEntry) -> None:
        record.info["generation"] = self.generation
        driver = getattr(connection, "driver_connection", None)
        if driver is not None:
            self._drivers.add(driver)
