"""The watchers of a document: connections that get its changes, and what each of them lacks.

A watcher is added before its answer is asked for. A change that comes meanwhile may reach it
twice; Yjs ignores a change that it has.
"""

from __future__ import annotations

from . import companions, confirming
from .document import ASK_INTERVAL_S, Document, DocumentPhase, Watcher
from .document_effects import (
    AnswerVector,
    LoadDocument,
    SendAnswer,
    SendBinary,
    Watch,
)
from .document_events import (
    AnswerFailed,
    AnswerPostponed,
    AwarenessAsked,
    AwarenessSaid,
    DocumentAnswered,
    DocumentAsked,
    DocumentChanged,
    DocumentLoaded,
)
from .relaying import relay
from .roster import Phase, Session
from .state import Alarm, BoardState
from .yjs import wire
from .yjs.vector import StateVector

LIFELINE_S = 10.0
"""If watchers hear nothing for so long they are sent a sign of life. The libraries of clients
hang up after 30 seconds without a message, and do not see pings."""
ANSWER_AGAIN_S = 10.0
"""After this time an answer is asked for again that ended the helper process twice."""
_RENEW_TURNS = 2
"""The server's awareness states are said again in each second turn, since clients forget a state
that is 30 seconds old."""


def document_of(state: BoardState) -> Document:
    """The document of a board; it is loaded with the first connection that speaks Yjs."""
    if state.document is None:
        state.document = Document(state.limits.cursor_interval_ms)
    if state.document.phase is DocumentPhase.ABSENT:
        state.document.phase = DocumentPhase.LOADING
        state.out.append(LoadDocument())
    return state.document


def watcher_of(state: BoardState, session: Session, now: float) -> Watcher:
    """The watcher of a session's connection; it becomes one once the session has joined."""
    assert session.connection is not None
    document = document_of(state)
    watcher = document.watchers.get(session.connection)
    if watcher is None:
        if not document.watchers:
            state.timers.arm((Alarm.LIFELINE, ""), now + LIFELINE_S)
        watcher = Watcher(session.connection, session.session_id, confirms=session.confirms)
        document.watchers[session.connection] = watcher
        if session.phase is Phase.JOINED or (session.phase is Phase.QUEUED and session.watches):
            begin(state, watcher, now)
    return watcher


def begin_to_wait(state: BoardState, session: Session, now: float) -> None:
    """A session that waits may watch from now on: if it speaks Yjs, it sees the document."""
    document = state.document
    watcher = None
    if document is not None and session.connection is not None:
        watcher = document.watchers.get(session.connection)
    if watcher is not None and not watcher.is_watching:
        begin(state, watcher, now)
        answer(state, watcher, now)


def heard(
    state: BoardState,
    event: DocumentChanged | DocumentAsked | AwarenessSaid | AwarenessAsked,
    now: float,
) -> tuple[Session, Watcher, Document] | None:
    """Note a sign of life of a client that speaks Yjs; None if it has no session any more."""
    session = state.attached(event.connection, event.session_id)
    if session is None:
        return None
    session.last_seen = now
    watcher = watcher_of(state, session, now)
    return session, watcher, document_of(state)


def begin(state: BoardState, watcher: Watcher, now: float) -> None:
    """Send a watcher what is relayed from now on."""
    watcher.is_watching = True
    assert state.document is not None
    # It may send back the answer to its first message, too.
    watcher.echoes = state.document.awareness.messages_sent - 1
    state.out.append(Watch(watcher.connection))
    state.note_people(now)


def ask(state: BoardState, event: DocumentAsked, now: float) -> None:
    """A client sent its state vector: it gets what it lacks, as soon as that is known."""
    found = heard(state, event, now)
    if found is None:
        return
    _, watcher, _ = found
    watcher.wanted = event.vector
    watcher.must_confirm = watcher.confirms
    if watcher.is_watching:
        answer(state, watcher, now)


def answer(state: BoardState, watcher: Watcher, now: float) -> None:
    """Answer a watcher as far as the server can: who is there is known before the document is."""
    document = state.document
    assert document is not None
    if document.phase is DocumentPhase.LOADING and watcher.wanted is not None:
        show_everybody_if_due(state, document, watcher, now)
    answer_if_due(state, watcher, now)


def show_everybody_if_due(
    state: BoardState, document: Document, watcher: Watcher, now: float
) -> None:
    """Send a watcher the states of everybody, now or as soon as it may get them again.

    A question for them is one byte, and the answer may have a megabyte.
    """
    due = watcher.shown_at + ASK_INTERVAL_S
    watcher.must_show = now < due
    if watcher.must_show:
        state.timers.arm((Alarm.DOCUMENT, ""), due)
    else:
        show_everybody(state, document, watcher, now)


def show_everybody(state: BoardState, document: Document, watcher: Watcher, now: float) -> None:
    """Send a watcher the states of everybody."""
    watcher.shown_at, watcher.must_show = now, False
    message = wire.awareness(document.awareness.everybody())
    state.out.append(SendBinary(watcher.connection, message))


def answer_if_due(state: BoardState, watcher: Watcher, now: float) -> None:
    """Have a watcher's answer computed, if it waits for one and may have it now."""
    document = state.document
    assert document is not None
    if watcher.wanted is None or watcher.is_answering or document.phase is not DocumentPhase.LIVE:
        return
    if not watcher.is_watching:
        return
    due = watcher.answered_at + ASK_INTERVAL_S
    if now < due:
        state.timers.arm((Alarm.DOCUMENT, ""), due)
        return
    if watcher.must_confirm:
        watcher.has_news = not document.vector.includes(StateVector.read(watcher.wanted))
    state.out.append(AnswerVector(watcher.connection, watcher.wanted))
    watcher.wanted = None
    watcher.is_answering = True


