"""Which changes of one document are durable, and when it is worth compacting them."""

from __future__ import annotations

from collections import deque

import trio

from ..core.document_events import DocumentStored
from .jobs import Opening, UpdateJob
from .ports import DocumentLimits, DocumentStore


class Durability:
    """Gives changes to the store, and tells the room what is durable.

    Changes are noted in the order of their numbers, whatever the helper is doing.

    Args:
        board_id: the board.
        store: keeps the changes.
        limits: when to compact.
        floor: numbers begin after this one.

    Attributes:
        seq: the last number that was decided: its change is noted, or it changed nothing.
        has_data: whether anything is stored or noted.
    """

    def __init__(
        self, board_id: str, store: DocumentStore, limits: DocumentLimits, floor: int = 0
    ) -> None:
        self.seq = floor
        self.has_data = False
        self._board_id = board_id
        self._store = store
        self._limits = limits
        self._waiting: deque[tuple[int, float]] = deque()
        """The changes that are not durable: the number, and when each was noted."""
        self._told = floor
        self._rows = 0
        self._bytes = 0
        self._is_stopped = False

    def stop(self) -> None:
        """Keep nothing any more: the document is deleted."""
        self._is_stopped = True

    def begin(self, seq: int, rows: int, size: int, *, has_data: bool) -> None:
        """Take over what the store has: its last number, and the rows to be compacted.

        Args:
            seq: the last number.
            rows: how many rows there are beside the snapshot.
            size: their bytes.
            has_data: whether there is anything, the snapshot included.
        """
        self.seq = max(self.seq, seq)
        self._told = max(self._told, seq)
        self._rows, self._bytes = rows, size
        self.has_data = self.has_data or has_data

    def note(self, job: UpdateJob, change: bytes | None) -> None:
        """Decide about one update: keep what it changed, if anything."""
        job.is_noted = True
        self.seq = max(self.seq, job.seq)
        if change is None or self._is_stopped:
            return
        self._waiting.append((job.seq, trio.current_time()))
        self._bytes += len(change)
        self.has_data = True
        self._store.change(self._board_id, job.seq, change)

    def stored(self, seq: int) -> float | None:
        """Note that the changes up to a number are durable.

        Args:
            seq: the number.

        Returns:
            How many seconds the first of them had waited; None if none did.
        """
        self._rows += 1
        since = None
        while self._waiting and self._waiting[0][0] <= seq:
            noted_at = self._waiting.popleft()[1]
            since = noted_at if since is None else since
        return None if since is None else trio.current_time() - since

    def tell(self, opening: Opening | None) -> None:
        """Tell the room of everything that became durable."""
        durable = self._waiting[0][0] - 1 if self._waiting else self.seq
        if durable <= self._told:
            return
        self._told = durable
        if opening is not None and opening.base is not None and durable > opening.base:
            opening.tell(DocumentStored(durable - opening.base))

    @property
    def wants_compaction(self) -> bool:
        """Whether enough has gathered."""
        limits = self._limits
        return self._rows >= limits.compact_rows or self._bytes >= limits.compact_bytes

    @property
    def has_rows(self) -> bool:
        """Whether there is anything that a snapshot would replace."""
        return self._rows > 0 or self._bytes > 0

    def compacted(self, seq: int, update: bytes) -> None:
        """Keep a snapshot: the document up to a number."""
        if not self._is_stopped:
            self._store.snapshot(self._board_id, seq, update)
        self._rows = self._bytes = 0

    def compact_soon(self) -> None:
        """Compact with the next chance: what is stored holds an update that was set aside."""
        self._rows = max(self._rows, self._limits.compact_rows)

    def compacting_failed(self) -> None:
        """Try again only after as much has gathered once more."""
        self._rows = self._bytes = 0
