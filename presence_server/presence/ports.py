"""The store as the service needs it, the service's pace, and its counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from ..protocol.model import HistoryEntry
from ..storage.documents import StoredDocument
from ..storage.store_clock import StoredClock
from ..storage.stored_boards import Silence, StoredBoard
from ..storage.write_batch import OpenSession, QueueMark, WriteBatch


class DocumentReader(Protocol):
    """Reads documents; ``storage.document_reads.DocumentReads`` is one. Else as :class:`Store`."""

    async def load(self, board_id: str) -> StoredDocument:
        """Read the document of a board; an empty one if there is none."""
        ...

    async def exists(self, board_id: str) -> bool:
        """Whether a board has a document."""
        ...

    async def total_bytes(self) -> int:
        """The size of all documents."""
        ...

    async def unused_since(self, before_ms: int, limit: int, after: str = "") -> list[str]:
        """List boards whose document was neither opened nor changed since a time."""
        ...


class Store(Protocol):
    """A store of sessions; ``storage.repository.Repository`` is one.

    The methods are asyncio coroutines. They end by themselves within seconds, and raise
    ``StorageError`` or a subclass.

    Attributes:
        unreadable_rows: how often a broken row was set aside, so that the others could be read.
    """

    unreadable_rows: int

    @property
    def documents(self) -> DocumentReader:
        """Reads the documents that the batches hold."""

    async def write(self, batch: WriteBatch) -> int:
        """Write a batch in one transaction; repeating it changes nothing.

        Returns:
            How many heartbeats had no row: the store has lost the rows of live sessions.
        """
        ...

    async def ping(self) -> None:
        """Check that the store answers."""
        ...

    async def open_boards(self, after: str, limit: int) -> list[StoredBoard]:
        """List boards with open rows after an id, in the order of ids."""
        ...

    async def end_boards(self, board_ids: Sequence[str], silence: Silence) -> int:
        """Close the rows of boards that nothing was heard of; repeating it changes nothing."""
        ...

    async def list_active_presence(
        self, board_ids: Sequence[str] | None = None
    ) -> list[OpenSession]:
        """List the open sessions of some boards, or of all boards."""
        ...

    async def history(self, board_id: str, since_ms: int | None, limit: int) -> list[HistoryEntry]:
        """List sessions of a board, newest first."""
        ...

    async def delete_closed_before(self, before_ms: int, limit: int) -> int:
        """Delete the sessions closed first, and return how many were deleted."""
        ...

    async def delete_profiles_before(self, before_ms: int, limit: int) -> int:
        """Delete profiles of users without a session, and return how many were deleted."""
        ...

    async def queue_marks(self, age_ms: int, limit: int) -> list[QueueMark]:
        """List the times of queues that are at most so much older than the newest, newest first."""
        ...

    async def delete_queue_marks(self, age_ms: int, limit: int) -> int:
        """Delete older times of queues, and return how many were deleted."""
        ...

    async def clock(self) -> StoredClock | None:
        """Return the clocks at the last write; None if there was none."""
        ...

    async def newest_ms(self) -> int | None:
        """Return the newest time in the store; None if it has no session."""
        ...

    async def get_or_create_key(self, name: str, fresh: bytes, now_ms: int) -> bytes:
        """Return the key stored under a name; if there is none, store ``fresh``."""
        ...

    async def keep_key(self, name: str, value: bytes, now_ms: int) -> bool:
        """Store a key unless the store has it; returns whether it has."""
        ...


class Timing(Struct, frozen=True):
    """How the service paces itself. Durations in seconds."""

    flush_interval_s: float = 0.5
    """Changes gather for this time, and are then written in one transaction."""
    gather_s: float = 0.002
    """Joins that arrive within this time share a commit, on an idle server too."""
    max_batch: int = 2000
    """Sessions in one transaction, at most."""
    store_deadline_s: float = 8.0
    """Longer than the store allows itself: it ends a call that does not come back at all."""
    read_deadline_s: float = 8.0
    probe_interval_s: float = 5.0
    """How often an idle store is asked whether it answers."""
    retry_first_s: float = 0.1
    retry_longest_s: float = 1.0
    rewrite_again_s: float = 20.0
    """Live sessions whose rows are gone are all written again, at most once in this time."""
    cache_interval_s: float = 0.2
    """A board's list is written at most once in this time."""
    cache_probe_s: float = 1.0
    """How often the cache is asked whether it still holds what was written."""
    cache_deadline_s: float = 3.0
    cache_read_deadline_s: float = 1.0
    retention_interval_s: float = 3600.0
    retention_batch: int = 500
    retention_pause_s: float = 0.2
    """Between two batches, so that other writes get their turn."""


class Counters:
    """Counters for the metrics; the numbers only grow."""

    def __init__(self) -> None:
        self.flushes = 0
        """Transactions with at least one row, committed."""
        self.rows = 0
        """Sessions written; a session counts once for each of its flushes."""
        self.joins_committed = 0
        self.store_failures = 0
        self.rows_dropped = 0
        """Sessions whose values the store refuses."""
        self.cache_writes = 0
        self.cache_failures = 0
        self.sessions_deleted = 0
        """Sessions deleted by the retention."""
        self.profiles_deleted = 0
        """Profiles deleted by the retention."""
