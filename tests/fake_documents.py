"""A service of documents in memory, without Yrs: it keeps the updates as they come."""

from __future__ import annotations

from collections.abc import Callable

import trio

from presence_server.core.document_events import (
    DocumentAnswer,
    DocumentAnswered,
    DocumentEvent,
    DocumentLoaded,
    DocumentMerged,
    DocumentStored,
    MergeOutcome,
)
from presence_server.core.yjs.update import EMPTY_UPDATE, check
from presence_server.core.yjs.varint import DamagedBytes
from presence_server.core.yjs.vector import StateVector


class _Kept:
    """One document."""

    def __init__(self) -> None:
        self.updates: list[bytes] = []
        self.vector = StateVector()
        self.tell: Callable[[DocumentEvent], None]


class FakeDocuments:
    """Keeps documents for as long as it lives, also of boards that are closed."""

    def __init__(self) -> None:
        self.kept: dict[str, _Kept] = {}
        self.open_boards: set[str] = set()

    def open(self, board_id: str, tell: Callable[[DocumentEvent], None]) -> None:
        self.open_boards.add(board_id)
        kept = self.kept.setdefault(board_id, _Kept())
        kept.tell = tell
        size = sum(map(len, kept.updates))
        self._tell(board_id, DocumentLoaded(kept.vector.encode(), size))

    def merge(self, board_id: str, number: int, update: bytes) -> None:
        assert self._merge(board_id, update) is MergeOutcome.MERGED
        self._tell(board_id, DocumentStored(number))

    def merge_and_tell(self, board_id: str, number: int, update: bytes) -> None:
        kept = self.kept[board_id]
        is_known = update in kept.updates
        outcome = self._merge(board_id, update)
        news = None if is_known or outcome is not MergeOutcome.MERGED else update
        size = sum(map(len, kept.updates))
        event = DocumentMerged(number, outcome, news, kept.vector.encode(), size)
        self._tell(board_id, event)
        self._tell(board_id, DocumentStored(number))

    def answer(self, board_id: str, connection: int, vector: bytes) -> None:
        parts = tuple(self.kept[board_id].updates) or (EMPTY_UPDATE,)
        self._tell(board_id, DocumentAnswered(connection, DocumentAnswer(parts)))

    def close(self, board_id: str) -> None:
        self.open_boards.remove(board_id)

    def _merge(self, board_id: str, update: bytes) -> MergeOutcome:
        kept = self.kept[board_id]
        try:
            shape = check(update)
        except DamagedBytes:
            return MergeOutcome.DAMAGED
        if not kept.vector.fits(shape):
            return MergeOutcome.GAP
        kept.vector.add(shape)
        kept.updates.append(update)
        return MergeOutcome.MERGED

    def _tell(self, board_id: str, event: DocumentEvent) -> None:
        tell = self.kept[board_id].tell
        trio.lowlevel.current_trio_token().run_sync_soon(tell, event)
