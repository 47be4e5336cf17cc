"""Applies the events about a board's Yjs document."""

from __future__ import annotations

from typing import assert_never

from . import changing, confirming, saying, watching
from .document_events import (
    AnswerFailed,
    AnswerPostponed,
    AwarenessAsked,
    AwarenessSaid,
    ClientDocumentEvent,
    DocumentAnswered,
    DocumentAsked,
    DocumentChanged,
    DocumentDeleted,
    DocumentEvent,
    DocumentLoaded,
    DocumentMerged,
    DocumentSized,
    DocumentStored,
    RoleChanged,
    UpdateSetAside,
)
from .state import BoardState


def handle(  # noqa: C901 - an arm an event
    state: BoardState, event: ClientDocumentEvent | DocumentEvent, now: float
) -> None:
    """Apply one event; the effects are in ``state.out``."""
    match event:
        case DocumentChanged():
            changing.change(state, event, now)
        case AwarenessSaid():
            saying.say(state, event, now)
        case DocumentAsked():
            watching.ask(state, event, now)
        case AwarenessAsked():
            saying.tell_everybody(state, event, now)
        case RoleChanged():
            changing.change_role(state, event, now)
        case DocumentStored():
            confirming.stored(state, event)
        case DocumentMerged():
            changing.merged(state, event, now)
        case DocumentAnswered():
            watching.answered(state, event, now)
        case AnswerFailed():
            watching.answer_failed(state, event, now)
        case AnswerPostponed():
            watching.answer_postponed(state, event, now)
        case DocumentLoaded():
            watching.loaded(state, event, now)
        case DocumentSized():
            changing.sized(state, event)
        case UpdateSetAside():
            changing.set_aside(state, event, now)
        case DocumentDeleted():
            changing.delete(state, now)
        case _:  # pragma: no cover
            assert_never(event)
