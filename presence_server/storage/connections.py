"""The store's connections: one writes, the others read, all belong to one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .engine import EngineLimits, open_engine
from .url import StoreUrl


class Connections:
    """Opened by the first call, and anew when the event loop is another one."""

    def __init__(self, url: StoreUrl, limits: EngineLimits) -> None:
        self._url = url
        self._limits = limits
        self._open: _Open | None = None

    @asynccontextmanager
    async def transaction(self, *, write: bool) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction, committed if the body ends well.

        One writer at a time: SQLite allows no more, and on Postgres it keeps a
        batch that is being given up from overtaking the one sent in its place.
        """
        opened = self._current()
        gate = opened.writing if write else opened.reading
        async with gate, opened.engine.begin() as connection:
            yield connection

    async def aclose(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            await opened.aclose()

    def _current(self) -> _Open:
        loop = asyncio.get_running_loop()
        if self._open is not None and self._open.loop is not loop:
            self._open.abandon()
            self._open = None
        if self._open is None:
            self._open = _Open(loop, self._url, self._limits)
        return self._open


class _Open:
    def __init__(
        self, loop: asyncio.AbstractEventLoop, url: StoreUrl, limits: EngineLimits
    ) -> None:
        self.loop = loop
        self.engine = open_engine(url, limits)
        self.writing = asyncio.Lock()
        self.reading = asyncio.Semaphore(max(1, limits.connections - 1))
        self._drivers: WeakSet[object] = WeakSet()
        sa.event.listen(self.engine.sync_engine, "connect", self._remember)

    async def aclose(self) -> None:
        await self.engine.dispose()

    def abandon(self) -> None:
        """The loop is gone: end the drivers' threads and sockets without it."""
        self.engine.sync_engine.dispose(close=False)
        for driver in list(self._drivers):
            for name in ("stop", "terminate"):  # aiosqlite, asyncpg
                end = getattr(driver, name, None)
                if end is not None:
                    with suppress(Exception):
                        end()

    def _remember(self, connection: object, _record: object) -> None:
        driver = getattr(connection, "driver_connection", None)
        if driver is not None:
            self._drivers.add(driver)
