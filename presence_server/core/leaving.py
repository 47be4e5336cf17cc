"""How sessions end: leaves, drops, timeouts, kicks."""

from __future__ import annotations

from ..protocol.errors import CloseCode
from ..protocol.model import LeaveReason
from . import spectating, watching
from .effects import Close, RemoveMember
from .events import Parted, Parting
from .roster import Phase, Session
from .state import BoardState


def part(state: BoardState, event: Parted, now: float) -> None:
    """Detach the session of a connection that ended, or end it."""
    session = state.attached(event.connection, event.session_id)
    if session is None:
        return
    state.out.append(RemoveMember(event.connection))
    session.connection = None
    if session.speaks_text:
        spectating.stop(state, session)  # Others would have no place without watching.
    # A client that does not know the id of its session cannot come back to it.
    has_left = event.how is Parting.LEFT or watching.has_said_goodbye(state, session)
    if has_left or not session.id_known:
        watching.stop_watching(state, event.connection)
        state.end(session, LeaveReason.DISCONNECT, now)
        return
    session.dropped_at = now
    if state.document is not None:
        watching.detach(state, session, event.connection)
    if event.how is Parting.PAGE_LEFT:
        session.leave_at = now + state.limits.leave_grace_s
    state.arm_session(session)
    state.queue_changed = True
    if session.phase is Phase.QUEUED:
        state.queue.note(session)
    else:
        state.tell_if_changed(state.users[session.profile.user_id], now)


def kick(state: BoardState, user_id: str, now: float) -> None:
    """End every session of a user, seated or queued."""
    holder = state.users.get(user_id) or state.queue.get(user_id)
    if holder is None:
        return
    for session in list(holder.sessions.values()):
        _close(state, session, CloseCode.KICKED)
        state.end(session, LeaveReason.KICKED, now)


def expire(state: BoardState, session_id: str, now: float) -> None:
    """End a session if its time is over; if not, set the alarm again."""
    session = state.sessions[session_id]
    if session.ends_at(state.limits) > now:
        state.arm_session(session)
        return
    left = session.connection is None and session.leave_at is not None
    _close(state, session, CloseCode.TIMEOUT)
    state.end(session, LeaveReason.DISCONNECT if left else LeaveReason.TIMEOUT, now)


def _close(state: BoardState, session: Session, code: CloseCode) -> None:
    if session.connection is not None:
        state.out.append(RemoveMember(session.connection))
        state.out.append(Close(session.connection, code))
