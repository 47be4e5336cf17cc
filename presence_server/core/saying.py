"""Awareness: what clients say about themselves, and what it means for their presence."""

from __future__ import annotations

from msgspec import UNSET

from ..protocol.model import Update
from .document import Document, DocumentPhase
from .document_effects import Refuse, SendBinary
from .document_events import AwarenessAsked, AwarenessSaid
from .roster import Phase, Session
from .state import BoardState
from .watching import answer, ask_back, begin, heard, show_everybody_if_due, watcher_of
from .yjs import wire
from .yjs.varint import DamagedBytes

_MAX_HELD_BYTES = 16_384


def say(state: BoardState, event: AwarenessSaid, now: float) -> None:
    """Take the awareness that a client sent."""
    found = heard(state, event, now)
    if found is None:
        return
    session, watcher, document = found
    if session.phase is Phase.JOINED:
        _take(state, document, session, event, now)
    elif watcher.held is not None or len(event.entries) > _MAX_HELD_BYTES:
        watcher.has_more = True
    elif session.phase is Phase.ADMITTING:
        watcher.held = event.entries  # The first one of all is the one that announces an id.
    else:
        watcher.has_more = True  # Who waits, maybe for long, is asked for the newest.


def is_echo(
    state: BoardState, connection: int, session_id: str, entries: bytes, now: float
) -> bool:
    """Take awareness that a client sends back, as the library of y-websocket does.

    There may be one such message for each awareness message that the client was sent. It is a
    sign of life, and nothing else; :func:`say` would do the same.

    Returns:
        Whether it was one; else nothing was done.
    """
    document, session = state.document, state.sessions.get(session_id)
    if document is None or session is None or session.connection != connection:
        return False
    watcher = document.watchers.get(connection)
    if (
        watcher is None
        or session.phase is not Phase.JOINED
        or watcher.echoes >= document.awareness.messages_sent
        or not document.awareness.is_echo(session_id, connection, entries)
    ):
        return False
    watcher.echoes += 1
    session.last_seen = now
    return True


def welcome(state: BoardState, session: Session, now: float) -> None:
    """A session joined, or came back: if its connection speaks Yjs, it watches from now on."""
    connection = session.connection
    assert connection is not None
    document = state.document
    known = None if document is None else document.watchers.get(connection)
    if known is None:
        if not session.speaks_text:
            watcher_of(state, session, now)
        return
    assert document is not None
    if not known.is_watching:
        begin(state, known, now)
    elif session.may_edit and document.phase is DocumentPhase.LIVE:
        ask_back(state, document, known, now)  # It may have typed while it waited.
    if known.held is not None:
        event, known.held = AwarenessSaid(connection, session.session_id, known.held), None
        _take(state, document, session, event, now)
    if known.has_more:
        known.has_more = False
        state.out.append(SendBinary(connection, wire.QUERY_AWARENESS))
    answer(state, known, now)


def _take(
    state: BoardState, document: Document, session: Session, event: AwarenessSaid, now: float
) -> None:
    user = state.users[session.profile.user_id]
    awareness, connection = document.awareness, event.connection
    try:
        said = awareness.say(session.session_id, connection, user.profile, event.entries, now)
    except DamagedBytes as error:
        state.out.append(Refuse(connection, str(error)))
        return
    if said.nudges:
        message = wire.awareness(awareness.null_for(said.nudges))
        state.out.append(SendBinary(connection, message))
    if said.has_changed:
        state.note_people(now)
        cursor = said.cursor if said.cursor != session.cursor else UNSET
        note_activity(state, session, Update(cursor=cursor), now)


def note_activity(state: BoardState, session: Session, update: Update, now: float) -> None:
    """A client did something; ``update`` is what that changes about its presence."""
    user = state.users[session.profile.user_id]
    state.apply(user, session, update, now)
    state.tell_if_changed(user, now)


def tell_everybody(state: BoardState, event: AwarenessAsked, now: float) -> None:
    """Answer a client that asks for the awareness of everybody."""
    found = heard(state, event, now)
    if found is None:
        return
    _, watcher, document = found
    if watcher.is_watching:
        show_everybody_if_due(state, document, watcher, now)
