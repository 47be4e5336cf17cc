"""How clients that wait for a seat begin to watch the board, and how they stop."""

from __future__ import annotations

from ..protocol.messages import CursorsPayload, PresenceCursors
from . import announce, watching
from .effects import AddSpectator, Broadcast, RemoveSpectator, Send, TellSpectators
from .roster import Session
from .state import BoardState


def has_room(state: BoardState) -> bool:
    """Whether one more client may watch."""
    return len(state.spectators.watching) < state.limits.watch_limit


def ask(state: BoardState, session: Session) -> None:
    """Let a session that waits watch as soon as it may; see :func:`admit`."""
    if state.limits.watch_limit > 0:
        state.spectators.asking[session.session_id] = session


def admit(state: BoardState, now: float) -> None:
    """Let those watch who asked for it, as far as there is room."""
    asking = state.spectators.asking
    while asking and has_room(state):
        _begin(state, asking.pop(next(iter(asking))), now)


def stop(state: BoardState, session: Session) -> None:
    """A session that watched has joined, or its connection is gone."""
    session.watches = False
    if state.spectators.forget(session):
        state.queue_changed = True  # Another session may watch.


def promote(state: BoardState, session: Session) -> None:
    """A session is about to join: what it sees of the board next is the snapshot."""
    if session.watches and session.speaks_text and session.connection is not None:
        state.out.append(RemoveSpectator(session.connection))
    stop(state, session)


def tick(state: BoardState, moved: PresenceCursors | None, now: float) -> None:
    """Send spectators the cursors that are due.

    Args:
        state: the board.
        moved: what the members of the board have just heard about cursors.
        now: scheduling seconds.
    """
    if moved is not None:
        state.out.append(Broadcast(moved))
        state.spectators.note(moved, now)
    cursors: list[tuple[str, float | None, float | None]] = []
    for user_id in state.spectators.take(now):
        # Where it is now, which may be newer than what the members were told last.
        cursor = state.users[user_id].cursor
        x, y = (None, None) if cursor is None else (cursor.x, cursor.y)
        cursors.append((user_id, x, y))
    if cursors:
        message = PresenceCursors(CursorsPayload(cursors, state.now_ms(now)))
        state.out.append(TellSpectators(message))


def _begin(state: BoardState, session: Session, now: float) -> None:
    connection = session.connection
    assert connection is not None
    session.watches = True
    state.spectators.add(session)
    if session.speaks_text:
        state.out.append(Send(connection, announce.board_watching(state.current_users())))
        state.out.append(AddSpectator(connection))
    watching.begin_to_wait(state, session, now)
