"""Makes store, cache, bridge and service of their settings, and owns them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog
import trio

from ..cache.base import Cache, CacheError, CacheUnavailable
from ..cache.memory import MemoryCache
from ..cache.redis import RedisCache
from ..protocol.errors import PresenceError
from ..storage import migrate
from ..storage.errors import OwnershipLost, StorageError, StorageUnavailable
from ..storage.limits import EngineLimits
from ..storage.repository import Repository
from ..storage.url import Dialect, parse_url
from .bounded_calls import BoundedCalls
from .bridge import Bridge, check_trio_asyncio
from .ports import Timing
from .service import PresenceService
from .sharing import Role, StoreShare, ownership_of

_START_DEADLINE_S = 5.0
"""A store that has not answered within this time is down, and the server starts without it."""
_MIGRATE_DEADLINE_S = 60.0
_CLOSE_DEADLINE_S = 3.0
_PREPARE_AGAIN_S = 1.0
"""How often a keeper whose store is down tries to own it, in seconds."""
_CLAIM_AGAIN_S = 0.5
"""How often a server that waits asks whether the owner is gone, in seconds."""

log = structlog.get_logger(__name__)


class PresenceStack:
    """Owns the backends of one server. :func:`open_presence` makes it.

    Attributes:
        bridge: the asyncio loop of the drivers.
        repository: the store.
        cache: Redis, or memory.
        service: what the rooms call.
        ownership: whether this server owns the store.
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
        share: StoreShare | None,
    ) -> None:
        self._database_url = database_url
        self._required = database_required
        self.bridge = Bridge()
        url = parse_url(database_url)
        self.repository = Repository(url, limits)
        self._calls = BoundedCalls(
            self.bridge,
            StorageUnavailable,
            f"database.url: {url.shown} does not answer in time",
        )
        self.ownership = ownership_of(self.repository, self._calls, share)
        # Workers find the tables that the keeper has made. Only the file of SQLite may be
        # removed below them, and whoever writes first makes a new one.
        self._may_migrate = (
            share is None or share.role is Role.KEEPER or url.dialect is Dialect.SQLITE
        )
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
            prepare=self._prepare,
            deletes_old=share is None or share.deletes_old,
        )
        self.service.writer.fence.on_lost = self.ownership.lost.set
        self.repository.on_replaced(self.service.writer.replaced)

    async def run(
        self,
        *,
        on_waiting: Callable[[], None] = lambda: None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Check, migrate and own the store, then serve until cancelled.

        A backend that is down delays the start by a few seconds, and is used as soon as it
        answers. While another server owns the store, the start waits.

        Args:
            on_waiting: called once if another server owns the store.
            task_status: started once this server owns the store, or the store is down.

        Raises:
            StorageError: before ``started``: ``database.url`` cannot work.
            StorageUnavailable: before ``started``: the store is down, with ``database.required``.
            CacheError: before ``started``: ``redis.url`` cannot work.
        """
        await self._run(self.service.run, on_waiting, task_status)

    async def keep(
        self,
        *,
        on_waiting: Callable[[], None] = lambda: None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Check, migrate and own the store for other processes, until cancelled.

        Nothing else is written. A store that is down is owned as soon as it answers.

        Args:
            on_waiting: as for :meth:`run`.
            task_status: as for :meth:`run`.

        Raises:
            PresenceError: as :meth:`run`.
        """
        await self._run(self._keep, on_waiting, task_status)

    async def _keep(self, *, task_status: trio.TaskStatus[None]) -> NoReturn:
        task_status.started()
        while self.service.writer.health.is_down:
            await trio.sleep(_PREPARE_AGAIN_S)
            try:
                await self._calls.call(_START_DEADLINE_S, self.repository.ping)
                await self._prepare()
            except StorageError as error:
                log.debug("the database is not owned yet", error=str(error))
            else:
                self.service.writer.health.up()
        await trio.sleep_forever()

    async def _run(
        self,
        work: Callable[..., Awaitable[None]],
        on_waiting: Callable[[], None],
        task_status: trio.TaskStatus[None],
    ) -> None:
        failure: PresenceError | None = None
        # The backends are closed through the bridge, which therefore outlives a cancellation.
        bridge_scope = trio.CancelScope(shield=True)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._run_bridge, bridge_scope)
            try:
                await self._check(on_waiting)
                async with trio.open_nursery() as serving:
                    serving.start_soon(self.ownership.keep)
                    await work(task_status=task_status)
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

    async def _check(self, on_waiting: Callable[[], None]) -> None:
        for parameter in self.repository.url.unused:
            log.warning(
                "a parameter of database.url is not used",
                parameter=parameter.name,
                reason=parameter.reason,
            )
        async with trio.open_nursery() as nursery:
            failures: list[PresenceError] = []
            nursery.start_soon(self._check_cache, failures)
            await self._check_store(failures, on_waiting)
        if failures:
            raise failures[0]

    async def _check_store(
        self, failures: list[PresenceError], on_waiting: Callable[[], None]
    ) -> None:
        try:
            if self.repository.url.dialect is Dialect.SQLITE:
                # The owner may be migrating or moving the file: nothing of it is touched.
                await self._own(on_waiting)
            await self._calls.call(_START_DEADLINE_S, self.repository.ping)
            await self._migrate()
            await self._own(on_waiting)
            self.service.writer.prepared()
            await self.service.stored.compare_clock()
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

    async def _own(self, on_waiting: Callable[[], None]) -> None:
        """Wait until this server owns the store."""
        if await self.ownership.claim():
            return
        on_waiting()
        while True:
            await trio.sleep(_CLAIM_AGAIN_S)
            try:
                if await self.ownership.claim():
                    return
            except StorageUnavailable as error:
                # A server that knows of an owner does not serve from memory.
                log.debug("the owner of the database cannot be read now", error=str(error))

    async def _prepare(self) -> None:
        """Make a store ready that answers again: its tables, and this server as its owner."""
        await self._migrate()
        if not await self.ownership.claim():
            self.ownership.lost.set()
            raise OwnershipLost("another server owns the database now")

    async def _migrate(self) -> None:
        if not self._may_migrate:
            return
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
        if self.repository.url.dialect is Dialect.POSTGRES:
            await self._quietly(self.ownership.release())
        for close in (self.repository.aclose, self.cache.aclose):
            await self._quietly(self.bridge.call(close))
        if self.repository.url.dialect is Dialect.SQLITE:
            # Not before the file is closed.
            await self._quietly(self.ownership.release())

    async def _quietly(self, closing: Awaitable[None]) -> None:
        with trio.move_on_after(_CLOSE_DEADLINE_S):
            try:
                await closing
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
    share: StoreShare | None = None,
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
        share: the part of this process in a store that several processes of one server share;
            None: it is the only process.

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
        share=share,
    )
