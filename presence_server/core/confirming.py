"""Which of a client's changes are durable, and how the client hears of it.

A client with text gets ``document:stored`` with a total. A client of Hocuspocus counts its changes
by itself and wants a confirmation for each. It counts its sync step 1 as one, too, which stands
for all that it changed without a connection.
"""

from __future__ import annotations

from . import announce
from .document import Document, Watcher
from .document_effects import Confirm, Deny
from .document_events import DocumentStored
from .effects import Send
from .roster import Session
from .state import BoardState


def messages_of(watcher: Watcher, *, is_answer: bool) -> int:
    """How many messages of a client a change stands for.

    Args:
        watcher: the client.
        is_answer: whether the change is a sync step 2, which has all that was dropped before.
    """
    if not is_answer:
        return 1
    messages, watcher.owed = watcher.owed, 0
    messages += watcher.must_confirm if watcher.confirms else 1
    watcher.must_confirm = False
    return messages


def note_nothing(
    state: BoardState, document: Document, watcher: Watcher, session: Session, *, is_answer: bool
) -> None:
    """A client sent an empty change: the document has all that the client has."""
    if not session.may_edit:
        return
    messages = messages_of(watcher, is_answer=is_answer)
    if not watcher.confirms:
        messages -= 1  # It had no changes in it.
    if document.number > document.durable:
        watcher.note_change(document.number, messages)
    else:
        watcher.stored += messages
        _tell(state, watcher, messages)


def confirm_reader(state: BoardState, watcher: Watcher) -> None:
    """Tell a client that may not change the document whether it has changes of its own."""
    if watcher.must_confirm:
        watcher.must_confirm = watcher.has_news
        state.out.append(Confirm(watcher.connection, 1, is_taken=not watcher.has_news))


def stored(state: BoardState, event: DocumentStored) -> None:
    """Changes are durable: tell their senders."""
    document = state.document
    if document is None:
        return
    document.durable = max(document.durable, event.number)
    for watcher in document.watchers.values():
        before = watcher.stored
        while watcher.unstored and watcher.unstored[0][0] <= event.number:
            watcher.stored += watcher.unstored.popleft()[1]
        _tell(state, watcher, watcher.stored - before)


def _tell(state: BoardState, watcher: Watcher, messages: int) -> None:
    """Tell a client that the changes of so many more of its messages are durable."""
    if not messages:
        return
    if watcher.confirms:
        state.out.append(Confirm(watcher.connection, messages, is_taken=True))
    elif state.limits.documents_are_stored and state.sessions[watcher.session_id].speaks_text:
        state.out.append(Send(watcher.connection, announce.changes_stored(watcher.stored)))


def deny(state: BoardState, watcher: Watcher, session: Session, reason: str) -> None:
    """Tell a client that it may not change the document: once, if it does not count changes."""
    if watcher.confirms:
        state.out.append(Confirm(watcher.connection, 1, is_taken=False))
    if watcher.is_told_off:
        return
    watcher.is_told_off = True
    state.out.append(Deny(watcher.connection, reason))
    if session.speaks_text:
        state.out.append(Send(watcher.connection, announce.forbidden(reason)))
