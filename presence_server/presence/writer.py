"""The one task that writes to the store: group commits, later writes, and retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import NoReturn, TypeVar, TypeVarTuple

import structlog
import trio
from msgspec.structs import replace

from ..storage.errors import OwnershipLost, StorageDataError, StorageError, StorageUnavailable
from ..storage.write_batch import ClockReading, WriteBatch
from ..waiting import Doorbell
from .bounded_calls import BoundedCalls
from .callbacks import Callbacks
from .clock_readings import ClockReadings
from .health import Backoff, Health
from .pending import PendingWrites
from .pending_documents import MAX_BATCH_BYTES
from .ports import Counters, Store, Timing
from .session_writes import Key, SessionWrites, to_batch
from .side_writes import NOTHING, SideWrites, is_empty
from .write_fence import WriteFence

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_QUICK_S = 0.5
"""A call that fails within this time may have met a dead connection; the next opens another."""
_LOOP_TRIES = 5
_SMALLEST_BATCH = 100

log = structlog.get_logger(__name__)


class StoreWriter:
    """Writes what :class:`.pending.PendingWrites` gathers.

    After adding a write to it, call :meth:`joined` or :meth:`changed`.

    Args:
        pending: what waits to be written.
        side: what is written beside them: times of queues, and documents.
        store: where it is written.
        calls: how the store is called.
        callbacks: calls the rooms back after their commits.
        timing: pauses, deadlines and the size of a batch.
        counters: counts what was written and what failed.
        prepare: makes the store ready (its tables) before the first write, and again after every
            failure. It raises ``StorageError``.
        clocks: gives the store a reading of the clocks every few seconds.
    """

    def __init__(
        self,
        pending: PendingWrites,
        side: SideWrites,
        store: Store,
        calls: BoundedCalls,
        callbacks: Callbacks,
        *,
        timing: Timing,
        counters: Counters,
        prepare: Callable[[], Awaitable[None]] | None = None,
        clocks: ClockReadings | None = None,
    ) -> None:
        self.health = Health(
            "the database does not answer",
            "the database answers again",
            waiting=lambda: len(pending),
        )
        self._pending = pending
        self._side = side
        self._store = store
        self._calls = calls
        self._callbacks = callbacks
        self._timing = timing
        self._counters = counters
        self._prepare = prepare
        self._clocks = clocks or ClockReadings()
        self._prepared = prepare is None
        self._backoff = Backoff(timing.retry_first_s, timing.retry_longest_s)
        self._doorbell = Doorbell()
        self._tried = trio.Event()
        self._flushing = False
        self.fence = WriteFence()
        self._limit = timing.max_batch
        self._changes_due = -float("inf")
        self._next_probe = -float("inf")
        self._rewrite_due = False
        self._next_rewrite = -float("inf")
        self.on_rows_lost: Callable[[], None] = lambda: None
        """Called when the store may have lost rows of live sessions: writes them again."""

    def replaced(self) -> None:
        """Note that another, perhaps empty store is in the place of the one written so far."""
        self._prepared = self._prepare is None
        self._rewrite_due = True
        self._next_rewrite = -float("inf")
        self._doorbell.ring()

    def prepared(self) -> None:
        """Note that the store is ready."""
        self._prepared = True

    def joined(self) -> None:
        """Note a new join. It is written at once; if the store is down, it goes on without."""
        if self.health.is_down:
            # Only the newest: thousands may wait, and each join would walk through all of them.
            self._callbacks.add(self._pending.newest_callbacks())
        self._doorbell.ring()

    def changed(self) -> None:
        """Note a change, to be written with the next flush."""
        if self._changes == 1:
            self._doorbell.ring()

    async def flush(self) -> None:
        """Wait until everything noted so far is written; this may be as long as an outage."""
        while len(self._pending) or len(self._side):
            self._flushing = True
            self._doorbell.ring()
            await self._tried.wait()

    async def run(self) -> NoReturn:
        """Write until cancelled."""
        while True:
            await self._wait_for_work()
            await self._write_once()
            tried, self._tried = self._tried, trio.Event()
            tried.set()

    async def _wait_for_work(self) -> None:
        if self.health.is_down or self.fence.is_up:
            await trio.sleep(self._backoff.next())
            return
        while not self._is_due():
            with trio.move_on_at(self._changes_due if self._changes else self._next_probe):
                await self._doorbell.wait()
        if self._pending.joins and not self._flushing:
            await trio.sleep(self._timing.gather_s)

    def _is_due(self) -> bool:
        now = trio.current_time()
        if self._pending.joins or (self._flushing and (len(self._pending) or len(self._side))):
            return True
        return now >= (self._changes_due if self._changes else self._next_probe)

    @property
    def _changes(self) -> int:
        return self._pending.changes + self._side.changes

    async def _write_once(self) -> None:
        now = trio.current_time()
        changes = self._flushing or self.health.is_down or now >= self._changes_due
        batch = self._pending.take(self._limit, changes=changes)
        # The end of a place never precedes the row of the session that got a seat.
        side = NOTHING
        if changes and not self._pending.joins:
            side = self._side.take(MAX_BATCH_BYTES * self._limit // self._timing.max_batch)
        dropped: set[Key] = set()
        done = False
        try:
            await self._ready()
            await self._write_taken(batch, side, dropped)
            done = True
        except OwnershipLost as error:
            # The next try claims the store again, or another server owns it for good.
            log.debug("the write is refused", error=str(error))
            self._prepared = self._prepare is None
            self.fence.refused()
        except StorageError as error:
            self._failed(error)
        except Exception as error:
            # A fault here or in a driver is treated as an outage: no user may notice it.
            if not self.health.is_down:
                log.exception("a call to the database crashed", rows=len(batch))
            self._failed(StorageUnavailable(f"a call to the database crashed: {error!r}"))
        finally:
            if done:
                self._pending.written()
                self._callbacks.add(self._side.written())
            else:
                self._pending.failed(w for w in batch if w.key not in dropped)
                self._side.failed()
        if done:
            self._succeeded(batch, len(dropped), changes=changes)

    async def _write_taken(
        self, batch: list[SessionWrites], side: WriteBatch, dropped: set[Key]
    ) -> None:
        clock = self._clocks.due() if batch else None
        if not is_empty(side):
            await self._write_all(batch, side, dropped, clock)
        elif batch:
            await self._write(batch, dropped, clock)
        else:
            await self._attempt(self._store.ping)
        if clock is not None:
            self._clocks.written(clock)

    async def _ready(self) -> None:
        """Prepare the store; after a ping, since preparing takes long to fail."""
        if not self._prepared and self._prepare is not None:
            await self._attempt(self._store.ping)
            await self._prepare()
            self._prepared = True

    async def _write(
        self, batch: list[SessionWrites], dropped: set[Key], clock: ClockReading | None
    ) -> None:
        """Write a batch, except for the rows that the store refuses, found by halving."""
        try:
            self._note_missing(await self._attempt(self._store.write, to_batch(batch, clock)))
        except StorageDataError as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._write(batch[:middle], dropped, clock)
                await self._write(batch[middle:], dropped, clock)
                return
            dropped.add(batch[0].key)
            self._counters.rows_dropped += 1
            # The user stays on the board all the same.
            self._callbacks.add(batch[0].on_committed)
            batch[0].on_committed = []
            log.warning("the database refuses a row", board=batch[0].key[0], error=str(error))

    def _note_missing(self, rows: int) -> None:
        if rows and trio.current_time() >= self._next_rewrite:
            log.warning("rows of live sessions are missing in the database", rows=rows)
            self._rewrite_due = True

    async def _write_all(
        self,
        batch: list[SessionWrites],
        side: WriteBatch,
        dropped: set[Key],
        clock: ClockReading | None,
    ) -> None:
        """Write sessions and what is beside them in one transaction, unless one is refused."""
        whole = replace(to_batch(batch, clock), marks=side.marks, documents=side.documents)
        try:
            self._note_missing(await self._attempt(self._store.write, whole))
        except StorageDataError:
            if batch:
                await self._write(batch, dropped, clock)
            for board_id, piece in self._side.pieces():
                try:
                    await self._attempt(self._store.write, piece)
                except StorageDataError as error:
                    self._counters.rows_dropped += 1
                    if board_id is None:
                        # An old ticket may give its place once more, and nothing worse.
                        log.warning("the database refuses places of queues", error=str(error))
                    else:
                        self._side.documents.give_up(board_id)
                        log.error(  # noqa: TRY400 - the driver's traceback says no more
                            "the database refuses a part of a document",
                            board=board_id,
                            error=str(error),
                        )

    async def _attempt(
        self, function: Callable[[*Ts], Coroutine[object, object, T]], *args: *Ts
    ) -> T:
        """Call the store, and once more at once if a dead connection may be the cause."""
        began = trio.current_time()
        try:
            return await self._call(function, *args)
        except StorageUnavailable:
            if self.health.is_down or trio.current_time() - began > _QUICK_S:
                raise
            return await self._call(function, *args)

    async def _call(self, function: Callable[[*Ts], Coroutine[object, object, T]], *args: *Ts) -> T:
        return await self._calls.call(
            self._timing.store_deadline_s, function, *args, tries=_LOOP_TRIES
        )

    def _failed(self, error: StorageError) -> None:
        self._counters.store_failures += 1
        self.fence.failed()
        self._prepared = self._prepare is None
        # The batch may have been too large for its deadline.
        self._limit = max(_SMALLEST_BATCH, self._limit // 2)
        if self.health.down(error):
            self._backoff.reset()
        self._callbacks.add(self._pending.waiting_callbacks())

    def _succeeded(self, batch: list[SessionWrites], dropped: int, *, changes: bool) -> None:
        now = trio.current_time()
        self._next_probe = now + self._timing.probe_interval_s
        if self.fence.accepted():
            self._backoff.reset()
        if self.health.up():
            # It may be an older copy of the store: a backup, or a replica.
            self._rewrite_due = True
        if self._rewrite_due and now >= self._next_rewrite:
            self._rewrite_due = False
            self._next_rewrite = now + self._timing.rewrite_again_s
            self.on_rows_lost()
        if changes and len(batch) < self._limit and not self._side.has_more:
            self._changes_due = now + self._timing.flush_interval_s
        self._limit = self._timing.max_batch
        if not len(self._pending) and not len(self._side):
            self._flushing = False
        if batch:
            self._counters.flushes += 1
            self._counters.rows += len(batch) - dropped
        for writes in batch:
            if writes.on_committed:
                self._counters.joins_committed += 1
                self._callbacks.add(writes.on_committed)
