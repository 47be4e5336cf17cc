"""The one task that writes to the cache: the newest list of each board."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import NoReturn

import msgspec
import structlog
import trio

from ..cache.base import Cache, CacheError, CacheUnavailable
from ..waiting import Doorbell
from .bounded_calls import BoundedCalls
from .bridge import Caller
from .health import Backoff, Health
from .ports import Counters, Timing

log = structlog.get_logger(__name__)

_CHUNK = 100
"""Boards in one round trip."""
_COMPLAIN_AGAIN_S = 60.0
_LIST = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_LATE = "redis.url: Redis does not answer in time"


class CachePublisher:
    """Makes the cache equal to the newest lists. Its memory grows with the live boards.

    Args:
        cache: what is written.
        bridge: runs the calls.
        ttl_s: how long the cache keeps a list, in seconds.
        timing: pauses and deadlines.
        counters: counts writes and failures.
    """

    def __init__(
        self, cache: Cache, bridge: Caller, *, ttl_s: float, timing: Timing, counters: Counters
    ) -> None:
        self.health = Health(
            "the cache does not answer",
            "the cache answers again",
            waiting=lambda: len(self._dirty) + len(self._emptied),
        )
        self._cache = cache
        self._calls = BoundedCalls(bridge, CacheUnavailable, _LATE)
        self._ttl_s = ttl_s
        self._timing = timing
        self._counters = counters
        self._live: dict[str, bytes] = {}
        self._dirty: dict[str, None] = {}
        self._emptied: OrderedDict[str, float] = OrderedDict()
        """Boards to delete, with the time at which the cache forgets them; the oldest first."""
        self._identity: str | None = None
        self._doorbell = Doorbell()
        self._complain_at = -float("inf")
        self._next_refresh = -float("inf")
        self._next_probe = -float("inf")
        self._backoff = Backoff(timing.retry_first_s, timing.retry_longest_s)

    def publish(self, board_id: str, users_json: bytes | None) -> None:
        """Set the board's list from now on; None when the board has emptied."""
        if users_json is None:
            self._live.pop(board_id, None)
            self._dirty.pop(board_id, None)
            self._note_emptied(board_id, trio.current_time())
        else:
            self._emptied.pop(board_id, None)
            self._live[board_id] = users_json
            self._dirty[board_id] = None
        self._doorbell.ring()

    def _note_emptied(self, board_id: str, now: float) -> None:
        self._emptied.pop(board_id, None)
        self._emptied[board_id] = now + self._ttl_s
        # A list that could not be deleted by then has expired in the cache.
        while next(iter(self._emptied.values())) <= now:
            self._emptied.popitem(last=False)

    async def current_users(self, board_id: str) -> bytes:
        """The board's list; ``[]`` when it is unknown or the cache is down."""
        # The lists of this server's boards are here, and newer than in the cache.
        if board_id in self._live:
            return self._live[board_id]
        if board_id in self._emptied or self.health.is_down:
            return b"[]"
        try:
            found = await self._calls.call(
                self._timing.cache_read_deadline_s, self._cache.get, board_id
            )
        except CacheError:
            return b"[]"
        except Exception as error:
            self._complain("reading the cache crashed", board_id, repr(error))
            return b"[]"
        if found is None:
            return b"[]"
        try:
            _LIST.decode(found)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._complain("the cache holds no list of users", board_id, type(error).__name__)
            return b"[]"
        return found

    def _complain(self, event: str, board_id: str, error: str) -> None:
        """Log what another process wrote into the cache, once a minute and without its text."""
        now = trio.current_time()
        if now >= self._complain_at:
            self._complain_at = now + _COMPLAIN_AGAIN_S
            log.warning(event, board=board_id, error=error)

    async def flush(self) -> None:
        """Wait until the cache has everything published so far."""
        while self._dirty or self._emptied:
            self._doorbell.ring()
            await trio.sleep(self._timing.cache_interval_s)

    async def run(self) -> NoReturn:
        """Write until cancelled."""
        while True:
            try:
                await self._write_all()
            except CacheError as error:
                await self._failed(error)
                continue
            except Exception as error:
                # A fault here or in a driver is treated as an outage: no user may notice it.
                if not self.health.is_down:
                    log.exception("a call to the cache crashed")
                await self._failed(CacheUnavailable(f"a call to the cache crashed: {error!r}"))
                continue
            if self.health.up():
                # The cache may have come back empty, or with old lists.
                self._all_again()
                continue
            await trio.sleep(self._timing.cache_interval_s)
            with trio.move_on_after(self._timing.cache_probe_s - self._timing.cache_interval_s):
                await self._doorbell.wait()

    async def _failed(self, error: CacheError) -> None:
        self._counters.cache_failures += 1
        self._next_probe = -float("inf")
        if self.health.down(error):
            self._backoff.reset()
        await trio.sleep(self._backoff.next())

    async def _write_all(self) -> None:
        self._doorbell.clear()
        now = trio.current_time()
        if now >= self._next_probe:
            self._next_probe = now + self._timing.cache_probe_s
            identity = await self._calls.call(self._timing.cache_deadline_s, self._cache.identity)
            if identity != self._identity:
                # The cache was restarted, and has lost its lists.
                self._identity = identity
                self._all_again()
        if now >= self._next_refresh:
            self._all_again()
        await self._delete_emptied()
        await self._write_dirty()

    def _all_again(self) -> None:
        """Have every list written again; since a list lives ``ttl_s``, three times in it."""
        self._dirty = dict.fromkeys(self._live)
        self._next_refresh = trio.current_time() + self._ttl_s / 3

    async def _write_dirty(self) -> None:
        for boards in _chunks(self._dirty):
            for board_id in boards:
                self._dirty.pop(board_id, None)
            try:
                lists = {b: self._live[b] for b in boards if b in self._live}
                await self._calls.call(self._timing.cache_deadline_s, self._cache.set_many, lists)
            except BaseException:
                self._dirty.update((b, None) for b in boards if b in self._live)
                raise
            # A board that emptied during this call was written all the same. It is in
            # ``_emptied``, and the next round deletes it.
            self._counters.cache_writes += len(lists)

    async def _delete_emptied(self) -> None:
        now = trio.current_time()
        for boards in _chunks(self._emptied):
            gone = {b: self._emptied[b] for b in boards if b in self._emptied}
            await self._calls.call(
                self._timing.cache_deadline_s,
                self._cache.delete_many,
                [b for b in gone if gone[b] > now],
            )
            for board_id, until in gone.items():
                # A board that emptied again during this call is deleted again.
                if self._emptied.get(board_id) == until:
                    del self._emptied[board_id]


def _chunks(boards: Iterable[str]) -> Iterator[list[str]]:
    names = list(boards)
    for start in range(0, len(names), _CHUNK):
        yield names[start : start + _CHUNK]
