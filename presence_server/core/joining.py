"""How sessions begin: seat, row, snapshot; resume; recovery after a restart."""

from __future__ import annotations

from ..protocol.errors import CloseCode, retry_reason
from ..protocol.model import BoardLimits, LeaveReason
from . import announce, queueing, saying, spectating
from .effects import AddMember, Bind, Broadcast, Close, CloseRow, InsertRow, RemoveMember, Send
from .events import Connect, Restore
from .roster import Phase, Session, User
from .state import Alarm, BoardState
from .watching import stop_watching


def connect(state: BoardState, event: Connect, now: float) -> None:
    """Give a connection a session: resume, seat or queue it, or refuse it."""
    resume = event.resume if event.speaks_text else _left_behind(state, event.profile.user_id)
    if resume is not None and _resume(state, event, resume, now):
        return
    if not event.may_begin:
        _refuse_session(state, event, "limits.connections_per_ip")
        return
    user_id = event.profile.user_id
    user, place = state.users.get(user_id), state.queue.get(user_id)
    holder = user or place
    leaving = [] if holder is None else _making_way(holder.sessions, state.limits)
    if leaving is None:
        _refuse_session(state, event, "limits.sessions_per_user")
        return
    session = Session(event.session_id, event.profile, now, state.now_ms(now))
    session.connection = event.connection
    session.speaks_text, session.is_guest = event.speaks_text, event.is_guest
    session.may_edit, session.confirms = event.may_edit, event.confirms
    # A client without text would not know that it waits, unless it watches meanwhile.
    may_queue = event.speaks_text or (event.watches and spectating.has_room(state))
    if user is not None:
        _seat(state, user, session, now)
    elif place is not None and may_queue:
        _queue(state, event, session, now)
    elif place is None and state.free_seats() > 0 and not state.queue.attached:
        user = state.users[user_id] = User(event.profile)
        _seat(state, user, session, now)
    elif place is None and event.may_queue and may_queue and state.queue_has_room():
        _queue(state, event, session, now)
    else:
        state.out.append(Send(event.connection, announce.board_full()))
        state.out.append(Close(event.connection, CloseCode.BOARD_FULL))
    # Only now that the new session shares seat or place: neither may end with the last old one.
    for old in leaving:
        state.end(old, LeaveReason.RECLAIMED, now)


def admit_next(state: BoardState, now: float) -> None:
    """Give a free seat to the first user of the queue who is connected, with all sessions."""
    if state.free_seats() <= 0 or (place := state.queue.pop_next()) is None:
        return
    state.pace.admitted(now)
    sessions = list(place.sessions.values())
    user = state.users[place.user_id] = User(sessions[0].profile)
    for session in sessions:
        _seat(state, user, session, now)
    state.queue_changed = True


def join(state: BoardState, session_id: str, now: float) -> None:
    """Take the second step of joining: the row is durable, or the wait for it was long enough."""
    session = state.sessions.get(session_id)
    if session is None or session.phase is not Phase.ADMITTING:
        return
    state.timers.disarm((Alarm.COMMIT_WAIT, session_id))
    session.phase = Phase.JOINED
    spectating.promote(state, session)
    user = state.users[session.profile.user_id]
    held, session.held = session.held, None
    if held is not None:
        state.apply(user, session, held, now)
    _announce(state, user, session.connected_at_ms, now)
    if session.connection is not None:
        _welcome(state, user, session, session.connection, now)


def restore(state: BoardState, event: Restore, now: float) -> None:
    """Bring back sessions that were open in the store, detached."""
    dropped_at = now if event.dropped_at is None else event.dropped_at
    for record, profile in sorted(event.sessions, key=lambda pair: pair[0].connected_at):
        if record.session_id in state.sessions:
            continue
        session = Session.restored(record, profile, now, state.epoch_ms)
        session.dropped_at = dropped_at
        user = state.users.get(profile.user_id)
        no_seat = user is None and state.free_seats() <= 0
        if no_seat or session.ends_at(state.limits) <= now:
            state.out.append(CloseRow(state.board_id, record.session_id, state.now_ms(now)))
            continue
        # If the store was down at the start, this user may be waiting in the queue by now.
        tabs = state.queue.take(profile.user_id)
        if user is None:
            user = state.users[profile.user_id] = User(profile)
            user.metadata = record.metadata
            user.seen = None
        user.add(session)
        state.sessions[record.session_id] = session
        if user.cursor_of is None and record.cursor is not None:
            user.cursor_of = session
            if user.announced:
                state.show_cursor(user, record.cursor, now)
            else:
                user.cursor, user.seen = record.cursor, None
        is_newest = record.cursor == (user.cursor if user.cursor_of is session else None)
        if not is_newest or record.metadata != user.metadata:
            # The user changed them while the store was down: every row gets the newest ones.
            state.journal.changed(user, session)
        _announce(state, user, record.connected_at, now)
        state.arm_session(session)
        for tab in tabs:
            _seat(state, user, tab, now)
        state.queue_changed = True


