"""Deletes sessions older than ``database.retention_days``, in small batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import structlog
import trio

from ..storage.errors import StorageError
from .bounded_calls import BoundedCalls
from .ports import Counters, Store, Timing

log = structlog.get_logger(__name__)


class Retention:
    """Deletes closed sessions, with pauses in which the other writes are done.

    Args:
        store: where they are deleted.
        calls: how the store is called.
        retention_ms: sessions closed longer ago than this are deleted.
        now_ms: the wall clock, in milliseconds since the epoch.
        timing: how often, how many, and the pauses.
        counters: counts what was deleted.
    """

    def __init__(
        self,
        store: Store,
        calls: BoundedCalls,
        *,
        retention_ms: int,
        now_ms: Callable[[], int],
        timing: Timing,
        counters: Counters,
    ) -> None:
        self._store = store
        self._calls = calls
        self._retention_ms = retention_ms
        self._now_ms = now_ms
        self._timing = timing
        self._counters = counters

    async def run(self) -> NoReturn:
        """Delete now, and again after every ``retention_interval_s``, until cancelled."""
        while True:
            try:
                deleted = await self._delete_all()
            except StorageError as error:
                # Nothing is lost by this, and the writer logs a store that does not answer.
                log.debug("old sessions are not deleted now", error=str(error))
            except Exception:
                log.exception("deleting old sessions crashed")
            else:
                if deleted:
                    log.info("old sessions are deleted", sessions=deleted)
            await trio.sleep(self._timing.retention_interval_s)

    async def _delete_all(self) -> int:
        before_ms = self._now_ms() - self._retention_ms
        total = 0
        while True:
            deleted = await self._calls.call(
                self._timing.store_deadline_s,
                self._store.delete_closed_before,
                before_ms,
                self._timing.retention_batch,
            )
            total += deleted
            self._counters.sessions_deleted += deleted
            if deleted < self._timing.retention_batch:
                return total
            await trio.sleep(self._timing.retention_pause_s)
