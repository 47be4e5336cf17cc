"""The store of documents, as the service of documents uses it."""

from __future__ import annotations

from collections.abc import Callable

from ..storage.documents import StoredDocument
from ..storage.write_batch import DocumentRow
from .ports import DocumentReader
from .side_writes import SideWrites
from .store_call import StoreCall


class DocumentStore:
    """Keeps documents in the store, by the writer of the sessions.

    The plain methods only note what to write, as those of ``PresenceService`` do. The others raise
    ``StorageError`` if the store cannot be read.

    Args:
        side: gathers what is to be written.
        changed: called after each write that was noted.
        reader: reads documents.
        read: how the reader is called.
        now_ms: the wall clock, in milliseconds since the epoch.
    """

    def __init__(
        self,
        side: SideWrites,
        changed: Callable[[], None],
        reader: DocumentReader,
        read: StoreCall,
        now_ms: Callable[[], int],
    ) -> None:
        self._side = side
        self._pending = side.documents
        self._changed = changed
        self._reader = reader
        self._read = read
        self._now_ms = now_ms

    def on_stored(self, callback: Callable[[str, int], None]) -> None:
        """Have a function called after each commit, from another task.

        Args:
            callback: gets a board, and the number of the last change of its document that is
                durable; -1 if the document was deleted and has no change since.
        """
        self._side.on_stored = callback

    @property
    def waiting_bytes(self) -> int:
        """The size of everything that is not in the store yet."""
        return self._pending.waiting_bytes

    def change(self, board_id: str, seq: int, update: bytes) -> None:
        """Store a change with the next flush.

        Args:
            board_id: the board.
            seq: larger than all earlier numbers of the board, stored ones included.
            update: the change.
        """
        self._pending.change(board_id, seq, update)
        self._changed()

    def snapshot(self, board_id: str, seq: int, update: bytes) -> None:
        """Store the whole document with the next flush, in place of its changes.

        Args:
            board_id: the board.
            seq: the number of the last change that ``update`` holds.
            update: the document.
        """
        self._pending.snapshot(DocumentRow(board_id, seq, update, self._now_ms()))
        self._changed()

    def opened(self, board_id: str) -> None:
        """Store when the document was opened, if there is one, with the next flush."""
        self._pending.opened(board_id, self._now_ms())
        self._changed()

    def delete(self, board_id: str) -> None:
        """Delete a document with the next flush, and forget what waits to be stored of it."""
        self._pending.delete(board_id)
        self._changed()

    async def load(self, board_id: str) -> StoredDocument:
        """Read a document, as if every waiting write were done."""
        with self._pending.reading() as seen:
            stored = await self._read(self._reader.load, board_id)
            return self._pending.overlay(board_id, stored, seen)

    async def exists(self, board_id: str) -> bool:
        """Whether a document is in the store."""
        return await self._read(self._reader.exists, board_id)

    async def total_bytes(self) -> int:
        """The size of all documents in the store."""
        return await self._read(self._reader.total_bytes)

    async def unused_since(self, before_ms: int, limit: int, after: str = "") -> list[str]:
        """List boards whose stored document was neither opened nor changed since a time.

        Args:
            before_ms: milliseconds since the epoch.
            limit: the number of boards at most.
            after: only boards whose ids come after this one in the order of the list.
        """
        return await self._read(self._reader.unused_since, before_ms, limit, after)
