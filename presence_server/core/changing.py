"""Changes of a board's document: which are relayed, which are merged first, which are asked for."""

from __future__ import annotations

from typing import assert_never

from ..protocol.errors import CloseCode, retry_reason
from ..protocol.model import PresenceStatus, Update
from . import confirming, leaving
from .document import RELAY_BYTES, Document, DocumentPhase, Watcher
from .document_effects import Deny, Merge, MergeAndTell, Refuse
from .document_events import (
    DocumentChanged,
    DocumentMerged,
    DocumentSized,
    MergeOutcome,
    RoleChanged,
    UpdateSetAside,
)
from .effects import Close
from .events import Parted, Parting
from .relaying import relay, relay_change
from .roster import Phase
from .saying import note_activity
from .state import BoardState
from .watching import ask_back, heard
from .yjs import wire
from .yjs.update import EMPTY_UPDATE, Shape, check
from .yjs.varint import DamagedBytes
from .yjs.vector import StateVector

_JOINED, _LIVE = Phase.JOINED, DocumentPhase.LIVE  # Not looked up with every update.
_ONLINE = PresenceStatus.ONLINE
_VIEWER = "this client may look at the document, but not change it"
_NO_ROOM = "no new documents are stored: documents.max_total_bytes"
_TOO_LARGE = "the document is as large as it may be: documents.max_bytes"


def change(state: BoardState, event: DocumentChanged, now: float) -> None:
    """Take an update of a client."""
    found = heard(state, event, now)
    if found is None:
        return
    session, watcher, document = found
    update = event.update
    if session.phase is not Phase.JOINED:
        watcher.owed += not event.is_answer  # It is asked for its changes once it has joined.
        return
    if update == EMPTY_UPDATE:
        confirming.note_nothing(state, document, watcher, session, is_answer=event.is_answer)
        return
    if not session.may_edit or not document.may_change:
        watcher.owed += not event.is_answer  # A newer token may let it change the document.
        confirming.deny(state, watcher, session, _NO_ROOM if session.may_edit else _VIEWER)
        return
    shape = None
    if len(update) <= RELAY_BYTES:
        try:
            shape = check(update, may_have_holes=event.is_answer)
        except DamagedBytes as error:
            state.out.append(Refuse(event.connection, str(error)))
            return
    if not event.is_answer:
        note_activity(state, session, Update(), now)
    _sort(state, document, watcher, event, shape, now)


def _sort(
    state: BoardState,
    document: Document,
    watcher: Watcher,
    event: DocumentChanged,
    shape: Shape | None,
    now: float,
) -> None:
    """Decide whether an update is relayed, merged first, or dropped and asked for."""
    update = event.update
    is_plain = shape is not None and not shape.is_odd and not event.is_answer
    has_room = document.size + len(update) <= state.limits.document_max_bytes
    fits = shape is not None and document.vector.fits(shape)
    if document.phase is DocumentPhase.LIVE:
        if is_plain and fits and has_room and shape is not None:
            document.vector.add(shape)
            document.size += len(update)
            relay(state, document, wire.change(update))
            number = _number(document, watcher, event)
            state.out.append(Merge(number, update))
            return
        # A change that does not follow now may follow on one that is being merged.
        if is_plain and not fits and not document.merging:
            watcher.owed += 1
            ask_back(state, document, watcher, now)
            return
    is_relayed = document.phase is DocumentPhase.LOADING and is_plain
    if is_relayed:
        relay(state, document, wire.change(update))
    number = _number(document, watcher, event)
    document.merging[number] = event.connection, is_relayed, event.is_answer
    state.out.append(MergeAndTell(number, update))


def _number(document: Document, watcher: Watcher, event: DocumentChanged) -> int:
    number = document.next_number()
    watcher.note_change(number, confirming.messages_of(watcher, is_answer=event.is_answer))
    return number


def merged(state: BoardState, event: DocumentMerged, now: float) -> None:
    """The service tells what became of an update."""
    document = state.document
    if document is None or event.number not in document.merging:
        return
    connection, is_relayed, is_answer = document.merging.pop(event.number)
    watcher = document.watchers.get(connection)
    match event.outcome:
        case MergeOutcome.MERGED | MergeOutcome.PARTIAL:
            _note_merged(state, document, event, now, is_relayed=is_relayed, sender=connection)
            is_partial = event.outcome is MergeOutcome.PARTIAL
            if watcher is not None and is_answer:
                watcher.holds_back = is_partial
            elif watcher is not None and is_partial:
                _ask_for_dropped(state, document, watcher, event.number, now)
        case MergeOutcome.GAP:
            if watcher is not None:
                _ask_for_dropped(state, document, watcher, event.number, now)
        case MergeOutcome.DAMAGED:
            if watcher is not None:
                _forget(watcher, event.number)
                state.out.append(Refuse(connection, "the update is damaged"))
        case MergeOutcome.TOO_LARGE:
            document.size = event.size
            if watcher is not None:
                _expel(state, watcher, CloseCode.DOCUMENT_TOO_LARGE, _TOO_LARGE, now)
        case _:  # pragma: no cover
            assert_never(event.outcome)


