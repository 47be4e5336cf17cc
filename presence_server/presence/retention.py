"""Deleting what is older than ``database.retention_days``, a little at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import structlog
import trio

from ..storage.errors import StorageError
from .bridge import BridgeRestarted, Caller
from .ports import Counters, Store, Timing

log = structlog.get_logger(__name__)


class Retention:
    """Deletes closed sessions in small batches, between the other writes."""

    def __init__(
        self,
        store: Store,
        bridge: Caller,
        *,
        retention_ms: int,
        now_ms: Callable[[], int],
        timing: Timing,
        counters: Counters,
    ) -> None:
        self._store = store
        self._bridge = bridge
        self._retention_ms = retention_ms
        self._now_ms = now_ms
        self._timing = timing
        self._counters = counters

    async def run(self) -> NoReturn:
        """Now, and again after every ``retention_interval_s``."""
        while True:
            try:
                deleted = await self._delete_all()
            except (StorageError, BridgeRestarted, trio.TooSlowError) as error:
                # The writer tells of a store that is down; nothing is lost here.
                log.debug("retention_put_off", error=str(error))
            except Exception:
                log.exception("retention_crashed")
            else:
                if deleted:
                    log.info("old_sessions_deleted", sessions=deleted)
            await trio.sleep(self._timing.retention_interval_s)

    async def _delete_all(self) -> int:
        before_ms = self._now_ms() - self._retention_ms
        total = 0
        while True:
            with trio.fail_after(self._timing.store_deadline_s):
                deleted = await self._bridge.call(
                    self._store.delete_closed_before, before_ms, self._timing.retention_batch
                )
            total += deleted
            self._counters.sessions_deleted += deleted
            if deleted < self._timing.retention_batch:
                return total
            await trio.sleep(self._timing.retention_pause_s)
