"""Putting it together: store, cache, bridge and service from their settings."""

from __future__ import annotations

import structlog
import trio

from ..cache.base import Cache, CacheError, CacheUnavailable
from ..cache.memory import MemoryCache
from ..cache.redis import RedisCache
from ..protocol.errors import PresenceError
from ..storage import migrate
from ..storage.engine import EngineLimits
from ..storage.errors import StorageError, StorageUnavailable
from ..storage.repository import Repository
from ..storage.url import parse_url
from .bridge import Bridge, BridgeRestarted
from .ports import Timing
from .service import PresenceService

_START_DEADLINE_S = 5.0
"""A store that has not answered by then is down, and the server starts without it."""
_MIGRATE_DEADLINE_S = 60.0
_CLOSE_DEADLINE_S = 3.0

log = structlog.get_logger(__name__)


class PresenceStack:
    """Owns the backends of one server. Made by :func:`open_presence`."""

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

        Raises, before ``started``: ``StorageError`` or ``CacheError`` for a setting that
        cannot work, and ``StorageUnavailable`` for a store that is down while
        ``database.required``. Otherwise a backend that is down makes the start no
        later than a few seconds, and is used as soon as it is there.
        """
        failure: PresenceError | None = None
        # The backends are closed through the bridge, so it outlives our own cancellation.
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
        try:
            with trio.fail_after(_START_DEADLINE_S):
                await self.bridge.call(self.repository.ping)
            await self._migrate()
            self.service.writer.prepared()
        except (StorageUnavailable, BridgeRestarted, trio.TooSlowError) as error:
            down = StorageUnavailable(
                str(error) or f"database.url: {self.repository.url.shown} does not answer in time"
            )
            if self._required:
                failures.append(down)
            else:
                self.service.writer.health.down(down)
        except StorageError as error:
            failures.append(error)

    async def _check_cache(self, failures: list[PresenceError]) -> None:
        try:
            with trio.fail_after(_START_DEADLINE_S):
                await self.bridge.call(self.cache.identity)
        except (CacheUnavailable, BridgeRestarted, trio.TooSlowError) as error:
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
        # What was cancelled goes on to its end; a connection in use would not be closed.
        with trio.move_on_after(_CLOSE_DEADLINE_S):
            await self.bridge.wait_until_idle()
        for close in (self.repository.aclose, self.cache.aclose):
            with trio.move_on_after(_CLOSE_DEADLINE_S):
                try:
                    await self.bridge.call(close)
                except Exception as error:
                    log.debug("close_failed", error=repr(error))


def open_presence(
    *,
    database_url: str = "sqlite:///var/presence.db",
    redis_url: str | None = None,
    cache_ttl_s: float = 60.0,
    retention_days: float = 30.0,
    database_required: bool = False,
    sqlite_synchronous: str = "NORMAL",
    timing: Timing | None = None,
    limits: EngineLimits | None = None,
) -> PresenceStack:
    """The backends by their settings; opens nothing until ``await nursery.start(stack.run)``.

    ``stack.service`` is what the rooms call.
    Raises ``StorageError`` or ``CacheError`` for a URL that cannot be one.
    """
    return PresenceStack(
        database_url=database_url,
        redis_url=redis_url,
        cache_ttl_s=cache_ttl_s,
        retention_days=retention_days,
        database_required=database_required,
        timing=timing or Timing(),
        limits=limits or EngineLimits(synchronous=sqlite_synchronous),
    )
