"""Reading and writing presence: one repository for both dialects.

Everything here is asyncio and bounds itself: a call ends, one way or another,
within about ``EngineLimits.operation_s``, so a caller that stops waiting leaves
nothing behind. Writes happen one transaction at a time on one connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ..protocol.model import HistoryEntry, PresenceRecord
from . import reads
from .connections import Connections
from .diagnose import diagnose
from .engine import EngineLimits
from .postgres_statements import PostgresStatements
from .server_keys import insert_key
from .sqlite_statements import SqliteStatements
from .statements import Prepared, Statements
from .tables import presence, server_key
from .url import Dialect, StoreUrl
from .write_batch import Closing, Heartbeat, OpenSession, ProfileSeen, WriteBatch

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Repository:
    """The store. Every method raises :class:`StorageError` or one of its subclasses."""

    def __init__(self, url: StoreUrl, limits: EngineLimits | None = None) -> None:
        """Opens nothing yet; the first call connects."""
        self.url = url
        self.limits = limits or EngineLimits()
        self.transactions = 0
        """Write transactions committed so far."""
        self.statements = 0
        """Write statements executed so far; a batch is one."""
        self._connections = Connections(url, self.limits)
        self._build: Statements = (
            SqliteStatements() if url.dialect is Dialect.SQLITE else PostgresStatements()
        )

    async def write(self, batch: WriteBatch) -> None:
        """All of ``batch`` in one transaction, committed on return.

        Writing the same batch again changes nothing, so a caller who got no
        answer may repeat it.
        """
        build = self._build
        prepared: list[Prepared] = []
        if batch.profiles:
            prepared.append(build.upsert_profiles(batch.profiles))
        if batch.inserts:
            prepared.append(build.insert_presence(batch.inserts))
        if batch.updates:
            prepared.append(build.update_presence_status(batch.updates))
        if batch.heartbeats:
            prepared.append(build.update_heartbeat(batch.heartbeats))
        if batch.closings:
            prepared.append(build.mark_disconnected(batch.closings))
        await self._execute(prepared)

    async def upsert_profiles(self, profiles: Sequence[ProfileSeen]) -> None:
        """Keep the newest profile of each user."""
        await self.write(WriteBatch(profiles=profiles))

    async def insert_presence(self, records: Sequence[PresenceRecord]) -> None:
        """Add rows, or replace those of the same board and session."""
        await self.write(WriteBatch(inserts=records))

    async def update_presence_status(self, records: Sequence[PresenceRecord]) -> None:
        """Status, cursor, metadata and last heartbeat of existing rows."""
        await self.write(WriteBatch(updates=records))

    async def update_heartbeat(self, beats: Sequence[Heartbeat]) -> None:
        await self.write(WriteBatch(heartbeats=beats))

    async def mark_disconnected(self, closings: Sequence[Closing]) -> None:
        """Close rows; one that is closed keeps its first time."""
        await self.write(WriteBatch(closings=closings))

    async def list_active_presence(self, board_id: str | None = None) -> list[OpenSession]:
        """Open sessions of a board, or of all boards, oldest first."""

        async def work(connection: AsyncConnection) -> list[OpenSession]:
            result = await connection.execute(reads.open_sessions(board_id))
            return [found for row in result.mappings() if (found := _readable(row)) is not None]

        return await self._run(work, write=False)

    async def history(self, board_id: str, since_ms: int | None, limit: int) -> list[HistoryEntry]:
        """Sessions of a board, newest first; with ``since_ms``, those not over before it."""

        async def work(connection: AsyncConnection) -> list[HistoryEntry]:
            result = await connection.execute(reads.history(board_id, since_ms, limit))
            return [reads.to_history(row) for row in result.mappings()]

        return await self._run(work, write=False)

    async def close_stale(self, last_seen_before_ms: int, at_ms: int) -> int:
        """Close open sessions not seen since a time; returns how many."""
        statement = (
            sa.update(presence)
            .where(presence.c.disconnected_at.is_(None))
            .where(presence.c.last_heartbeat_at < last_seen_before_ms)
            .values(disconnected_at=at_ms)
        )
        return await self._execute_counted(statement)

    async def delete_closed_before(self, before_ms: int, limit: int) -> int:
        """Delete at most ``limit`` sessions closed before a time, oldest first; how many."""
        return await self._execute_counted(self._build.delete_closed_before(before_ms, limit))

    async def get_or_create_key(self, name: str, fresh: bytes, now_ms: int) -> bytes:
        """The key kept under ``name``; the first caller ever stores its ``fresh`` one."""

        async def work(connection: AsyncConnection) -> bytes:
            await connection.execute(insert_key(self.url.dialect, name, fresh, now_ms))
            query = sa.select(server_key.c.value).where(server_key.c.name == name)
            return bytes((await connection.execute(query)).scalar_one())

        return await self._run(work, write=True)

    async def ping(self) -> None:
        """Whether the store answers the writer: many readers do not make it look down."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.select(1))

        await self._run(work, write=True)

    async def aclose(self) -> None:
        """Close every connection. The next call opens new ones."""
        await self._connections.aclose()

    async def _execute(self, prepared: Sequence[Prepared]) -> None:
        if prepared:
            await self._bounded(self._connections.execute(prepared))
            self.transactions += 1
            self.statements += len(prepared)

    async def _execute_counted(self, statement: sa.Executable) -> int:
        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        count = await self._run(work, write=True)
        self.transactions += 1
        self.statements += 1
        return count

    async def _run(self, work: Callable[[AsyncConnection], Awaitable[T]], *, write: bool) -> T:
        async def in_transaction() -> T:
            async with self._transaction(write) as connection:
                return await work(connection)

        return await self._bounded(in_transaction())

    async def _bounded(self, work: Coroutine[object, object, T]) -> T:
        # SQLite bounds each statement itself (busy_timeout). Cancelling one here would
        # not reach the driver's thread, which would begin a transaction nobody ends.
        is_sqlite = self.url.dialect is Dialect.SQLITE
        try:
            async with asyncio.timeout(None if is_sqlite else self.limits.operation_s):
                return await work
        except Exception as error:
            raise diagnose(error, self.url) from error

    def _transaction(self, write: bool) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._connections.transaction(write=write)


def _readable(row: sa.RowMapping) -> OpenSession | None:
    """One row that is broken must not keep all boards from coming back."""
    try:
        return reads.to_open_session(row)
    except ValueError as error:
        log.error("row_unreadable", board=row["board_id"], error=str(error))  # noqa: TRY400
        return None