def answered(state: BoardState, event: DocumentAnswered, now: float) -> None:
    """Send a watcher what it lacks, ask it for what the server lacks, and show it the others."""
    document = state.document
    watcher = None if document is None else document.watchers.get(event.connection)
    if document is None or watcher is None:
        return
    watcher.is_answering = False
    watcher.answered_at = now
    state.out.append(SendAnswer(event.connection, event.answer))
    session = state.sessions[watcher.session_id]
    if session.may_edit and session.phase is Phase.JOINED:
        ask_back(state, document, watcher, now)
    elif not session.may_edit:
        confirming.confirm_reader(state, watcher)
    show_everybody(state, document, watcher, now)
    answer_if_due(state, watcher, now)


def answer_failed(state: BoardState, event: AnswerFailed, now: float) -> None:
    """A watcher has no answer: have it computed again after a while."""
    _answer_later(state, event, now + ANSWER_AGAIN_S, now)


def answer_postponed(state: BoardState, event: AnswerPostponed, now: float) -> None:
    """A watcher has not taken its last answer yet: look again soon."""
    _answer_later(state, event, now, now)


def _answer_later(
    state: BoardState, event: AnswerFailed | AnswerPostponed, answered_at: float, now: float
) -> None:
    document = state.document
    watcher = None if document is None else document.watchers.get(event.connection)
    if watcher is None:
        return
    watcher.is_answering = False
    watcher.answered_at = answered_at
    if watcher.wanted is None:
        watcher.wanted = event.vector
    answer_if_due(state, watcher, now)


def ask_back(state: BoardState, document: Document, watcher: Watcher, now: float) -> None:
    """Ask a watcher for all that the server lacks, now or as soon as it may be asked again."""
    due = watcher.asked_at + ASK_INTERVAL_S
    watcher.must_ask = now < due
    if watcher.must_ask:
        state.timers.arm((Alarm.DOCUMENT, ""), due)
    else:
        watcher.asked_at = now
        message = wire.step_1(document.vector.encode())
        state.out.append(SendBinary(watcher.connection, message))


def loaded(state: BoardState, event: DocumentLoaded, now: float) -> None:
    """The document is there: answer all who have asked for it."""
    document = state.document
    if document is None or document.phase is not DocumentPhase.LOADING:
        return
    document.phase = DocumentPhase.LIVE
    document.vector.raise_to(StateVector.read(event.vector))
    document.size += event.size
    document.may_change = event.may_change
    look_after_watchers(state, now)


def look_after_watchers(state: BoardState, now: float) -> None:
    """Do what watchers wait for, if it is time."""
    document = state.document
    assert document is not None  # It stays while the room does.
    for watcher in list(document.watchers.values()):
        if watcher.must_show:
            show_everybody_if_due(state, document, watcher, now)
        if document.phase is not DocumentPhase.LIVE:
            continue
        answer_if_due(state, watcher, now)
        if watcher.must_ask:
            ask_back(state, document, watcher, now)


def ring(state: BoardState, alarm: Alarm, key: str, now: float) -> None:
    """Act on an alarm that concerns the document."""
    if alarm is Alarm.LIFELINE:
        give_sign_of_life(state, now)
    elif alarm is Alarm.DOCUMENT:
        look_after_watchers(state, now)
    else:
        hide(state, key, now)


def give_sign_of_life(state: BoardState, now: float) -> None:
    """See to it that every watcher hears something from time to time."""
    document = state.document
    if document is None or not document.watchers:
        return
    document.turns += 1
    if document.turns % _RENEW_TURNS == 0:
        document.awareness.renew(now)
    if not document.has_spoken:
        relay(state, document, wire.SIGN_OF_LIFE)
    document.has_spoken = False
    state.timers.arm((Alarm.LIFELINE, ""), now + LIFELINE_S)


def tick(state: BoardState, now: float, *, has_moved: bool) -> None:
    """Send the awareness that is due; ``has_moved`` if a cursor of the board moved."""
    document = state.document
    if document is None or not document.watchers:
        return
    if has_moved or document.awareness.due <= now:
        companions.review(state, now)
    entries = document.awareness.take(now)
    if entries is not None:
        relay(state, document, wire.awareness(entries))


def stop_watching(state: BoardState, connection: int) -> None:
    """A connection is not the session's any more."""
    if state.document is not None:
        state.document.watchers.pop(connection, None)


def detach(state: BoardState, session: Session, connection: int) -> None:
    """A session lost its connection: its awareness stays until the user shows as not connected."""
    stop_watching(state, connection)
    at = state.limits.reconnecting_after_s
    assert session.dropped_at is not None
    state.timers.arm((Alarm.AWARENESS, session.session_id), session.dropped_at + at)


def hide(state: BoardState, session_id: str, now: float) -> None:
    """The time of :func:`detach` may be over: take the awareness away, if it is."""
    session, document = state.sessions.get(session_id), state.document
    if session is None or document is None or session.dropped_at is None:
        return
    at = session.dropped_at + state.limits.reconnecting_after_s
    if now < at:
        state.timers.arm((Alarm.AWARENESS, session_id), at)
        return
    document.awareness.hide(session_id, now)
    state.note_people(now)


def has_said_goodbye(state: BoardState, session: Session) -> bool:
    """Whether a client took its awareness away, after which a lost connection is a leave."""
    document = state.document
    return (
        not session.speaks_text
        and document is not None
        and document.awareness.has_said_goodbye(session.session_id)
    )