def _note_merged(
    state: BoardState,
    document: Document,
    event: DocumentMerged,
    now: float,
    *,
    is_relayed: bool,
    sender: int,
) -> None:
    """Relay what came of a change, and ask the clients again whose changes may follow on it."""
    document.vector.raise_to(StateVector.read(event.raised))
    document.size = event.size
    if event.update is None:
        return
    if not is_relayed:
        relay_change(state, document, event.parts or (event.update,))
    for watcher in document.watchers.values():
        if watcher.holds_back and watcher.connection != sender:
            ask_back(state, document, watcher, now)


def _ask_for_dropped(
    state: BoardState, document: Document, watcher: Watcher, number: int, now: float
) -> None:
    """Ask a client for a change that was dropped."""
    watcher.owed += _forget(watcher, number)
    ask_back(state, document, watcher, now)


def _forget(watcher: Watcher, number: int) -> int:
    """Forget a change that was dropped; return how many messages it stood for."""
    for entry in watcher.unstored:
        if entry[0] == number:
            watcher.unstored.remove(entry)
            return entry[1]
    return 0


def sized(state: BoardState, event: DocumentSized) -> None:
    """The exact length of the document is known, if nothing came after it."""
    document = state.document
    if document is not None and event.number == document.number:
        document.size = event.size


def set_aside(state: BoardState, event: UpdateSetAside, now: float) -> None:
    """An update was given up: close its sender, and go on without it."""
    document = state.document
    if document is None:
        return
    connection = document.merging.pop(event.number, (None, False, False))[0]
    document.vector = StateVector.read(event.vector)
    for watcher in list(document.watchers.values()):
        if watcher.connection == connection or _forget(watcher, event.number):
            _expel(state, watcher, CloseCode.PROTOCOL_VIOLATIONS, "an update was given up", now)


def _expel(state: BoardState, watcher: Watcher, code: CloseCode, reason: str, now: float) -> None:
    state.out.append(Deny(watcher.connection, reason))
    leaving.part(state, Parted(watcher.connection, watcher.session_id, Parting.DROPPED), now)
    state.out.append(Close(watcher.connection, code, reason))


def change_role(state: BoardState, event: RoleChanged, now: float) -> None:
    """A newer token lets a client change the document, or not any more."""
    session = state.attached(event.connection, event.session_id)
    if session is None or session.may_edit is event.may_edit:
        return
    session.may_edit = event.may_edit
    document = state.document
    watcher = None if document is None else document.watchers.get(event.connection)
    if document is not None and watcher is not None:
        watcher.is_told_off = watcher.holds_back = False
        if session.may_edit and document.phase is DocumentPhase.LIVE:
            ask_back(state, document, watcher, now)


def delete(state: BoardState, now: float) -> None:
    """The document was deleted: who watches it comes back to a new one."""
    document = state.document
    if document is None:
        return
    for watcher in list(document.watchers.values()):
        leaving.part(state, Parted(watcher.connection, watcher.session_id, Parting.DROPPED), now)
        reason = retry_reason(0)
        state.out.append(Close(watcher.connection, CloseCode.SERVER_RESTART, reason))
    document.forget()


def relay_at_once(
    state: BoardState, connection: int, session_id: str, update: bytes, now: float
) -> int | None:
    """Take an update that does nothing but follow on the document, as nearly all do.

    It does all that :func:`change` would, or nothing at all.

    Returns:
        The number of the update, which is to be relayed and merged; None if it did nothing.
    """
    document, session = state.document, state.sessions.get(session_id)
    if (
        document is None
        or session is None
        or session.connection != connection
        or session.phase is not _JOINED
        or not session.may_edit
        or session.declared is not _ONLINE
        or now >= session.noted_seen + state.limits.heartbeat_interval_s
        or document.phase is not _LIVE
        or not document.may_change
        or len(update) > RELAY_BYTES
        or document.size + len(update) > state.limits.document_max_bytes
    ):
        return None
    user, watcher = session.user, document.watchers.get(connection)
    if user is None or watcher is None or user.status is not _ONLINE or not user.metadata_told:
        return None
    try:
        shape = check(update)
    except DamagedBytes:
        return None
    vector = document.vector
    if shape.is_odd or not (shape.adds or shape.deletes) or not vector.fits(shape):
        return None
    vector.add(shape)
    document.size += len(update)
    document.has_spoken = True
    session.last_seen = session.last_activity = now
    document.number = number = document.number + 1
    watcher.note_change(number)
    return number
