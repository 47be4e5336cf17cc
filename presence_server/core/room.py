"""One board as one value: ``handle(event, now)`` changes it and returns what to do.

Every transition is atomic: nothing can happen between the look at a free seat and its taking.
A log of ``(event, now)`` replays to the same state and the same effects.
"""

from __future__ import annotations

import math

from msgspec import UNSET

from ..protocol.messages import UserObject
from ..protocol.model import BoardLimits, PresenceRecord, PresenceStatus, Update
from ..protocol.profile import UserProfile
from . import announce, changing, documents, joining, leaving, profiles, queueing, ticking, watching
from .effects import Effect, Send
from .events import (
    Activity,
    AdmitNext,
    ClockSet,
    ConfirmRows,
    Connect,
    CursorTick,
    Event,
    Heard,
    HeartbeatReceived,
    Kick,
    Parted,
    ProfileChanged,
    Restore,
    RowCommitted,
    Save,
    Stalled,
    Tick,
    Updated,
)
from .roster import Phase
from .saying import is_echo
from .state import Alarm, BoardState

_NOTHING = Update()
# Not looked up in their enums with every message.
_JOINED = Phase.JOINED
_ONLINE = PresenceStatus.ONLINE


class Room:
    """One board: who is there, who waits, and what the board was told of them.

    Args:
        board_id: a valid board id.
        limits: the settings that it decides by.
        epoch_ms: milliseconds since the epoch at scheduling time zero.
    """

    __slots__ = ("_state",)

    def __init__(self, board_id: str, limits: BoardLimits, epoch_ms: int) -> None:
        self._state = BoardState(board_id, limits, epoch_ms)

    @property
    def board_id(self) -> str:
        """The id of the board."""
        return self._state.board_id

    @property
    def limits(self) -> BoardLimits:
        """The settings that it decides by."""
        return self._state.limits

    @property
    def epoch_ms(self) -> int:
        """Milliseconds since the epoch at scheduling time zero."""
        return self._state.epoch_ms

    @property
    def is_empty(self) -> bool:
        """Whether no session is left, attached, detached or queued: the room may end."""
        return not self._state.sessions

    @property
    def seats_taken(self) -> int:
        """Distinct users with a session admitting, attached or detached."""
        return len(self._state.users)

    @property
    def has_free_seat(self) -> bool:
        """Whether a new user would get a seat now."""
        return self._state.free_seats() > 0 and not len(self._state.queue)

    @property
    def queue_length(self) -> int:
        """Users with a place in the queue."""
        return len(self._state.queue)

    @property
    def connected_count(self) -> int:
        """Users on the list who show as connected."""
        return sum(1 for u in self._state.users.values() if u.announced and u.connected)

    def current_users(self) -> list[UserObject]:
        """The list as the board was told."""
        return self._state.current_users()

    def has_user(self, user_id: str) -> bool:
        """Whether the user has a seat or waits here."""
        return user_id in self._state.users or self._state.queue.get(user_id) is not None

    def has_session(self, session_id: str) -> bool:
        """Whether a session is here: attached, detached or queued."""
        return session_id in self._state.sessions

    def rows(self, now: float) -> list[tuple[PresenceRecord, UserProfile]]:
        """The row of each session that has joined, with its user's profile."""
        state = self._state
        return [
            (user.record(session, state.board_id, state.epoch_ms, now, state.limits), user.profile)
            for user in state.users.values()
            for session in user.sessions.values()
            if session.phase is _JOINED
        ]

    @property
    def look_by(self) -> float:
        """A time at or before :meth:`next_deadline`, and cheaper to read."""
        return self._state.timers.earliest

    @property
    def alarms(self) -> int:
        """How many alarms are set."""
        return len(self._state.timers)

    def next_deadline(self) -> float:
        """When to apply ``Tick``, in scheduling seconds; infinity if there is no deadline."""
        return self._state.timers.next()

    def next_cursor_deadline(self) -> float:
        """When to apply ``CursorTick``, in scheduling seconds; infinity if nothing waits for it."""
        state = self._state
        return min(state.cursors.due, state.changes.due, state.awareness_due, state.spectators.due)

    def can_admit(self) -> bool:
        """Whether a seat is free and a connected user waits for one."""
        return queueing.can_admit(self._state)

    def handle(self, event: Event, now: float) -> list[Effect]:  # noqa: C901, PLR0915 - an arm an event
        """Apply one event.

        Args:
            event: what happened.
            now: scheduling seconds, never less than in an earlier call.

        Returns:
            What to do, in order.
        """
        state = self._state
        state.out = []
        match event:
            case Updated():
                self._update(event.connection, event.session_id, event.update, now)
            case Heard() | HeartbeatReceived():
                self._hear(event, now)
            case CursorTick():
                ticking.tick(state, now)
            case Tick():
                self._ring(now)
            case Connect():
                joining.connect(state, event, now)
            case RowCommitted():
                joining.join(state, event.session_id, now)
            case Parted():
                leaving.part(state, event, now)
            case ProfileChanged():
                profiles.change(state, event, now)
            case AdmitNext():
                joining.admit_next(state, now)
            case Activity():
                self._update(event.connection, event.session_id, None, now)
            case Kick():
                leaving.kick(state, event.user_id, now)
            case Restore():
                joining.restore(state, event, now)
            case Save():
                self._save(now)
            case Stalled():
                state.pace.delay(event.seconds)
                for session in state.sessions.values():
                    session.delay(event.seconds, now)
            case ConfirmRows():
                state.confirm_rows()
            case ClockSet():
                state.set_clock(event.epoch_ms)
            case _:
                documents.handle(state, event, now)
        if state.queue_changed:
            queueing.review(state, now)
        save_at = state.journal.save_at(now)
        if not state.sessions and save_at < math.inf:
            self._save(now)
        elif save_at < state.save_at:
            state.save_at = save_at
            state.timers.arm((Alarm.SAVE, ""), save_at)
        return state.out

    def move(self, connection: int, session_id: str, update: Update, now: float) -> float | None:
        """Apply an ``Updated`` that moves a cursor and does nothing else, if it is one.

        Nine of ten messages of a busy board are. This does all that :meth:`handle` would, which
        has no effects in this case, or nothing at all.

        Args:
            connection: as in ``Updated``.
            session_id: as in ``Updated``.
            update: as in ``Updated``.
            now: scheduling seconds, as for :meth:`handle`.

        Returns:
            When to apply ``CursorTick``; None if it did nothing: call :meth:`handle`.
        """
        state = self._state
        cursor = update.cursor
        session = state.sessions.get(session_id)
        if (
            session is None
            or session.connection != connection
            or session.declared is not _ONLINE
            or session.phase is not _JOINED
            or state.save_at == math.inf
            or cursor is UNSET
            or update.status is not UNSET
            or update.metadata is not UNSET
        ):
            return None
        user = session.user
        if (
            user is None
            or user.status is not _ONLINE
            or not user.metadata_told
            or user.cursor_of is not session
            or cursor == user.cursor
        ):
            return None
        session.last_seen = session.last_activity = session.noted_seen = session.moved_at = now
        session.cursor = cursor
        state.show_cursor(user, cursor, now)
        return state.cursors.due

    def relay(self, connection: int, session_id: str, update: bytes, now: float) -> int | None:
        """Apply a ``DocumentChanged`` by the short way; see :func:`.changing.relay_at_once`."""
        return changing.relay_at_once(self._state, connection, session_id, update, now)

    def is_echo(self, connection: int, session_id: str, entries: bytes, now: float) -> bool:
        """Take awareness that only comes back; see :func:`.saying.is_echo`."""
        return is_echo(self._state, connection, session_id, entries, now)

    def _hear(self, event: Heard | HeartbeatReceived, now: float) -> None:
        state = self._state
        session = state.attached(event.connection, event.session_id)
        if session is None:
            return
        session.last_seen = now
        is_heartbeat = isinstance(event, HeartbeatReceived)
        # Pongs keep a session alive, over a restart too, but not each of them writes a row.
        is_news = is_heartbeat or now >= session.noted_seen + state.limits.heartbeat_interval_s
        if is_news and session.phase is Phase.JOINED:
            state.journal.heard(state.users[session.profile.user_id], session)
        if is_heartbeat:
            state.out.append(Send(event.connection, announce.heartbeat_ack(state.now_ms(now))))

    def _update(self, connection: int, session_id: str, update: Update | None, now: float) -> None:
        """Apply an update; None is an activity without presence fields."""
        state = self._state
        session = state.attached(connection, session_id)
        if session is None:
            return
        session.last_seen = now
        if session.phase is _JOINED:
            user = state.users[session.profile.user_id]
            state.apply(user, session, _NOTHING if update is None else update, now)
            # The common case is the cursor of a user who is online anyway: there is nothing
            # to tell, and the alarm for the status is set.
            if not (user.status is _ONLINE and session.declared is _ONLINE and user.metadata_told):
                state.tell_if_changed(user, now)
        elif update is None:
            return
        elif session.phase is Phase.ADMITTING:
            session.hold(update)
        else:
            state.out.append(Send(connection, announce.not_joined()))

    def _ring(self, now: float) -> None:
        """Act on the alarms that are due. Each checks its condition, for it may ring early."""
        state = self._state
        while (due := state.timers.pop_due(now)) is not None:
            alarm, key = due
            match alarm:
                case Alarm.SESSION_END:
                    leaving.expire(state, key, now)
                case Alarm.USER_STATUS | Alarm.USER_UNREACHABLE:
                    state.tell_if_changed(state.users[key], now)
                case Alarm.COMMIT_WAIT:
                    joining.join(state, key, now)
                case Alarm.RECLAIM | Alarm.QUEUE_NOTICE:
                    state.queue_changed = True
                case Alarm.SAVE:
                    self._save(now)
                case _:
                    watching.ring(state, alarm, key, now)

    def _save(self, now: float) -> None:
        state = self._state
        state.save_at = math.inf
        state.out.extend(
            state.journal.drain(
                state.board_id, state.users.values(), state.limits, state.epoch_ms, now
            )
        )
