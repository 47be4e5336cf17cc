"""The rooms' view of storage: calls that never wait and never fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar, TypeVarTuple

import structlog
import trio

from ..cache.base import Cache
from ..protocol.model import HistoryEntry, PresenceRecord
from ..protocol.profile import UserProfile
from ..storage.errors import StorageError, StorageUnavailable
from ..storage.write_batch import QUEUE_MARK_AGE_MS, ProfileSeen, QueueMark
from .bounded_calls import BoundedCalls
from .bridge import Caller
from .callbacks import Callbacks
from .clock_readings import ClockReadings, wall_clock_ms
from .document_store import DocumentStore
from .health import Status
from .pending import PendingWrites
from .ports import Counters, Store, Timing
from .publisher import CachePublisher
from .retention import Retention
from .server_keys import ServerKeys
from .side_writes import SideWrites
from .stored_sessions import StoredSessions
from .writer import StoreWriter

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = structlog.get_logger(__name__)

_DAY_MS = 86_400_000
_MOST_MARKS = 50_000
"""Times of queues that a start reads at most, the newest ones."""
_LATE = "the database does not answer in time"


class PresenceService:
    """Writes sessions to the store and lists to the cache, in the background.

    The plain methods only note what to write. Call them from Trio's thread, before :meth:`run`
    or during it. A store or cache that is down changes nothing for their caller.

    Args:
        store: keeps the sessions.
        cache: keeps the lists.
        bridge: runs the calls to both.
        cache_ttl_s: how long the cache keeps a list, in seconds.
        retention_days: closed sessions older than this are deleted.
        timing: how the writes are paced.
        prepare: makes the store ready; the writer calls it (:class:`.writer.StoreWriter`).
        deletes_old: whether this process deletes old sessions; one of several does.
        now_ms: the wall clock, in milliseconds since the epoch.
        clocks: reads the wall clock beside one that nobody sets.
    """

    def __init__(
        self,
        store: Store,
        cache: Cache,
        bridge: Caller,
        *,
        cache_ttl_s: float,
        retention_days: float,
        timing: Timing | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
        deletes_old: bool = True,
        now_ms: Callable[[], int] = wall_clock_ms,
        clocks: ClockReadings | None = None,
    ) -> None:
        self.counters = Counters()
        self._timing = timing or Timing()
        self._store = store
        self._calls = BoundedCalls(bridge, StorageUnavailable, _LATE)
        clocks = clocks or ClockReadings(now_ms)
        self._pending = PendingWrites()
        self.stored = StoredSessions(store, self._pending, self._read, clocks, now_ms)
        self._side = SideWrites(now_ms)
        self._callbacks = Callbacks()
        self.writer = StoreWriter(
            self._pending,
            self._side,
            store,
            self._calls,
            self._callbacks,
            timing=self._timing,
            counters=self.counters,
            prepare=prepare,
            clocks=clocks,
        )
        self.documents = DocumentStore(
            self._side, self.writer.changed, store.documents, self._read, now_ms
        )
        self.publisher = CachePublisher(
            cache, bridge, ttl_s=cache_ttl_s, timing=self._timing, counters=self.counters
        )
        self._keys = ServerKeys(store, self._calls, now_ms)
        self._retention = Retention(
            store,
            self._calls,
            retention_ms=round(retention_days * _DAY_MS),
            now_ms=now_ms,
            timing=self._timing,
            counters=self.counters,
            deletes_sessions=deletes_old,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled. Call :meth:`flush` before that, so that nothing waits."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._callbacks.run)
            nursery.start_soon(self.writer.run)
            nursery.start_soon(self.publisher.run)
            nursery.start_soon(self._retention.run)
            nursery.start_soon(self._keys.run)
            task_status.started()

    @property
    def unreadable_rows(self) -> int:
        """How often a broken row was set aside, so that the others could be read."""
        return self._store.unreadable_rows

    def on_retention(self, delete_documents: Callable[[int], Awaitable[int]]) -> None:
        """Have documents deleted with old sessions (:attr:`.Retention.also`)."""
        self._retention.also = delete_documents

    def on_rows_lost(self, callback: Callable[[], None]) -> None:
        """Have a function called that stores every live session again, with :meth:`join`.

        It is called when the store may have lost rows: it was down, or replaced, or has no row
        for a session that is alive.
        """
        self.writer.on_rows_lost = callback

    def on_writes_refused(self, suspend: Callable[[], None], resume: Callable[[], None]) -> None:
        """Have functions called when the store refuses writes, and when it accepts them again.

        It refuses them once another server owns it. Until it is known whether this server still
        is the owner, nobody may be let in.
        """
        self.writer.fence.on_refused, self.writer.fence.on_accepted = suspend, resume

    @property
    def database_status(self) -> Status:
        """Whether the store answered the last call."""
        return self.writer.health.status

    @property
    def cache_status(self) -> Status:
        """Whether the cache answered the last call."""
        return self.publisher.health.status

    @property
    def waiting_writes(self) -> int:
        """Sessions and documents whose newest state is not in the store yet."""
        return len(self._pending) + len(self._side.documents)

    def join(
        self, record: PresenceRecord, profile: UserProfile, on_committed: Callable[[], None]
    ) -> None:
        """Store a new session. All joins that wait share one transaction.

        Args:
            record: the session's row.
            profile: its user's profile.
            on_committed: called once, later and from another task: after the commit, or soon if
                the store is down; then the row is written when the store is back.
        """
        self._pending.join(record, profile, on_committed)
        self.writer.joined()

    def heartbeat(self, board_id: str, session_id: str, at_ms: int) -> None:
        """Store a sign of life, in milliseconds since the epoch, with the next flush."""
        self._pending.heartbeat((board_id, session_id), at_ms)
        self.writer.changed()

    def update_status(self, record: PresenceRecord) -> None:
        """Store the session's newest state with the next flush."""
        self._pending.update(record)
        self.writer.changed()

    def update_profile(
        self, board_id: str, session_id: str, profile: UserProfile, at_ms: int
    ) -> None:
        """Store the new profile of a session's user with the next flush.

        Args:
            board_id: the board.
            session_id: a session of the user.
            profile: the profile.
            at_ms: since when it is the user's, in milliseconds since the epoch.
        """
        self._pending.change_profile((board_id, session_id), ProfileSeen(profile, at_ms))
        self.writer.changed()

    def disconnect(self, board_id: str, session_id: str, at_ms: int) -> None:
        """Store the end of a session with the next flush, never before its join."""
        self._pending.disconnect((board_id, session_id), at_ms)
        self.writer.changed()

    def mark_queue(self, board_id: str, user_id: str, at_ms: int) -> None:
        """Store a time of a board's queue with the next flush (:class:`.QueueMark`)."""
        self._side.marks.add(QueueMark(board_id, user_id, at_ms))
        self.writer.changed()

    def publish(self, board_id: str, users_json: bytes | None) -> None:
        """Put the board's list of users into the cache; None when the board has emptied."""
        self.publisher.publish(board_id, users_json)

    async def current_users(self, board_id: str) -> bytes:
        """The board's users as a JSON array, ``[]`` for an unknown board.

        It comes from the cache, never from the database, and the call never fails.
        """
        return await self.publisher.current_users(board_id)

    async def history(
        self, board_id: str, since_ms: int | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """List sessions of a board, newest first, as far as they are written (1 s late at most).

        Args:
            board_id: the board.
            since_ms: leaves out sessions that ended before this time; None lists all.
            limit: the number of sessions at most.

        Raises:
            StorageError: the store cannot be read.
        """
        return await self._read(self._store.history, board_id, since_ms, limit)

    async def server_key(self, name: str, size: int = 32) -> bytes:
        """Return a secret that all servers of this store share; the first call makes it.

        Args:
            name: of the secret.
            size: its length in bytes.

        Raises:
            StorageError: the store cannot be read or written.
        """
        return await self._keys.get(name, size)

    async def queue_marks(self) -> list[QueueMark]:
        """List the times of all queues that are not :data:`.QUEUE_MARK_AGE_MS` old, newest first.

        Raises:
            StorageError: the store cannot be read.
        """
        return await self._read(self._store.queue_marks, QUEUE_MARK_AGE_MS, _MOST_MARKS)

    async def flush(self) -> None:
        """Wait until everything noted so far is in the store and in the cache.

        It waits for a store that is down, so bound it with a cancel scope.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.publisher.flush)
            await self.writer.flush()

    async def _read(self, function: Callable[[*Ts], Coroutine[object, object, T]], *args: *Ts) -> T:
        try:
            return await self._calls.call(self._timing.read_deadline_s, function, *args)
        except StorageError:
            raise
        except Exception as error:
            log.exception("a call to the database crashed")
            raise StorageUnavailable(f"a call to the database crashed: {error!r}") from error
