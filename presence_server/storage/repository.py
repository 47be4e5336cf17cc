"""Reading and writing sessions: one repository for both dialects.

Everything here is asyncio, and every call ends by itself within about
``EngineLimits.operation_s``: a caller may stop waiting, and leaves nothing behind. Writes are
done one transaction at a time, on one connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TypeVar

import sqlalchemy as sa
import structlog
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from ..protocol.model import HistoryEntry, PresenceRecord
from . import (
    document_reads,
    documents,
    ownership,
    queue_marks,
    reads,
    server_keys,
    store_clock,
    stored_boards,
)
from .connections import Connections
from .diagnose import diagnose
from .errors import StorageUnavailable
from .limits import EngineLimits
from .ownership import Claimant, OwnerRow
from .postgres_statements import PostgresStatements
from .sqlite_statements import SqliteStatements
from .statements import Prepared, Statements, delete_profiles_before
from .stored_boards import Silence, StoredBoard
from .url import Dialect, StoreUrl
from .write_batch import Closing, Heartbeat, OpenSession, ProfileSeen, QueueMark, WriteBatch

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Repository:
    """The store. The first call connects.

    Every method raises :class:`StorageError` or one of its subclasses.

    Args:
        url: the store.
        limits: deadlines, and the number of connections.
    """

    def __init__(self, url: StoreUrl, limits: EngineLimits | None = None) -> None:
        self.url = url
        self.limits = limits or EngineLimits()
        self.transactions = 0
        """Write transactions committed so far."""
        self.statements = 0
        """Write statements executed so far; a statement counts once, with all its rows."""
        self.unreadable_rows = 0
        """Rows that were set aside so far because they cannot be read."""
        self._connections = Connections(url, self.limits)
        self.documents = document_reads.DocumentReads(self._run, self._set_aside)
        self._build: Statements = (
            SqliteStatements() if url.dialect is Dialect.SQLITE else PostgresStatements()
        )

    async def write(self, batch: WriteBatch) -> int:
        """Write a batch in one transaction, which is committed on return.

        Writing the same batch again changes nothing, so a caller that got no answer may repeat
        it.

        Returns:
            How many heartbeats had no row: the store has lost the rows of live sessions.
        """
        build = self._build
        prepared: list[Prepared] = []
        if batch.profiles:
            prepared.append(build.upsert_profiles(batch.profiles))
        if batch.closings:
            prepared.append(build.mark_disconnected(batch.closings))
        if batch.inserts:
            prepared.append(build.insert_presence(batch.inserts))
        if batch.marks:
            prepared.append(build.mark_queue(batch.marks))
        if batch.updates:
            prepared.append(build.update_presence_status(batch.updates))
        if batch.heartbeats:
            prepared.append(build.update_heartbeat(batch.heartbeats))
        beats = len(prepared) - 1
        prepared += documents.prepare_batch(batch.documents, self.url.dialect)
        prepared += store_clock.prepare(batch.clock, self.url.dialect)
        changed = await self._execute(prepared)
        return max(0, len(batch.heartbeats) - changed[beats]) if batch.heartbeats else 0

    async def upsert_profiles(self, profiles: Sequence[ProfileSeen]) -> None:
        """Store profiles, unless a newer one of the same user is stored already."""
        await self.write(WriteBatch(profiles=profiles))

    async def insert_presence(self, records: Sequence[PresenceRecord]) -> None:
        """Add rows, or replace those of the same board and session."""
        await self.write(WriteBatch(inserts=records))

    async def update_presence_status(self, records: Sequence[PresenceRecord]) -> None:
        """Set status, cursor, metadata and last sign of life; add rows that are missing."""
        await self.write(WriteBatch(updates=records))

    async def update_heartbeat(self, beats: Sequence[Heartbeat]) -> None:
        """Set the last sign of life of existing rows."""
        await self.write(WriteBatch(heartbeats=beats))

    async def mark_disconnected(self, closings: Sequence[Closing]) -> None:
        """Close open rows; a closed row keeps its time."""
        await self.write(WriteBatch(closings=closings))

    async def open_boards(self, after: str, limit: int) -> list[StoredBoard]:
        """List boards with open rows, in the order of their ids.

        Args:
            after: leaves out the boards up to this id; empty for the first call.
            limit: the number of boards at most.
        """
        found = await self._run(lambda c: stored_boards.read(c, after, limit), write=False)
        return self._readable(found)

    async def end_boards(self, board_ids: Sequence[str], silence: Silence) -> int:
        """Close the rows of boards that nothing was heard of; returns how many were closed."""
        return await self._execute_counted(stored_boards.end(self.url.dialect, board_ids, silence))

    async def list_active_presence(
        self, board_ids: Sequence[str] | None = None
    ) -> list[OpenSession]:
        """List the open sessions of some boards, or of all boards, oldest first."""

        async def work(connection: AsyncConnection) -> list[OpenSession]:
            result = await connection.execute(reads.open_sessions(board_ids))
            return self._readable(reads.read_rows(result.mappings(), reads.to_open_session))

        return await self._run(work, write=False)

    async def history(self, board_id: str, since_ms: int | None, limit: int) -> list[HistoryEntry]:
        """List sessions of a board, newest first.

        Args:
            board_id: the board.
            since_ms: leaves out sessions that ended before this time; None lists all.
            limit: the number of sessions at most.
        """

        async def work(connection: AsyncConnection) -> list[HistoryEntry]:
            result = await connection.execute(reads.history(board_id, since_ms, limit))
            return self._readable(reads.read_rows(result.mappings(), reads.to_history))

        return await self._run(work, write=False)

    async def delete_closed_before(self, before_ms: int, limit: int) -> int:
        """Delete the ``limit`` sessions closed first, of those closed before a time.

        Returns:
            how many were deleted.
        """
        return await self._execute_counted(self._build.delete_closed_before(before_ms, limit))

    async def delete_profiles_before(self, before_ms: int, limit: int) -> int:
        """Delete the ``limit`` profiles seen longest ago, of users without any session.

        Args:
            before_ms: keeps profiles seen at or after this time.
            limit: the number of profiles at most.

        Returns:
            how many were deleted.
        """
        return await self._execute_counted(delete_profiles_before(before_ms, limit))

    async def queue_marks(self, age_ms: int, limit: int) -> list[QueueMark]:
        """List the times of queues that are at most so much older than the newest, newest first."""
        found = await self._run(lambda c: queue_marks.read(c, age_ms, limit), write=False)
        return self._readable(found)

    async def delete_queue_marks(self, age_ms: int, limit: int) -> int:
        """Delete the oldest of the other times of queues, and return how many were deleted."""
        return await self._execute_counted(queue_marks.delete_old(age_ms, limit))

    async def clock(self) -> store_clock.StoredClock | None:
        """Return the clocks at the last write; None if there was none."""
        return await self._run(store_clock.read, write=False)

    async def newest_ms(self) -> int | None:
        """Return the newest sign of life or end of a session; None if there is no session."""
        return await self._run(reads.read_newest, write=False)

    async def get_or_create_key(self, name: str, fresh: bytes, now_ms: int) -> bytes:
        """Return the key stored under a name; if there is none, store ``fresh`` and return it."""
        key = server_keys.get_or_create(self.url.dialect, name, fresh, now_ms)
        return await self._run(key, write=True)

    async def keep_key(self, name: str, value: bytes, now_ms: int) -> bool:
        """Store a key unless the store has it; returns whether it has."""
        if await self._run(lambda c: server_keys.read(c, name), write=False) == value:
            return True
        change = server_keys.insert_key(self.url.dialect, name, value, now_ms, replace=True)
        await self._run(lambda c: c.execute(change), write=True)
        return False

    async def ping(self) -> None:
        """Check that the store answers the writer, and takes writes.

        It is a call of the writer, so that many readers cannot delay the check.
        """
        await self._run(self._build.check_writable, write=True, fenced=False)

    async def claim(
        self,
        claimant: Claimant,
        may_bury: bool,
        is_dead: Callable[[str, str | None], bool],
    ) -> int | None:
        """Own a store in PostgreSQL; everything is written as its owner from then on.

        Args:
            claimant: this server.
            may_bury: whether the store of a server whose lease is over may be claimed.
            is_dead: tells by id and host whether an owner is known to be dead.

        Returns:
            The epoch; None if another server owns the store.
        """

        async def work(connection: AsyncConnection) -> int | None:
            return await ownership.claim(connection, claimant, may_bury=may_bury, is_dead=is_dead)

        epoch = await self._run(work, write=True, fenced=False)
        if epoch is not None:
            self.write_as(replace(claimant, epoch=epoch))
        return epoch

    def on_replaced(self, callback: Callable[[], None]) -> None:
        """Have a function called when the file of a SQLite store was removed or replaced."""
        self._connections.on_replaced = callback

    def write_as(self, owner: Claimant) -> None:
        """Have every write fail unless ``owner`` owns the store (PostgreSQL only)."""
        self._connections.owner = owner

    async def renew(self, owner: Claimant) -> bool:
        """Extend the lease of the owner; False if another server owns the store."""
        return await self._run(lambda c: ownership.renew(c, owner), write=True, fenced=False)

    async def release(self, owner: Claimant) -> None:
        """Let another server claim the store at once."""
        await self._run(lambda c: ownership.release(c, owner), write=True, fenced=False)

    async def owner(self) -> OwnerRow | None:
        """Read the row of the owner, once every write under way has ended (PostgreSQL only)."""
        return await self._run(ownership.read_owner, write=True, fenced=False)

    async def aclose(self) -> None:
        """Close every connection of the running event loop. The next call opens new ones."""
        await self._connections.aclose()

    async def _execute(self, prepared: Sequence[Prepared]) -> list[int]:
        if not prepared:
            return []
        changed = await self._bounded(self._connections.execute(prepared))
        self.transactions += 1
        self.statements += len(prepared)
        return changed

    async def _execute_counted(self, statement: sa.Executable) -> int:
        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        count = await self._run(work, write=True)
        self.transactions += 1
        self.statements += 1
        return count

    async def _run(
        self,
        work: Callable[[AsyncConnection], Awaitable[T]],
        *,
        write: bool,
        fenced: bool = True,
    ) -> T:
        async def in_transaction() -> T:
            async with self._connections.transaction(write=write, fenced=fenced) as connection:
                return await work(connection)

        return await self._bounded(in_transaction())

    async def _bounded(self, work: Coroutine[object, object, T]) -> T:
        # SQLite bounds each statement itself (busy_timeout). A cancellation would not reach the
        # driver's thread, which would begin a transaction that nobody ends.
        is_sqlite = self.url.dialect is Dialect.SQLITE
        try:
            async with asyncio.timeout(None if is_sqlite else self.limits.operation_s):
                return await work
        except Exception as error:
            failure = diagnose(error, self.url)
            if isinstance(failure, StorageUnavailable) and not is_sqlite:
                self._connections.distrust()
            raise failure from error

    def _readable(self, found: tuple[list[T], int]) -> list[T]:
        rows, broken = found
        self._set_aside(broken)
        return rows

    def _set_aside(self, broken: int) -> None:
        self.unreadable_rows += broken
