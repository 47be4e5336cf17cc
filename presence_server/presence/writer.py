"""The one task that writes to the store: group commit, write-behind, retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import NoReturn, TypeVarTuple

import structlog
import trio

from ..storage.errors import StorageDataError, StorageError, StorageUnavailable
from .bridge import BridgeRestarted, Caller
from .callbacks import Callbacks
from .health import Backoff, Health
from .pending import Key, PendingWrites, SessionWrites, to_batch
from .ports import Counters, Store, Timing

Ts = TypeVarTuple("Ts")

_QUICK_S = 0.5
"""A call that fails within this may have met a dead connection: the next one opens another."""
_LOOP_TRIES = 5
_SMALLEST_BATCH = 100

log = structlog.get_logger(__name__)


class StoreWriter:
    """Writes what :class:`PendingWrites` gathers; it is told of additions by its methods."""

    def __init__(
        self,
        pending: PendingWrites,
        store: Store,
        bridge: Caller,
        callbacks: Callbacks,
        *,
        timing: Timing,
        counters: Counters,
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``prepare`` makes the store ready (its tables) when it answers for the first time,
        and again after every failure; it raises ``StorageError``."""
        self.health = Health("database")
        self._pending = pending
        self._store = store
        self._bridge = bridge
        self._callbacks = callbacks
        self._timing = timing
        self._counters = counters
        self._prepare = prepare
        self._prepared = prepare is None
        self._backoff = Backoff(timing.retry_first_s, timing.retry_longest_s)
        self._wake = trio.Event()
        self._tried = trio.Event()
        self._hurry = False
        self._limit = timing.max_batch
        self._changes_due = -float("inf")
        self._next_probe = -float("inf")

    def prepared(self) -> None:
        """The store is known to be ready."""
        self._prepared = True

    def joined(self) -> None:
        """There is a new join: it is written at once, or let through if the store is down."""
        if self.health.is_down:
            # Not all that wait: there may be thousands, and each join would walk them.
            self._callbacks.add(self._pending.newest_callbacks())
        self._wake.set()

    def changed(self) -> None:
        """There is something to write within the next flush."""
        if self._pending.changes == 1:
            self._wake.set()

    async def flush(self) -> None:
        """Wait until everything accepted so far is written, however long the store is down."""
        while len(self._pending):
            self._hurry = True
            self._wake.set()
            await self._tried.wait()

    async def run(self) -> NoReturn:
        while True:
            await self._wait_for_work()
            await self._write_once()
            tried, self._tried = self._tried, trio.Event()
            tried.set()

    async def _wait_for_work(self) -> None:
        if self.health.is_down:
            await trio.sleep(self._backoff.next())
            return
        while not self._is_due():
            with trio.move_on_at(self._changes_due if self._pending.changes else self._next_probe):
                await self._wake.wait()
            self._wake = trio.Event()
        if self._pending.joins and not self._hurry:
            await trio.sleep(self._timing.gather_s)

    def _is_due(self) -> bool:
        now = trio.current_time()
        if self._pending.joins or (self._hurry and len(self._pending)):
            return True
        return now >= (self._changes_due if self._pending.changes else self._next_probe)

    async def _write_once(self) -> None:
        now = trio.current_time()
        changes = self._hurry or self.health.is_down or now >= self._changes_due
        batch = self._pending.take(self._limit, changes=changes)
        dropped: set[Key] = set()
        done = False
        try:
            await self._ready()
            if batch:
                await self._write(batch, dropped)
            else:
                await self._attempt(self._store.ping)
            done = True
        except StorageError as error:
            self._failed(error)
        except Exception as error:
            # A bug, here or in a driver. Nobody's presence is to end for it: as an outage.
            if not self.health.is_down:
                log.exception("store_call_crashed", rows=len(batch))
            self._failed(StorageUnavailable(f"a call to the database crashed: {error!r}"))
        finally:
            if done:
                self._pending.written()
            else:
                self._pending.failed(w for w in batch if w.key not in dropped)
        if done:
            self._succeeded(batch, len(dropped), changes=changes)

    async def _ready(self) -> None:
        """Make the store ready; asked first, for preparing is slow to give up."""
        if not self._prepared and self._prepare is not None:
            await self._attempt(self._store.ping)
            await self._prepare()
            self._prepared = True

    async def _write(self, batch: list[SessionWrites], dropped: set[Key]) -> None:
        """Write all of ``batch`` but the rows the store refuses, found by halving."""
        try:
            await self._attempt(self._store.write, to_batch(batch))
        except StorageDataError as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._write(batch[:middle], dropped)
                await self._write(batch[middle:], dropped)
                return
            dropped.add(batch[0].key)
            self._counters.rows_dropped += 1
            # Its user stays on the board all the same.
            self._callbacks.add(batch[0].on_committed)
            batch[0].on_committed = []
            log.warning("row_dropped", board_id=batch[0].key[0], error=str(error))

    async def _attempt(
        self, function: Callable[[*Ts], Coroutine[object, object, None]], *args: *Ts
    ) -> None:
        """One call with a deadline; again at once where the failure is likely our own."""
        began = trio.current_time()
        second_try = self.health.is_down
        loop_tries = 0
        while True:
            try:
                with trio.fail_after(self._timing.store_deadline_s):
                    await self._bridge.call(function, *args)
                return
            except trio.TooSlowError:
                raise StorageUnavailable("the database does not answer in time") from None
            except BridgeRestarted as error:
                loop_tries += 1
                if loop_tries >= _LOOP_TRIES:
                    raise StorageUnavailable(str(error)) from error
            except StorageUnavailable:
                if second_try or trio.current_time() - began > _QUICK_S:
                    raise
                second_try = True

    def _failed(self, error: StorageError) -> None:
        self._counters.store_failures += 1
        self._prepared = self._prepare is None
        # Should it have been too much for the time it got.
        self._limit = max(_SMALLEST_BATCH, self._limit // 2)
        if self.health.down(error):
            self._backoff.reset()
        self._callbacks.add(self._pending.waiting_callbacks())

    def _succeeded(self, batch: list[SessionWrites], dropped: int, *, changes: bool) -> None:
        now = trio.current_time()
        self._next_probe = now + self._timing.probe_interval_s
        self.health.up()
        if changes and len(batch) < self._limit:
            self._changes_due = now + self._timing.flush_interval_s
        self._limit = self._timing.max_batch
        if not len(self._pending):
            self._hurry = False
        if batch:
            self._counters.flushes += 1
            self._counters.rows += len(batch) - dropped
        for writes in batch:
            if writes.on_committed:
                self._counters.joins_committed += 1
                self._callbacks.add(writes.on_committed)
