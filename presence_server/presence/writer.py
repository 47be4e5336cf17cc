"""The one task that writes to the store: group commits, later writes, and retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import NoReturn, TypeVar, TypeVarTuple

import structlog
import trio

from ..storage.errors import OwnershipLost, StorageDataError, StorageError, StorageUnavailable
from ..storage.write_batch import ClockReading, QueueMark, WriteBatch
from ..waiting import Doorbell
from .bounded_calls import BoundedCalls
from .callbacks import Callbacks
from .clock_readings import ClockReadings
from .health import Backoff, Health
from .pending import PendingWrites
from .pending_marks import PendingMarks
from .ports import Counters, Store, Timing
from .session_writes import Key, SessionWrites, to_batch

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
        marks: the times of queues that wait to be written.
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
        marks: PendingMarks,
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
        self._marks = marks
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
        self._is_fenced = False
        """Whether the last write was refused because another server may own the store."""
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
        while len(self._pending) or len(self._marks):
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
        if self.health.is_down or self._is_fenced:
            await trio.sleep(self._backoff.next())
            return
        while not self._is_due():
            with trio.move_on_at(self._changes_due if self._changes else self._next_probe):
                await self._doorbell.wait()
        if self._pending.joins and not self._flushing:
            await trio.sleep(self._timing.gather_s)

    def _is_due(self) -> bool:
        now = trio.current_time()
        if self._pending.joins or (self._flushing and (len(self._pending) or len(self._marks))):
            return True
        return now >= (self._changes_due if self._changes else self._next_probe)

    @property
    def _changes(self) -> int:
        return self._pending.changes + len(self._marks)

    async def _write_once(self) -> None:
        now = trio.current_time()
        changes = self._flushing or self.health.is_down or now >= self._changes_due
        batch = self._pending.take(self._limit, changes=changes)
        # The end of a place never precedes the row of the session that got a seat.
        marks = self._marks.take() if changes and not self._pending.joins else []
        dropped: set[Key] = set()
        done = False
        try:
            await self._ready()
            if batch:
                clock = self._clocks.due()
                await self._write(batch, dropped, clock)
                if clock is not None:
                    self._clocks.written(clock)
            if marks:
                await self._write_marks(marks)
            elif not batch:
                await self._attempt(self._store.ping)
            done = True
        except OwnershipLost as error:
            # The next try claims the store again, or another server owns it for good.
            log.debug("the write is refused", error=str(error))
            self._is_fenced = True
            self._prepared = self._prepare is None
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
            else:
                self._pending.failed(w for w in batch if w.key not in dropped)
                self._marks.keep(marks)
        if done:
            self._succeeded(batch, len(dropped), changes=changes)

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
            missing = await self._attempt(self._store.write, to_batch(batch, clock))
            if missing and trio.current_time() >= self._next_rewrite:
                log.warning("rows of live sessions are missing in the database", rows=missing)
                self._rewrite_due = True
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

    async def _write_marks(self, marks: list[QueueMark]) -> None:
        try:
            await self._attempt(self._store.write, WriteBatch(marks=marks))
        except StorageDataError as error:
            # Without them an old ticket may give its place once more, and nothing worse.
            log.warning("the database refuses places of queues", error=str(error))

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
        self._prepared = self._prepare is None
        # The batch may have been too large for its deadline.
        self._limit = max(_SMALLEST_BATCH, self._limit // 2)
        if self.health.down(error):
            self._backoff.reset()
        self._callbacks.add(self._pending.waiting_callbacks())

    def _succeeded(self, batch: list[SessionWrites], dropped: int, *, changes: bool) -> None:
        now = trio.current_time()
        self._next_probe = now + self._timing.probe_interval_s
        if self._is_fenced:
            self._is_fenced = False
            self._backoff.reset()
        if self.health.up():
            # It may be an older copy of the store: a backup, or a replica.
            self._rewrite_due = True
        if self._rewrite_due and now >= self._next_rewrite:
            self._rewrite_due = False
            self._next_rewrite = now + self._timing.rewrite_again_s
            self.on_rows_lost()
        if changes and len(batch) < self._limit:
            self._changes_due = now + self._timing.flush_interval_s
        self._limit = self._timing.max_batch
        if not len(self._pending) and not len(self._marks):
            self._flushing = False
        if batch:
            self._counters.flushes += 1
            self._counters.rows += len(batch) - dropped
        for writes in batch:
            if writes.on_committed:
                self._counters.joins_committed += 1
                self._callbacks.add(writes.on_committed)
