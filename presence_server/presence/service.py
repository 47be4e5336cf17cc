"""What the rooms know of storage: calls that never block and never fail."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar, TypeVarTuple

import structlog
import trio

from ..cache.base import Cache
from ..protocol.model import HistoryEntry, PresenceRecord, UserProfile
from ..storage.errors import StorageError, StorageUnavailable
from .bridge import BridgeRestarted, Caller
from .callbacks import Callbacks
from .health import Status
from .pending import PendingWrites
from .ports import Counters, Store, Timing
from .publisher import CachePublisher
from .retention import Retention
from .writer import StoreWriter

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = structlog.get_logger(__name__)

_DAY_MS = 86_400_000


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class PresenceService:
    """Rows to the store, lists to the cache, in the background, whatever happens to either.

    The plain methods only note what is to be done: call them from Trio's thread,
    before or while :meth:`run` runs.
    """

    def __init__(
        self,
        store: Store,
        cache: Cache,
        bridge: Caller,
        *,
        cache_ttl_s: float = 60.0,
        retention_days: float = 30.0,
        timing: Timing | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.counters = Counters()
        self._timing = timing or Timing()
        self._store = store
        self._bridge = bridge
        self._now_ms = now_ms
        self._pending = PendingWrites()
        self._callbacks = Callbacks()
        self.writer = StoreWriter(
            self._pending,
            store,
            bridge,
            self._callbacks,
            timing=self._timing,
            counters=self.counters,
            prepare=prepare,
        )
        self.publisher = CachePublisher(
            cache, bridge, ttl_s=cache_ttl_s, timing=self._timing, counters=self.counters
        )
        self._retention = Retention(
            store,
            bridge,
            retention_ms=round(retention_days * _DAY_MS),
            now_ms=now_ms,
            timing=self._timing,
            counters=self.counters,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until cancelled. Call :meth:`flush` before, to leave nothing unwritten."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._callbacks.run)
            nursery.start_soon(self.writer.run)
            nursery.start_soon(self.publisher.run)
            nursery.start_soon(self._retention.run)
            task_status.started()

    @property
    def database_status(self) -> Status:
        return self.writer.health.status

    @property
    def cache_status(self) -> Status:
        return self.publisher.health.status

    @property
    def waiting_writes(self) -> int:
        """Sessions the store does not have the newest state of."""
        return len(self._pending)

    def join(
        self, record: PresenceRecord, profile: UserProfile, on_committed: Callable[[], None]
    ) -> None:
        """Store a new session; all joins waiting share one transaction.

        ``on_committed`` is called later, from another task, once the row is
        committed; or soon, if the store is known to be down, and the row is
        written when it is back.
        """
        self._pending.join(record, profile, on_committed)
        self.writer.joined()

    def heartbeat(self, board_id: str, session_id: str, at_ms: int) -> None:
        """A sign of life, in milliseconds since the epoch; written with the next flush."""
        self._pending.heartbeat((board_id, session_id), at_ms)
        self.writer.changed()

    def update_status(self, record: PresenceRecord) -> None:
        """The session's newest state; written with the next flush."""
        self._pending.update(record)
        self.writer.changed()

    def disconnect(self, board_id: str, session_id: str, at_ms: int) -> None:
        """The session ended; written with the next flush, never before its join."""
        self._pending.disconnect((board_id, session_id), at_ms)
        self.writer.changed()

    def publish(self, board_id: str, users_json: bytes | None) -> None:
        """The board's ``current_users`` for the cache; None when the board has emptied."""
        self.publisher.publish(board_id, users_json)

    async def current_users(self, board_id: str) -> bytes:
        """A JSON array, ``[]`` for a board nobody knows. Asks no database and never fails."""
        return await self.publisher.current_users(board_id)

    async def history(
        self, board_id: str, since_ms: int | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """Sessions of a board, newest first, as far as they are written (at most 1 s late).

        With ``since_ms`` only those not over by then. Raises ``StorageError``.
        """
        return await self._read(self._store.history, board_id, since_ms, limit)

    async def open_sessions(
        self, board_id: str | None = None
    ) -> list[tuple[PresenceRecord, UserProfile]]:
        """Sessions that have not ended, of one board or all, as if all writes were done.

        Raises ``StorageError`` when the store cannot be read.
        """
        with self._pending.reading() as seen:
            stored = await self._read(self._store.list_active_presence, board_id)
            sessions = self._pending.overlay(stored, board_id, seen)
        return [(session.record, session.profile) for session in sessions]

    async def close_stale(self, last_seen_before_ms: int, at_ms: int) -> int:
        """Close open sessions last seen before a time; how many. Raises ``StorageError``."""
        return await self._read(self._store.close_stale, last_seen_before_ms, at_ms)

    async def server_key(self, name: str, size: int = 32) -> bytes:
        """A secret of ``size`` bytes that all servers of this store share, made when missing.

        Raises ``StorageError``.
        """
        fresh = secrets.token_bytes(size)
        return await self._read(self._store.get_or_create_key, name, fresh, self._now_ms())

    async def flush(self) -> None:
        """Wait until everything accepted so far is in the store and the cache.

        Waits for a store that is down: bound it with a cancel scope.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.publisher.flush)
            await self.writer.flush()

    async def _read(self, function: Callable[[*Ts], Coroutine[object, object, T]], *args: *Ts) -> T:
        try:
            with trio.fail_after(self._timing.read_deadline_s):
                try:
                    return await self._bridge.call(function, *args)
                except BridgeRestarted:
                    return await self._bridge.call(function, *args)
        except BridgeRestarted as error:
            raise StorageUnavailable(str(error)) from error
        except trio.TooSlowError:
            raise StorageUnavailable("the database does not answer in time") from None
        except StorageError:
            raise
        except Exception as error:
            log.exception("store_call_crashed")
            raise StorageUnavailable(f"a call to the database crashed: {error!r}") from error
