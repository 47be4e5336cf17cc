"""The store as the service of documents needs it, and the bounds of the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from ..storage.documents import StoredDocument


class DocumentStore(Protocol):
    """Keeps documents; ``presence.document_store.DocumentStore`` is one.

    The plain methods neither wait nor raise. The others raise ``StorageError`` if the store
    cannot be read.
    """

    def on_stored(self, callback: Callable[[str, int], None]) -> None:
        """Have a function called with a board, and the last number of it that is durable.

        It is never called inside another call. The number is -1 after a deletion.
        """
        ...

    def change(self, board_id: str, seq: int, update: bytes) -> None:
        """Keep a change; its number is larger than all earlier ones of the board."""
        ...

    def snapshot(self, board_id: str, seq: int, update: bytes) -> None:
        """Keep the whole document, in place of all changes up to ``seq``."""
        ...

    def opened(self, board_id: str) -> None:
        """Keep when the document was opened."""
        ...

    def delete(self, board_id: str) -> None:
        """Delete the document, and what waits to be stored of it."""
        ...

    async def load(self, board_id: str) -> StoredDocument:
        """Read a document as if everything that waits were stored."""
        ...

    async def exists(self, board_id: str) -> bool:
        """Whether a document is stored."""
        ...

    async def total_bytes(self) -> int:
        """The size of all stored documents."""
        ...

    async def unused_since(self, before_ms: int, limit: int, after: str = "") -> list[str]:
        """List boards whose document was neither opened nor changed since a time.

        Args:
            before_ms: milliseconds since the epoch.
            limit: the number of boards at most.
            after: only boards whose ids come after this one in the order of the list.
        """
        ...


class DocumentLimits(Struct, frozen=True):
    """The bounds of the service.

    Attributes:
        max_total_bytes: with this much stored, no new document is stored.
        retention_ms: documents that nobody opened for so long are deleted; 0 keeps them.
        compact_rows: so many rows of a document are replaced by a snapshot,
        compact_bytes: and so are rows of so many bytes.
        gather_s: changes that were relayed already wait so long for others, in seconds, before
            the helper gets them.
        gather_bytes: so many do not wait.
        queue_bytes: what may wait for one document; beyond it updates are asked for again later.
        retry_first_s: the first pause before a store that cannot be read is asked again,
        retry_longest_s: and the longest.
        measure_s: how often the size of all documents is measured.
    """

    max_total_bytes: int = 10 * 2**30
    retention_ms: int = 0
    compact_rows: int = 200
    compact_bytes: int = 2**20
    gather_s: float = 0.25
    gather_bytes: int = 65_536
    queue_bytes: int = 64 * 2**20
    retry_first_s: float = 0.1
    retry_longest_s: float = 1.0
    measure_s: float = 600.0
