"""The one task that writes to the cache: the newest list of each board."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import NoReturn, TypeVar, TypeVarTuple

import structlog
import trio

from ..cache.base import Cache, CacheError, CacheUnavailable
from .bridge import BridgeRestarted, Caller
from .health import Backoff, Health
from .ports import Counters, Timing

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

log = structlog.get_logger(__name__)

_CHUNK = 100
"""Boards in one round trip."""


class CachePublisher:
    """Keeps the cache like the newest lists it was given. Memory grows with live boards."""

    def __init__(
        self, cache: Cache, bridge: Caller, *, ttl_s: float, timing: Timing, counters: Counters
    ) -> None:
        self.health = Health("cache")
        self._cache = cache
        self._bridge = bridge
        self._ttl_s = ttl_s
        self._timing = timing
        self._counters = counters
        self._live: dict[str, bytes] = {}
        self._dirty: dict[str, None] = {}
        self._emptied: OrderedDict[str, float] = OrderedDict()
        """Boards that are to be deleted, and until when; the oldest come first."""
        self._identity: str | None = None
        self._wake = trio.Event()
        self._next_refresh = -float("inf")
        self._next_probe = -float("inf")
        self._backoff = Backoff(timing.retry_first_s, timing.retry_longest_s)

    def publish(self, board_id: str, users_json: bytes | None) -> None:
        """The board's list from now on; None when nobody is there any more."""
        if users_json is None:
            self._live.pop(board_id, None)
            self._dirty.pop(board_id, None)
            self._note_emptied(board_id, trio.current_time())
        else:
            self._emptied.pop(board_id, None)
            self._live[board_id] = users_json
            self._dirty[board_id] = None
        self._wake.set()

    def _note_emptied(self, board_id: str, now: float) -> None:
        self._emptied.pop(board_id, None)
        self._emptied[board_id] = now + self._ttl_s
        # What could not be deleted until then has expired by itself.
        while next(iter(self._emptied.values())) <= now:
            self._emptied.popitem(last=False)

    async def current_users(self, board_id: str) -> bytes:
        """The board's list; ``[]`` when it is unknown or the cache is down."""
        # This server's own boards are here, and newer than in the cache.
        if board_id in self._live:
            return self._live[board_id]
        if board_id in self._emptied or self.health.is_down:
            return b"[]"
        try:
            with trio.fail_after(self._timing.cache_read_deadline_s):
                found = await self._bridge.call(self._cache.get, board_id)
        except (CacheError, BridgeRestarted, trio.TooSlowError):
            return b"[]"
        return b"[]" if found is None else found

    async def flush(self) -> None:
        """Wait until the cache has everything published so far."""
        while self._dirty or self._emptied:
            self._wake.set()
            await trio.sleep(self._timing.cache_interval_s)

    async def run(self) -> NoReturn:
        while True:
            try:
                await self._write_all()
            except CacheError as error:
                await self._failed(error)
                continue
            except Exception as error:
                # A bug, here or in a driver. Nobody's presence is to end for it: as an outage.
                if not self.health.is_down:
                    log.exception("cache_call_crashed")
                await self._failed(CacheUnavailable(f"a call to the cache crashed: {error!r}"))
                continue
            if self.health.up():
                # It may have come back empty, or with what was true long ago.
                self._all_again()
                continue
            await trio.sleep(self._timing.cache_interval_s)
            with trio.move_on_after(self._timing.cache_probe_s - self._timing.cache_interval_s):
                await self._wake.wait()

    async def _failed(self, error: CacheError) -> None:
        self._counters.cache_failures += 1
        self._next_probe = -float("inf")
        if self.health.down(error):
            self._backoff.reset()
        await trio.sleep(self._backoff.next())

    async def _write_all(self) -> None:
        self._wake = trio.Event()
        now = trio.current_time()
        if now >= self._next_probe:
            self._next_probe = now + self._timing.cache_probe_s
            identity = await self._attempt(self._cache.identity)
            if identity != self._identity:
                # Restarted: whatever it held is gone.
                self._identity = identity
                self._all_again()
        if now >= self._next_refresh:
            self._all_again()
        await self._delete_emptied()
        await self._write_dirty()

    def _all_again(self) -> None:
        """Write every list anew; each lives ``ttl_s``, so a third of that is often enough."""
        self._dirty = dict.fromkeys(self._live)
        self._next_refresh = trio.current_time() + self._ttl_s / 3

    async def _write_dirty(self) -> None:
        for boards in _chunks(self._dirty):
            for board_id in boards:
                self._dirty.pop(board_id, None)
            try:
                lists = {b: self._live[b] for b in boards if b in self._live}
                await self._attempt(self._cache.set_many, lists)
            except BaseException:
                self._dirty.update((b, None) for b in boards if b in self._live)
                raise
            # A board that emptied meanwhile was written after all: it is in
            # ``_emptied``, and the next round deletes it.
            self._counters.cache_writes += len(lists)

    async def _delete_emptied(self) -> None:
        now = trio.current_time()
        for boards in _chunks(self._emptied):
            gone = {b: self._emptied[b] for b in boards if b in self._emptied}
            await self._attempt(self._cache.delete_many, [b for b in gone if gone[b] > now])
            for board_id, until in gone.items():
                # Emptied again meanwhile, it is to be deleted again.
                if self._emptied.get(board_id) == until:
                    del self._emptied[board_id]

    async def _attempt(
        self, function: Callable[[*Ts], Coroutine[object, object, T]], *args: *Ts
    ) -> T:
        """One call with a deadline, and one more if the asyncio loop went away under it."""
        try:
            with trio.fail_after(self._timing.cache_deadline_s):
                try:
                    return await self._bridge.call(function, *args)
                except BridgeRestarted:
                    return await self._bridge.call(function, *args)
        except BridgeRestarted as error:
            raise CacheUnavailable(str(error)) from error
        except trio.TooSlowError:
            raise CacheUnavailable("redis.url: Redis does not answer in time") from None


def _chunks(boards: Iterable[str]) -> Iterator[list[str]]:
    names = list(boards)
    for start in range(0, len(names), _CHUNK):
        yield names[start : start + _CHUNK]
