"""Deletes sessions older than ``database.retention_days`` and their users' profiles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import NoReturn

import structlog
import trio

from ..storage.errors import StorageError
from ..storage.write_batch import QUEUE_MARK_AGE_MS
from .bounded_calls import BoundedCalls
from .clock_trust import ClockTrust
from .ports import Counters, Store, Timing

log = structlog.get_logger(__name__)

_NOT_NOW = "old sessions are not deleted for a day: the clock may be wrong"


class Retention:
    """Deletes closed sessions, and then profiles, with pauses in which others write.

    It deletes nothing while the wall clock is not trusted (:class:`.clock_trust.ClockTrust`).

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
        deletes_sessions: bool = True,
    ) -> None:
        self._deletes_sessions = deletes_sessions
        self._store = store
        self._calls = calls
        self._retention_ms = retention_ms
        self._now_ms = now_ms
        self._timing = timing
        self._counters = counters
        self._clock = ClockTrust()
        self._was_trusted = True
        self.also: Callable[[int], Awaitable[int]] | None = None
        """Deletes old documents; gets the time in milliseconds, and returns their number."""

    async def run(self) -> NoReturn:
        """Delete now, and again after every ``retention_interval_s``, until cancelled."""
        await self._begin()
        while True:
            trusted = self._clock.is_trusted(self._now_ms(), trio.current_time())
            if trusted:
                await self._delete_old()
            elif self._was_trusted:
                log.warning(_NOT_NOW)
            self._was_trusted = trusted
            if self._deletes_sessions:
                await self._delete_marks()
            await trio.sleep(self._timing.retention_interval_s)

    async def _begin(self) -> None:
        """Compare the clock with the store, before the first session is written."""
        try:
            deadline_s = self._timing.store_deadline_s
            newest_ms = await self._calls.call(deadline_s, self._store.newest_ms)
            if newest_ms is None:
                newest_ms = self._now_ms()
        except Exception as error:
            log.debug("the newest session cannot be read", error=str(error))
            newest_ms = None
        self._clock.begin(newest_ms, self._now_ms(), trio.current_time())

    async def _delete_old(self) -> None:
        sessions = profiles = 0
        try:
            if self._deletes_sessions:
                sessions, profiles = await self._delete_sessions()
            if self.also is not None and (documents := await self.also(self._now_ms())):
                log.info("documents that nobody opened are deleted", documents=documents)
        except StorageError as error:
            # Nothing is lost by this, and the writer logs a store that does not answer.
            log.debug("old sessions are not deleted now", error=str(error))
        except Exception:
            log.exception("deleting old sessions crashed")
        if sessions or profiles:
            log.info("old sessions are deleted", sessions=sessions, profiles=profiles)

    async def _delete_sessions(self) -> tuple[int, int]:
        """Delete old sessions and then profiles; returns how many of each."""
        sessions = profiles = 0
        before_ms = self._now_ms() - self._retention_ms
        async for deleted in self._batches(self._store.delete_closed_before, before_ms):
            sessions += deleted
            self._counters.sessions_deleted += deleted
        # A profile is needed for as long as a session of its user is stored.
        async for deleted in self._batches(self._store.delete_profiles_before, before_ms):
            profiles += deleted
            self._counters.profiles_deleted += deleted
        return sessions, profiles

    async def _delete_marks(self) -> None:
        """Delete old times of queues. Their age is no matter of the wall clock."""
        try:
            async for _ in self._batches(self._store.delete_queue_marks, QUEUE_MARK_AGE_MS):
                pass
        except Exception as error:
            log.debug("old places of queues are not deleted now", error=str(error))

    async def _batches(
        self, delete: Callable[[int, int], Coroutine[object, object, int]], time_ms: int
    ) -> AsyncIterator[int]:
        """Delete in small batches, each by ``delete(time_ms, limit)``; gives the size of each."""
        size = self._timing.retention_batch
        while True:
            deleted = await self._calls.call(self._timing.store_deadline_s, delete, time_ms, size)
            yield deleted
            if deleted < size:
                return
            await trio.sleep(self._timing.retention_pause_s)
