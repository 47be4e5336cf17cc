"""The queue of a full board: places, positions, reclaimed seats."""

from __future__ import annotations

from ..protocol.model import LeaveReason
from . import announce, spectating
from .effects import Bind, PlaceBegan, PlaceEnded, SeatFree, Send
from .roster import Phase, Session
from .state import Alarm, BoardState

NOTICE_INTERVAL_S = 1.0
"""Changed positions are sent once in this time. A session that comes or comes back gets its
position at once."""


def can_admit(state: BoardState) -> bool:
    """Whether a seat is free and a connected user waits for one."""
    return state.free_seats() > 0 and state.queue.attached > 0


def enqueue(state: BoardState, session: Session, now: float, since_ms: int | None = None) -> None:
    """Put a connected session into the queue and send it its position.

    Args:
        state: the board.
        session: has a connection.
        now: scheduling seconds.
        since_ms: as for :meth:`.WaitingQueue.add`.
    """
    session.phase = Phase.QUEUED
    state.sessions[session.session_id] = session
    state.queue.add(session, state.now_ms(now), since_ms)
    if since_ms is not None:
        state.out.append(PlaceBegan(state.board_id, since_ms))
    state.arm_session(session)
    assert session.connection is not None
    state.out.append(Bind(session.connection, session.session_id))
    tell_position(state, session, now)
    state.queue_changed = True


def tell_position(state: BoardState, session: Session, now: float) -> None:
    """Send a session its position, whether it changed or not."""
    _tell(state, session, state.queue.position(session.profile.user_id), now)


def review(state: BoardState, now: float) -> None:
    """Act on a change of seats or queue: reclaim seats, send positions, wake admission."""
    for place in state.queue.take_ended():
        state.out.append(PlaceEnded(state.board_id, place.user_id, place.newest_ms))
    if len(state.queue):
        _reclaim(state, now)
        _tell_moved(state, now)
        spectating.admit(state, now)
        if can_admit(state):
            state.out.append(SeatFree())
    else:
        state.pace.emptied()
    state.queue_changed = False


def _reclaim(state: BoardState, now: float) -> None:
    """End users who dropped long ago, one for each waiting user; the oldest drop first."""
    wanted = state.queue.attached - state.free_seats()
    if wanted <= 0:
        return
    deserted = sorted(
        (since, user.profile.user_id)
        for user in state.users.values()
        if (since := user.detached_since()) is not None
    )
    for since, user_id in deserted[:wanted]:
        at = since + state.limits.reclaim_after_s
        if at > now:
            state.timers.arm((Alarm.RECLAIM, ""), at)
            break
        for session in list(state.users[user_id].sessions.values()):
            state.end(session, LeaveReason.RECLAIMED, now)


def _tell_moved(state: BoardState, now: float) -> None:
    """Send the position to sessions for which it changed: one walk for all, once an interval."""
    queue = state.queue
    if not queue.has_moved:
        return
    walk_at = state.positions_told_at + NOTICE_INTERVAL_S
    if now < walk_at:
        state.timers.arm((Alarm.QUEUE_NOTICE, ""), walk_at)
        return
    state.positions_told_at = now
    queue.has_moved = False
    for position, place in enumerate(queue, start=1):
        for session in place.sessions.values():
            if session.connection is None or session.told_position == position:
                continue
            if now >= session.told_at + NOTICE_INTERVAL_S:
                _tell(state, session, position, now)
            else:
                # It got one a moment ago, when it came: the next walk is early enough.
                queue.has_moved = True
    if queue.has_moved:
        state.timers.arm((Alarm.QUEUE_NOTICE, ""), now + NOTICE_INTERVAL_S)


def _tell(state: BoardState, session: Session, position: int, now: float) -> None:
    assert session.connection is not None
    session.told_position = position
    session.told_at = now
    session.id_known = True
    eta_s = state.pace.eta_s(position, now)
    message = announce.board_queued(
        state.board_id, session, position, len(state.queue), eta_s, state.limits
    )
    state.out.append(Send(session.connection, message))
