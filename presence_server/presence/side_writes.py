"""The writes beside those of sessions, in the same transactions: times of queues, and documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ..storage.write_batch import DocumentBatch, QueueMark, WriteBatch
from .pending_documents import PendingDocuments
from .pending_marks import PendingMarks


class SideWrites:
    """Hands out everything that waits beside sessions, and takes back what failed.

    Args:
        now_ms: the wall clock, in milliseconds since the epoch.

    Attributes:
        marks: the times of queues that wait.
        documents: the parts of documents that wait.
        on_stored: called after a commit with a board, and the number of the last change of its
            document that is durable.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.marks = PendingMarks()
        self.documents = PendingDocuments()
        self.on_stored: Callable[[str, int], None] = lambda _board_id, _seq: None
        self._now_ms = now_ms
        self._marks_in_flight: Sequence[QueueMark] = ()

    def __len__(self) -> int:
        return len(self.marks) + len(self.documents)

    @property
    def changes(self) -> int:
        """The number of writes that wait and are not under way."""
        return len(self.marks) + self.documents.changes

    @property
    def has_more(self) -> bool:
        """Whether the last :meth:`take` left something that had no room."""
        return self.documents.has_more

    def take(self, document_bytes: int) -> WriteBatch:
        """Take what waits; it is in flight until :meth:`written` or :meth:`failed`.

        Args:
            document_bytes: the size of the documents' part at most, unless one is larger.
        """
        self._marks_in_flight = self.marks.take()
        documents = self.documents.take(document_bytes, self._now_ms())
        return WriteBatch(marks=self._marks_in_flight, documents=documents)

    def pieces(self) -> Iterator[tuple[str | None, WriteBatch]]:
        """Divide the writes under way into pieces that the store may refuse one by one.

        Yields:
            The board whose document it is, or None for times of queues; and the piece.
        """
        if self._marks_in_flight:
            yield None, WriteBatch(marks=self._marks_in_flight)
        for board_id, batch in self.documents.each_in_flight():
            yield board_id, WriteBatch(documents=batch)

    def written(self) -> list[Callable[[], None]]:
        """Note that everything in flight is in the store; returns whom to tell of it."""
        self._marks_in_flight = ()
        stored = self.documents.written()
        return [partial(self.on_stored, board_id, seq) for board_id, seq in stored.items()]

    def failed(self) -> None:
        """Note that what is in flight is not in the store, and keep it for the next try."""
        self.marks.keep(self._marks_in_flight)
        self._marks_in_flight = ()
        self.documents.failed()


NOTHING = WriteBatch()
"""A batch of nothing, to be compared with."""


def is_empty(batch: WriteBatch) -> bool:
    """Whether a batch of :class:`SideWrites` holds nothing."""
    return not batch.marks and batch.documents == DocumentBatch([], [], [], [])
