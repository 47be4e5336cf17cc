"""Ties one room to the service of documents, if and when somebody speaks Yjs."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from ..core.document_effects import AnswerVector, LoadDocument, Merge, MergeAndTell, ToService
from ..core.document_events import AnswerPostponed, DocumentEvent
from .ports import Documents


class DocumentLink:
    """The document of one board, as the room asks for it.

    Args:
        board_id: the board.
        documents: the service; None if nobody may speak Yjs.
        tell: gets the events of the service.
    """

    __slots__ = ("_board_id", "_documents", "_is_open", "_tell")

    def __init__(
        self,
        board_id: str,
        documents: Documents | None,
        tell: Callable[[DocumentEvent], None],
    ) -> None:
        self._board_id = board_id
        self._documents = documents
        self._tell = tell
        self._is_open = False

    def merge(self, number: int, update: bytes) -> None:
        """Merge and keep a change that is relayed.

        Args:
            number: of the change.
            update: the change.
        """
        assert self._documents is not None
        self._documents.merge(self._board_id, number, update)

    def carry_out(self, effect: ToService) -> None:
        """Carry out one effect.

        Args:
            effect: what the room asks for.
        """
        documents, board_id = self._documents, self._board_id
        assert documents is not None
        match effect:
            case Merge():
                documents.merge(board_id, effect.number, effect.update)
            case MergeAndTell():
                documents.merge_and_tell(board_id, effect.number, effect.update)
            case AnswerVector():
                documents.answer(board_id, effect.connection, effect.vector)
            case LoadDocument():
                self._is_open = True
                documents.open(board_id, self._tell)
            case _:
                assert_never(effect)

    def postpone(self, effect: AnswerVector) -> None:
        """Do not ask the service for an answer yet: the client has not taken its last one.

        Args:
            effect: what the room asks for.
        """
        self._tell(AnswerPostponed(effect.connection, effect.vector))

    def close(self) -> None:
        """The room ended. Its link no longer refers to it: together they would be a cycle."""
        self._tell = _ignore
        if self._is_open and self._documents is not None:
            self._is_open = False
            self._documents.close(self._board_id)


def _ignore(event: DocumentEvent) -> None:
    """No room hears of this event."""
