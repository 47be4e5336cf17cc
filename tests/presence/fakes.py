"""A store, a cache and a bridge without threads or sockets: they go with the autojump clock."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TypeVar, TypeVarTuple

import trio
from msgspec.structs import replace

from presence_server.cache.base import CacheUnavailable
from presence_server.protocol.model import HistoryEntry, PresenceRecord, PresenceStatus
from presence_server.protocol.profile import UserProfile
from presence_server.storage.documents import StoredDocument, StoredRow, split_updates
from presence_server.storage.errors import OwnershipLost, StorageDataError, StorageUnavailable
from presence_server.storage.store_clock import StoredClock
from presence_server.storage.stored_boards import Silence, StoredBoard
from presence_server.storage.write_batch import (
    DocumentBatch,
    DocumentRow,
    OpenSession,
    QueueMark,
    WriteBatch,
)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

T0 = 1_700_000_000_000


def record(number: int = 0, *, board_id: str = "b", status: str = "online") -> PresenceRecord:
    return PresenceRecord(
        board_id=board_id,
        user_id=f"user-{number}",
        session_id=f"session-{number}",
        status=PresenceStatus(status),
        cursor=None,
        metadata=None,
        last_heartbeat_at=T0,
        connected_at=T0,
    )


def profile(number: int = 0) -> UserProfile:
    return UserProfile(f"user-{number}", f"User {number}", None, "#336699")


class DirectBridge:
    """Runs the coroutine in the caller's task; cancelling the caller cancels it."""

    async def call(
        self, function: Callable[[*Ts], Coroutine[object, object, T]], /, *args: *Ts
    ) -> T:
        return await function(*args)


class FakeDocuments:
    """Documents in a dict; they fail and hang with their store."""

    def __init__(self, store: FakeStore) -> None:
        self.stored: dict[str, StoredDocument] = {}
        self.used_ms: dict[str, int] = {}
        self._store = store

    def apply(self, batch: DocumentBatch) -> None:
        for board_id in batch.deleted:
            self.stored.pop(board_id, None)
        for row in batch.updates:
            old = self.stored.get(row.board_id, StoredDocument())
            rows = {stored.seq: stored for stored in old.rows}
            rows.setdefault(row.seq, StoredRow(row.seq, split_updates(row.data)))
            self._put(row, replace(old, rows=[rows[seq] for seq in sorted(rows)]))
        for row in batch.snapshots:
            old = self.stored.get(row.board_id, StoredDocument())
            rest = [stored for stored in old.rows if stored.seq > row.seq]
            self._put(row, replace(old, snapshot=row.data, rows=rest))
        for opened in batch.opened:
            if opened.board_id in self.stored:
                self.used_ms[opened.board_id] = opened.at_ms

    def _put(self, row: DocumentRow, document: StoredDocument) -> None:
        self.stored[row.board_id] = replace(document, seq=max(document.seq, row.seq))
        self.used_ms[row.board_id] = row.at_ms

    async def load(self, board_id: str) -> StoredDocument:
        found = self.stored.get(board_id, StoredDocument())
        await self._store.answer()
        return found

    async def exists(self, board_id: str) -> bool:
        await self._store.answer()
        return board_id in self.stored

    async def total_bytes(self) -> int:
        await self._store.answer()
        return sum(len(update) for found in self.stored.values() for update in found.updates)

    async def unused_since(self, before_ms: int, limit: int, after: str = "") -> list[str]:
        await self._store.answer()
        old = sorted(b for b in self.stored if self.used_ms[b] < before_ms and b > after)
        return old[:limit]


