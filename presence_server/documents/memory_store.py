"""Keeps documents in memory while their boards live: ``database.documents = false``."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from typing_extensions import override

from ..storage.documents import StoredDocument, StoredRow
from .ports import DocumentStore


class MemoryDocuments(DocumentStore):
    """A store without a database. A change is as durable as it will ever be once it is here.

    Args:
        call_soon: calls a function later, from another task.
    """

    def __init__(self, call_soon: Callable[[Callable[[], None]], None]) -> None:
        self._call_soon = call_soon
        self._documents: dict[str, StoredDocument] = {}
        self._on_stored: Callable[[str, int], None] = lambda _board_id, _seq: None

    def forget(self, board_id: str) -> None:
        """Forget a document: nobody uses it any more."""
        self._documents.pop(board_id, None)

    @override
    def on_stored(self, callback: Callable[[str, int], None]) -> None:
        self._on_stored = callback

    @override
    def change(self, board_id: str, seq: int, update: bytes) -> None:
        found = self._documents.get(board_id, StoredDocument())
        found.rows.append(StoredRow(seq, [update]))
        self._documents[board_id] = replace(found, seq=seq)
        self._call_soon(lambda: self._on_stored(board_id, seq))

    @override
    def snapshot(self, board_id: str, seq: int, update: bytes) -> None:
        found = self._documents.get(board_id, StoredDocument())
        rows = [row for row in found.rows if row.seq > seq]
        self._documents[board_id] = StoredDocument(max(found.seq, seq), update, rows)

    @override
    def opened(self, board_id: str) -> None:
        pass

    @override
    def delete(self, board_id: str) -> None:
        self.forget(board_id)
        self._call_soon(lambda: self._on_stored(board_id, -1))

    @override
    async def load(self, board_id: str) -> StoredDocument:
        found = self._documents.get(board_id, StoredDocument())
        # The rows go on to grow.
        return replace(found, rows=list(found.rows))

    @override
    async def exists(self, board_id: str) -> bool:
        return board_id in self._documents

    @override
    async def total_bytes(self) -> int:
        return 0

    @override
    async def unused_since(self, before_ms: int, limit: int, after: str = "") -> list[str]:
        return []
