"""The parts of Yjs documents that the store does not have yet.

This is pure bookkeeping. The changes of a board between two flushes become one row. A snapshot
takes the place of all changes up to its number, so that a long outage needs little memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from ..storage.documents import StoredDocument, StoredRow, join_updates, split_updates
from ..storage.write_batch import DocumentBatch, DocumentOpened, DocumentRow
from .readers import Readers

MAX_BATCH_BYTES = 8_388_608
"""Bytes of documents that one transaction writes at most, unless a single value is larger."""

_MAX_ROW_BYTES = 1_048_576
"""The size at which a row is full; one change may be larger."""


class DocumentWrites:
    """The writes that wait for one document, in the order in which they are applied.

    Attributes:
        is_deleted: whether what is stored is deleted first.
        rows: rows that a failed transaction had.
        changes: the changes after these rows, with their numbers.
        size: the bytes of the changes.
        snapshot: replaces everything up to its number.
        opened_at_ms: when the document was opened, in milliseconds since the epoch.
    """

    __slots__ = ("board_id", "changes", "is_deleted", "opened_at_ms", "rows", "size", "snapshot")

    def __init__(self, board_id: str) -> None:
        self.board_id = board_id
        self.is_deleted = False
        self.rows: list[DocumentRow] = []
        self.changes: list[tuple[int, bytes]] = []
        self.size = 0
        self.snapshot: DocumentRow | None = None
        self.opened_at_ms: int | None = None

    @property
    def data_bytes(self) -> int:
        """The size of all the data that is here."""
        rows = self.rows if self.snapshot is None else [*self.rows, self.snapshot]
        return self.size + sum(len(row.data) for row in rows)

    @property
    def seq(self) -> int:
        """The number of the last change that is here; 0 if there is none."""
        numbers = [row.seq for row in self.rows] + [seq for seq, _ in self.changes[-1:]]
        if self.snapshot is not None:
            numbers.append(self.snapshot.seq)
        return max(numbers, default=0)

    def cut(self, at_ms: int) -> None:
        """Make rows of the changes."""
        while self.changes:
            size = count = 0
            for _, change in self.changes:
                count += 1
                size += len(change)
                if size >= _MAX_ROW_BYTES:
                    break
            row, self.changes = self.changes[:count], self.changes[count:]
            data = join_updates(change for _, change in row)
            self.rows.append(DocumentRow(self.board_id, row[-1][0], data, at_ms))
        self.size = 0

    def compact(self, snapshot: DocumentRow) -> None:
        """Note a snapshot, and forget what it holds."""
        self.snapshot = snapshot
        self.rows = [row for row in self.rows if row.seq > snapshot.seq]
        self.changes = [change for change in self.changes if change[0] > snapshot.seq]
        self.size = sum(len(change) for _, change in self.changes)

    def older(self, earlier: DocumentWrites) -> None:
        """Take over what could not be written before this."""
        if self.is_deleted:
            return
        self.is_deleted = earlier.is_deleted
        self.rows = earlier.rows + self.rows
        if self.opened_at_ms is None:
            self.opened_at_ms = earlier.opened_at_ms
        newest = self.snapshot or earlier.snapshot
        if newest is not None:
            self.compact(newest)

    def overlay(self, stored: StoredDocument) -> StoredDocument:
        """Return the document as it will be in the store after these writes."""
        if self.is_deleted:
            stored = StoredDocument()
        snapshot, rows = stored.snapshot, list(stored.rows)
        if self.snapshot is not None:
            snapshot = self.snapshot.data
            rows = [row for row in rows if row.seq > self.snapshot.seq]
        rows += [StoredRow(row.seq, split_updates(row.data)) for row in self.rows]
        if self.changes:
            rows.append(StoredRow(self.changes[-1][0], [change for _, change in self.changes]))
        return StoredDocument(max(stored.seq, self.seq), snapshot, rows, stored.is_whole)


class PendingDocuments:
    """Accepts parts of documents at any time, hands them out in batches, and takes back failures.

    A snapshot must hold every change of its board up to its number, and be noted after them. Its
    number is not lower than that of an earlier snapshot.
    """

    def __init__(self) -> None:
        self.has_more = False
        """Whether the last :meth:`take` left something that had no room."""
        self._waiting: dict[str, DocumentWrites] = {}
        self._in_flight: dict[str, DocumentWrites] = {}
        self._readers = Readers[DocumentWrites]()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._in_flight)

    @property
    def changes(self) -> int:
        """Documents that have something to write, and are not being written."""
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """The size of everything that is not in the store yet."""
        return sum(
            writes.data_bytes
            for entries in (self._waiting, self._in_flight)
            for writes in entries.values()
        )

    def change(self, board_id: str, seq: int, update: bytes) -> None:
        """Note a change; ``seq`` is larger than all numbers of the board so far."""
        writes = self._of(board_id)
        writes.changes.append((seq, update))
        writes.size += len(update)

    def snapshot(self, row: DocumentRow) -> None:
        """Note a snapshot."""
        self._of(row.board_id).compact(row)

    def opened(self, board_id: str, at_ms: int) -> None:
        """Note that a document was opened, in milliseconds since the epoch."""
        self._of(board_id).opened_at_ms = at_ms

    def delete(self, board_id: str) -> None:
        """Delete a document, and forget what waits for it. Changes may follow."""
        writes = self._waiting[board_id] = DocumentWrites(board_id)
        writes.is_deleted = True

    def take(self, limit: int, at_ms: int) -> DocumentBatch:
        """Take the oldest entries; they are in flight until :meth:`written` or :meth:`failed`.

        Args:
            limit: the number of bytes at most, unless the first entry is larger.
            at_ms: the time for new rows, in milliseconds since the epoch.
        """
        size = 0
        self.has_more = False
        for board_id, writes in list(self._waiting.items()):
            size += writes.data_bytes
            if self._in_flight and size > limit:
                self.has_more = True
                break
            del self._waiting[board_id]
            writes.cut(at_ms)
            self._in_flight[board_id] = writes
        return _to_batch(list(self._in_flight.values()))

    def each_in_flight(self) -> Iterator[tuple[str, DocumentBatch]]:
        """Each board whose document is in flight, and its part of the batch."""
        for board_id, writes in list(self._in_flight.items()):
            yield board_id, _to_batch([writes])

    def written(self) -> dict[str, int]:
        """Note that the batch in flight is in the store.

        Returns:
            By board, the number of the last change that is now durable; -1 for a document that
            was deleted without any.
        """
        self._readers.written(self._in_flight.values())
        stored = {
            board_id: writes.seq or (-1 if writes.is_deleted else 0)
            for board_id, writes in self._in_flight.items()
        }
        self._in_flight = {}
        return {board_id: seq for board_id, seq in stored.items() if seq}

    def failed(self) -> None:
        """Note that the batch in flight is not in the store, and keep it for the next try."""
        waiting = self._waiting
        # In front, since they are the oldest.
        self._waiting = self._in_flight
        self._in_flight = {}
        for board_id, newer in waiting.items():
            earlier = self._waiting.get(board_id)
            if earlier is not None:
                newer.older(earlier)
            self._waiting[board_id] = newer

    def give_up(self, board_id: str) -> None:
        """Forget what is in flight for a board: the store refuses these values."""
        self._in_flight.pop(board_id, None)

    def reading(self) -> AbstractContextManager[list[DocumentWrites]]:
        """Gather, for :meth:`overlay`, what is written while the body reads the store."""
        return self._readers.reading()

    def overlay(
        self, board_id: str, stored: StoredDocument, seen: list[DocumentWrites]
    ) -> StoredDocument:
        """Return the document as it will be in the store after everything is written.

        Args:
            board_id: the board.
            stored: the document that was read from the store.
            seen: what was written during the read, and may be in ``stored`` or not.
        """
        for writes in (*seen, self._in_flight.get(board_id), self._waiting.get(board_id)):
            if writes is not None and writes.board_id == board_id:
                stored = writes.overlay(stored)
        return stored

    def _of(self, board_id: str) -> DocumentWrites:
        writes = self._waiting.get(board_id)
        if writes is None:
            writes = self._waiting[board_id] = DocumentWrites(board_id)
        return writes


def _to_batch(entries: list[DocumentWrites]) -> DocumentBatch:
    """Make the documents' part of a transaction."""
    return DocumentBatch(
        deleted=[writes.board_id for writes in entries if writes.is_deleted],
        updates=[row for writes in entries for row in writes.rows],
        snapshots=[writes.snapshot for writes in entries if writes.snapshot is not None],
        opened=[
            DocumentOpened(writes.board_id, writes.opened_at_ms)
            for writes in entries
            if writes.opened_at_ms is not None
        ],
    )
