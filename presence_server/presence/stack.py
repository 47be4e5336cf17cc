"""Makes store, cache, bridge and service of their settings, and owns them."""

from __future__ import annotations

import structlog
import trio

from ..cache.base import Cache, CacheError, CacheUnavailable
from ..cache.memory import MemoryCache
from ..cache.redis import RedisCache
from ..protocol.errors import PresenceError
from ..storage import migrate
from ..storage.errors import StorageError, StorageUnavailable
from ..storage.limits import EngineLimits
from ..storage.repository import Repository
from ..storage.url import parse_url
from .bounded_calls import BoundedCalls
from .bridge import Bridge, check_trio_asyncio
from .ports import Timing
from .service import PresenceService

_START_DEADLINE_S = 5.0
"""A store that has not answered within this time is down, and the server starts without it."""
_MIGRATE_DEADLINE_S = 60.0
_CLOSE_DEADLINE_S = 3.0

log = structlog.get_logger(__name__)


class PresenceStack:
    """Owns the backends of one server. :func:`open_presence` makes it.

    Attributes:
        bridge: the asyncio loop of the drivers.
        repository: the store.
        cache: Redis, or memory.
        service: what the rooms call.
    """

    def __init__(
        self,
        *,
        database_url: str,
        redis_url: str | None,
        cache_ttl_s: float,
        retention_days: float,
        database_required: bool,
        timing: Timing,
        limits: EngineLimits,
    ) -> None:
        self._database_url = database_url
        self._required = database_required
        self.bridge = Bridge()
        self.repository = Repository(parse_url(database_url), limits)
        self.cache: Cache = (
            MemoryCache(cache_ttl_s) if redis_url is None else RedisCache(redis_url, cache_ttl_s)
        )
        self.bridge.on_end(self.repository.aclose)
        self.bridge.on_end(self.cache.aclose)
        self.service = PresenceService(
            self.repository,
            self.cache,
            self.bridge,
            cache_ttl_s=cache_ttl_s,
            retention_days=retention_days,
            timing=timing,
            prepare=self._migrate,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Check and migrate the store, then serve until cancelled.

        A backend that is down delays the start by a few seconds, and is used as soon as it
        answers.

        Raises:
            StorageError: before ``started``: ``database.url`` cannot work.
            StorageUnavailable: before ``started``: the store is down, with ``database.required``.
            CacheError: before ``started``: ``redis.url`` cannot work.
        """
        failure: PresenceError | None = None
        # The backends are closed through the bridge, which therefore outlives a cancellation.
        bridge_scope = trio.CancelScope(shield=True)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._run_bridge, bridge_scope)
            try:
                await self._check()
                await self.service.run(task_status=task_status)
            except PresenceError as error:
                failure = error
            finally:
                with trio.CancelScope(shield=True):
                    await self._close()
                bridge_scope.cancel()
        if failure is not None:
            raise failure

    async def _run_bridge(
        self,
        scope: trio.CancelScope,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        with scope:
            await self.bridge.run(task_status=task_status)

    async def _check(self) -> None:
        async with trio.open_nursery() as nursery:
            failures: list[PresenceError] = []
            nursery.start_soon(self._check_cache, failures)
            await self._check_store(failures)
        if failures:
            raise failures[0]

    async def _check_store(self, failures: list[PresenceError]) -> None:
        late = f"database.url: {self.repository.url.shown} does not answer in time"
        calls = BoundedCalls(self.bridge, StorageUnavailable, late)
        try:
            await calls.call(_START_DEADLINE_S, self.repository.ping)
            await self._migrate()
            self.service.writer.prepared()
        except StorageUnavailable as error:
            if self._required:
                failures.append(error)
            else:
                self.service.writer.health.down(error)
        except StorageError as error:
            failures.append(error)

    async def _check_cache(self, failures: list[PresenceError]) -> None:
        calls = BoundedCalls(
            self.bridge, CacheUnavailable, "redis.url: Redis does not answer in time"
        )
        try:
            await calls.call(_START_DEADLINE_S, self.cache.identity)
        except CacheUnavailable as error:
            self.service.publisher.health.down(error)
        except CacheError as error:
            failures.append(error)

    async def _migrate(self) -> None:
        try:
            with trio.fail_after(_MIGRATE_DEADLINE_S):
                await trio.to_thread.run_sync(
                    migrate.upgrade, self._database_url, abandon_on_cancel=True
                )
        except trio.TooSlowError:
            raise StorageUnavailable("database.url: migrating took too long") from None

    async def _close(self) -> None:
        # Cancelled calls still do their work, and a connection in use would not be closed.
        with trio.move_on_after(_CLOSE_DEADLINE_S):
            await self.bridge.wait_until_idle()
        for close in (self.repository.aclose, self.cache.aclose):
            with trio.move_on_after(_CLOSE_DEADLINE_S):
                try:
                    await self.bridge.call(close)
                except Exception as error:
                    log.debug("closing a connection failed", error=repr(error))


def open_presence(
    *,
    database_url: str,
    redis_url: str | None,
    cache_ttl_s: float,
    retention_days: float,
    database_required: bool,
    timing: Timing | None = None,
    limits: EngineLimits | None = None,
) -> PresenceStack:
    """Make the backends of their settings. ``PresenceStack.run`` opens them.

    Args:
        database_url: ``database.url``.
        redis_url: ``redis.url``; None keeps the cache in this process.
        cache_ttl_s: ``cache.ttl_s``.
        retention_days: ``database.retention_days``.
        database_required: ``database.required``.
        timing: how the writes are paced.
        limits: deadlines of the store, and the number of its connections.

    Raises:
        StorageError: ``database_url`` is not the URL of a store.
        CacheError: ``redis_url`` is not the URL of a Redis.
        PresenceError: trio-asyncio has another version than this server needs.
    """
    check_trio_asyncio()
    return PresenceStack(
        database_url=database_url,
        redis_url=redis_url,
        cache_ttl_s=cache_ttl_s,
        retention_days=retention_days,
        database_required=database_required,
        timing=timing or Timing(),
        limits=limits or EngineLimits(),
    )