class FakeStore:
    """Keeps rows in a dict. Each call takes ``delay_s``; told to, it fails or hangs."""

    def __init__(self, delay_s: float = 0.01) -> None:
        self.delay_s = delay_s
        self.is_down = False
        self.is_frozen = False
        self.is_foreign = False
        """Whether another server owns it."""
        self.bad_sessions: set[str] = set()
        self.bad_documents: set[str] = set()
        self.documents = FakeDocuments(self)
        self.bad_users: set[str] = set()
        self.rows: dict[tuple[str, str], PresenceRecord] = {}
        self.profiles: dict[str, UserProfile] = {}
        self.profiles_seen: dict[str, int] = {}
        self.batches: list[WriteBatch] = []
        self.pings = 0
        self.unreadable_rows = 0
        self.deletes: list[tuple[int, int]] = []
        self.to_delete = 0
        self.profiles_to_delete = 0
        self.newest: int | None = None
        self.stored_clock: StoredClock | None = None
        self.marks: dict[tuple[str, str], int] = {}
        self.marks_to_delete = 0
        self.lose_next_reply = False

    async def write(self, batch: WriteBatch) -> int:
        await self.answer()
        if self.is_foreign:
            raise OwnershipLost("another server owns the database now")
        for row in (*batch.inserts, *batch.updates):
            if row.session_id in self.bad_sessions:
                raise StorageDataError(f"value refused: {row.session_id}")
        for part in (*batch.documents.updates, *batch.documents.snapshots):
            if part.board_id in self.bad_documents:
                raise StorageDataError(f"value refused: {part.board_id}")
        missing = sum((b.board_id, b.session_id) not in self.rows for b in batch.heartbeats)
        self._apply(batch)
        self.batches.append(batch)
        if self.lose_next_reply:
            self.lose_next_reply = False
            raise StorageUnavailable("connection lost after the commit")
        return missing

    @property
    def documents_of(self) -> dict[str, StoredDocument]:
        """The stored document of each board."""
        return self.documents.stored

    def _apply(self, batch: WriteBatch) -> None:
        if batch.clock is not None:
            self.stored_clock = StoredClock(batch.clock, None)
        self.documents.apply(batch.documents)
        for mark in batch.marks:
            if mark.user_id in self.bad_users:
                raise StorageDataError(f"value refused: {mark.user_id}")
            self.marks[mark.board_id, mark.user_id] = mark.at_ms
        for seen in batch.profiles:
            user_id = seen.profile.user_id
            if seen.at_ms >= self.profiles_seen.get(user_id, 0):
                self.profiles[user_id] = seen.profile
                self.profiles_seen[user_id] = seen.at_ms
        for row in batch.inserts:
            self.rows[row.board_id, row.session_id] = row
        for new in batch.updates:
            row = self.rows.get((new.board_id, new.session_id), new)
            self.rows[new.board_id, new.session_id] = replace(
                new, connected_at=row.connected_at, disconnected_at=row.disconnected_at
            )
        for beat in batch.heartbeats:
            self._change(beat.board_id, beat.session_id, last_heartbeat_at=beat.at_ms)
        for closing in batch.closings:
            old = self.rows.get((closing.board_id, closing.session_id))
            if old is not None and old.disconnected_at is None:
                self._change(closing.board_id, closing.session_id, disconnected_at=closing.at_ms)

    def _change(self, board_id: str, session_id: str, **changes: int) -> None:
        row = self.rows.get((board_id, session_id))
        if row is not None:
            self.rows[board_id, session_id] = replace(row, **changes)

    async def ping(self) -> None:
        self.pings += 1
        await self.answer()

    async def open_boards(self, after: str, limit: int) -> list[StoredBoard]:
        boards: dict[str, list[PresenceRecord]] = {}
        for row in self.rows.values():
            if row.disconnected_at is None and row.board_id > after:
                boards.setdefault(row.board_id, []).append(row)
        await self.answer()
        return [_board(board_id, rows) for board_id, rows in sorted(boards.items())][:limit]

    async def end_boards(self, board_ids: Sequence[str], silence: Silence) -> int:
        await self.answer()
        closed = 0
        for (board_id, session_id), row in self.rows.items():
            is_old = row.last_heartbeat_at <= silence.before_ms
            if board_id in board_ids and row.disconnected_at is None and is_old:
                end_ms = max(row.last_heartbeat_at + silence.length_ms, silence.earliest_ms)
                self._change(board_id, session_id, disconnected_at=min(end_ms, silence.now_ms))
                closed += 1
        return closed

    async def list_active_presence(
        self, board_ids: Sequence[str] | None = None
    ) -> list[OpenSession]:
        found = [
            OpenSession(row, self.profiles[row.user_id])
            for row in self.rows.values()
            if row.disconnected_at is None and (board_ids is None or row.board_id in board_ids)
        ]
        await self.answer()
        return found

    async def history(self, board_id: str, since_ms: int | None, limit: int) -> list[HistoryEntry]:
        await self.answer()
        return []

    async def delete_closed_before(self, before_ms: int, limit: int) -> int:
        await self.answer()
        self.deletes.append((before_ms, limit))
        deleted = min(limit, self.to_delete)
        self.to_delete -= deleted
        return deleted

    async def delete_profiles_before(self, before_ms: int, limit: int) -> int:
        await self.answer()
        deleted = min(limit, self.profiles_to_delete)
        self.profiles_to_delete -= deleted
        return deleted

    async def queue_marks(self, age_ms: int, limit: int) -> list[QueueMark]:
        await self.answer()
        newest = sorted(self.marks.items(), key=lambda item: -item[1])
        return [QueueMark(*key, at_ms) for key, at_ms in newest[:limit]]

    async def delete_queue_marks(self, age_ms: int, limit: int) -> int:
        await self.answer()
        deleted = min(limit, self.marks_to_delete)
        self.marks_to_delete -= deleted
        return deleted

    async def clock(self) -> StoredClock | None:
        await self.answer()
        return self.stored_clock

    async def newest_ms(self) -> int | None:
        await self.answer()
        return self.newest

    async def keep_key(self, name: str, value: bytes, now_ms: int) -> bool:
        await self.answer()
        return True

    async def get_or_create_key(self, name: str, fresh: bytes, now_ms: int) -> bytes:
        await self.answer()
        return fresh

    async def answer(self) -> None:
        if self.is_frozen:
            await trio.sleep_forever()
        await trio.sleep(self.delay_s)
        if self.is_down:
            raise StorageUnavailable("database.url: refused")


class FakeCache:
    """See :class:`FakeStore`; ``restart`` empties it."""

    def __init__(self) -> None:
        self.is_down = False
        self.is_frozen = False
        self.boards: dict[str, bytes] = {}
        self.sets = 0
        self.gets = 0
        self.run = 1

    def restart(self) -> None:
        self.boards.clear()
        self.run += 1

    async def set_many(self, boards: Mapping[str, bytes]) -> None:
        await self.answer()
        self.boards.update(boards)
        self.sets += len(boards)

    async def delete_many(self, board_ids: Sequence[str]) -> None:
        await self.answer()
        for board_id in board_ids:
            self.boards.pop(board_id, None)

    async def get(self, board_id: str) -> bytes | None:
        self.gets += 1
        await self.answer()
        return self.boards.get(board_id)

    async def identity(self) -> str:
        await self.answer()
        return str(self.run)

    async def aclose(self) -> None:
        await self.answer()

    async def answer(self) -> None:
        if self.is_frozen:
            await trio.sleep_forever()
        await trio.sleep(0.001)
        if self.is_down:
            raise CacheUnavailable("redis.url: refused")


def _board(board_id: str, rows: Sequence[PresenceRecord]) -> StoredBoard:
    newest_ms = max(row.last_heartbeat_at for row in rows)
    users = len({row.user_id for row in rows})
    return StoredBoard(board_id, len(rows), users, newest_ms, newest_ms)