def _refuse_session(state: BoardState, event: Connect, setting: str) -> None:
    reason = retry_reason(announce.RETRY_AFTER_MS)
    state.out.append(Send(event.connection, announce.too_many_sessions(setting)))
    state.out.append(Close(event.connection, CloseCode.RATE_LIMITED, reason))


def _making_way(sessions: dict[str, Session], limits: BoardLimits) -> list[Session] | None:
    """Choose the sessions of a user that end so that one more may begin: the oldest drops.

    Without a limit one user could open so many sessions that the whole server became slow.

    Returns:
        The sessions; None if too many of the user's sessions are connected.
    """
    excess = len(sessions) + 1 - limits.sessions_per_user
    if excess <= 0:
        return []
    dropped = [(s.dropped_at, s.session_id) for s in sessions.values() if s.dropped_at is not None]
    if len(dropped) < excess:
        return None
    return [sessions[session_id] for _, session_id in sorted(dropped)[:excess]]


def _queue(state: BoardState, event: Connect, session: Session, now: float) -> None:
    if event.ticket_id is not None and event.ticket_id not in state.sessions:
        session.session_id = event.ticket_id
    queueing.enqueue(state, session, now, event.queued_at_ms)
    if event.watches:
        spectating.ask(state, session)


def _seat(state: BoardState, user: User, session: Session, now: float) -> None:
    """Take the first step of joining: the seat is taken, the room asks for the row."""
    session.phase = Phase.ADMITTING
    session.connected_at_ms = state.now_ms(now)
    session.last_activity = now
    state.sessions[session.session_id] = session
    state.spectators.asking.pop(session.session_id, None)
    user.add(session)
    if session.connection is not None:
        state.out.append(Bind(session.connection, session.session_id))
    record = user.record(session, state.board_id, state.epoch_ms, now, state.limits)
    state.out.append(InsertRow(record, user.profile))
    state.timers.arm((Alarm.COMMIT_WAIT, session.session_id), now + state.limits.commit_wait_s)
    state.arm_session(session)


def _announce(state: BoardState, user: User, joined_at: int, now: float) -> None:
    """Announce a user to the board, or what one more session changed about a user."""
    if user.announced:
        state.tell_if_changed(user, now)
        return
    user.joined_at = joined_at
    user.seen = None
    state.tell_if_changed(user, now)
    user.announced = True
    state.journal.list_changed()
    state.note_people(now)
    state.out.append(Broadcast(announce.user_joined(user, state.now_ms(now))))


def _welcome(state: BoardState, user: User, session: Session, connection: int, now: float) -> None:
    """Send the snapshot to a connection and make it a member: it gets what follows."""
    session.id_known = True
    if session.speaks_text:
        message = announce.board_joined(
            state.board_id, session, user, state.current_users(), state.limits, state.now_ms(now)
        )
        state.out.append(Send(connection, message))
        state.out.append(AddMember(connection))
    if not session.speaks_text or state.document is not None:
        saying.welcome(state, session, now)


def _left_behind(state: BoardState, user_id: str) -> str | None:
    """The detached session that a client without session ids takes over: the oldest drop."""
    holder = state.users.get(user_id) or state.queue.get(user_id)
    if holder is None:
        return None
    dropped = [
        (s.dropped_at, s.session_id)
        for s in holder.sessions.values()
        if s.dropped_at is not None and not s.speaks_text
    ]
    return min(dropped)[1] if dropped else None


def _resume(state: BoardState, event: Connect, session_id: str, now: float) -> bool:
    """Move a session to a new connection; False if this user has no such session here."""
    session = state.sessions.get(session_id)
    if session is None or session.profile.user_id != event.profile.user_id:
        return False
    if session.connection is not None:
        state.out.append(RemoveMember(session.connection))
        state.out.append(Close(session.connection, CloseCode.RESUMED_ELSEWHERE))
        stop_watching(state, session.connection)
    if session.speaks_text:
        spectating.stop(state, session)
    session.connection = event.connection
    session.may_edit, session.confirms = event.may_edit, event.confirms
    session.last_seen = now
    session.dropped_at = session.leave_at = None
    session.resumed = True
    state.out.append(Bind(event.connection, session_id))
    state.arm_session(session)
    if session.phase is Phase.QUEUED:
        state.queue.note(session)
        queueing.tell_position(state, session, now)
        if event.watches and session.speaks_text:
            spectating.ask(state, session)
        state.queue_changed = True
        return True
    user = state.users[session.profile.user_id]
    state.journal.heard(user, session)
    state.tell_if_changed(user, now)
    if session.phase is Phase.JOINED:
        _welcome(state, user, session, event.connection, now)
    return True
