"""What the service needs of a store; :class:`..storage.repository.Repository` is one."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from ..protocol.model import HistoryEntry
from ..storage.write_batch import OpenSession, WriteBatch


class Store(Protocol):
    """Asyncio coroutines that end by themselves and raise ``StorageError`` or a subclass."""

    async def write(self, batch: WriteBatch) -> None: ...

    async def ping(self) -> None: ...

    async def list_active_presence(self, board_id: str | None = None) -> list[OpenSession]: ...

    async def history(
        self, board_id: str, since_ms: int | None, limit: int
    ) -> list[HistoryEntry]: ...

    async def close_stale(self, last_seen_before_ms: int, at_ms: int) -> int: ...

    async def delete_closed_before(self, before_ms: int, limit: int) -> int: ...

    async def get_or_create_key(self, name: str, fresh: bytes, now_ms: int) -> bytes: ...


class Timing(Struct, frozen=True):
    """How the service paces itself. Durations in seconds."""

    flush_interval_s: float = 0.5
    """Changes gather this long; a flush is one transaction."""
    gather_s: float = 0.002
    """Joins that arrive within this share a commit, even on an idle server."""
    max_batch: int = 2000
    """Sessions in one transaction."""
    store_deadline_s: float = 8.0
    """Beyond what the store allows itself: for a call that does not come back at all."""
    read_deadline_s: float = 8.0
    probe_interval_s: float = 5.0
    """An idle store is asked this often whether it is there."""
    retry_first_s: float = 0.1
    retry_longest_s: float = 1.0
    cache_interval_s: float = 0.2
    """A board's list is written at most this often."""
    cache_probe_s: float = 1.0
    """How often the cache is asked whether it still holds what it was given."""
    cache_deadline_s: float = 3.0
    cache_read_deadline_s: float = 1.0
    retention_interval_s: float = 3600.0
    retention_batch: int = 500
    retention_pause_s: float = 0.2
    """Between two batches, for everything else that wants to write."""


class Counters:
    """What has happened so far, for metrics; only ever counts up."""

    def __init__(self) -> None:
        self.flushes = 0
        """Transactions with rows in them, committed."""
        self.rows = 0
        """Sessions written, one for each flush they were in."""
        self.joins_committed = 0
        self.store_failures = 0
        self.rows_dropped = 0
        """Sessions whose values the store refuses."""
        self.cache_writes = 0
        self.cache_failures = 0
        self.sessions_deleted = 0
        """By retention."""
