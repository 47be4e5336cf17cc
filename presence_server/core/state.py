"""The state of one board, and the few moves that everything else is made of."""

from __future__ import annotations

import enum
import math
import zlib

from msgspec import UNSET

from ..protocol.messages import UserObject
from ..protocol.model import BoardLimits, Cursor, LeaveReason, PresenceStatus, Update
from . import announce
from .cursors import CursorTray
from .effects import Broadcast, Effect
from .journal import Journal
from .roster import Phase, Session, User
from .timers import Timers
from .waiting_queue import WaitingQueue

_ONLINE = PresenceStatus.ONLINE  # An enum's member is slow to look up.


class Alarm(enum.IntEnum):
    """What a deadline is for. Those of a session or user carry its id, the others "".

    An int, which is quick to hash.
    """

    COMMIT_WAIT = enum.auto()
    SESSION_END = enum.auto()
    USER_STATUS = enum.auto()
    USER_UNREACHABLE = enum.auto()
    RECLAIM = enum.auto()
    QUEUE_NOTICE = enum.auto()
    SAVE = enum.auto()


class BoardState:
    """Who is on a board, who waits, and what everybody was told.

    ``users`` is who holds a seat. ``out`` gathers the effects of the event at hand.
    ``line_moved`` says that seats or queue changed and the line is to be reviewed
    before the event is done. ``save_at`` is when the journal is to be
    drained, as far as an alarm is set for that.
    """

    __slots__ = (
        "board_id",
        "cursors",
        "epoch_ms",
        "journal",
        "limits",
        "line_moved",
        "out",
        "queue",
        "save_at",
        "sessions",
        "timers",
        "users",
    )

    def __init__(self, board_id: str, limits: BoardLimits, epoch_ms: int) -> None:
        self.board_id = board_id
        self.limits = limits
        self.epoch_ms = epoch_ms
        self.users: dict[str, User] = {}
        self.sessions: dict[str, Session] = {}
        self.queue = WaitingQueue()
        self.timers: Timers[tuple[Alarm, str]] = Timers()
        self.cursors = CursorTray(limits.cursor_interval_ms)
        self.journal = Journal(zlib.crc32(board_id.encode()) / 2**32)
        self.out: list[Effect] = []
        self.line_moved = False
        self.save_at = math.inf

    def now_ms(self, now: float) -> int:
        """Milliseconds since the epoch at scheduling time ``now``."""
        return self.epoch_ms + int(now * 1000)

    def current_users(self) -> list[UserObject]:
        """The list as the board was told."""
        return [user.as_seen() for user in self.users.values() if user.announced]

    def free_seats(self) -> int:
        """Never negative: whom a lowered ``board.capacity`` has no seat for is not restored."""
        return self.limits.capacity - len(self.users)

    def has_place_in_line(self) -> bool:
        """Whether the board's queue takes one more user."""
        return self.limits.queue_enabled and len(self.queue) < self.limits.queue_limit

    def attached(self, connection: int, session_id: str) -> Session | None:
        """The session a connection speaks for, unless it lives on another one by now."""
        session = self.sessions.get(session_id)
        if session is None or session.connection != connection:
            return None
        return session

    def apply(self, user: User, session: Session, update: Update, now: float) -> None:
        """Write an update into the state; the board is told by :meth:`tell_if_changed`."""
        session.last_activity = now
        declared = _ONLINE if update.status is UNSET else update.status
        if declared is not session.declared:
            session.declared = declared
            # The row's status is the session's own, whatever the user's other tabs say.
            self.journal.changed(user, session)
        self.journal.heard(user, session)
        if update.cursor is not UNSET and update.cursor != user.cursor:
            self.move_cursor(user, update.cursor, now)
        if update.metadata is not UNSET and update.metadata != user.metadata:
            user.metadata = update.metadata
            user.seen = None
            user.metadata_told = False
            self.journal.user_changed(user)

    def move_cursor(self, user: User, cursor: Cursor | None, now: float) -> None:
        """The cursor of a user is elsewhere, or gone: board, store and cache are to hear of it."""
        user.cursor = cursor
        user.seen = None
        self.cursors.moved(user.profile.user_id, cursor, now)
        self.journal.moved(user)

    def tell_if_changed(self, user: User, now: float) -> None:
        """Broadcast status, connected and metadata if the board was told otherwise."""
        status = user.current_status(now, self.limits)
        connected = user.is_reachable(now, self.limits)
        self.arm_user(user, now)
        if status is user.status and connected is user.connected and user.metadata_told:
            return
        if status is not user.status:
            self.journal.user_changed(user)
        user.status = status
        user.connected = connected
        user.seen = None
        user.metadata_told = True
        self.journal.list_changed()
        if user.announced:
            self.out.append(Broadcast(announce.presence_changed(user, self.now_ms(now))))

    def end(self, session: Session, reason: LeaveReason, now: float) -> None:
        """The session is gone; so is its user with the last one, and the board is told."""
        session_id, user_id = session.session_id, session.profile.user_id
        del self.sessions[session_id]
        self.timers.disarm((Alarm.SESSION_END, session_id))
        self.timers.disarm((Alarm.COMMIT_WAIT, session_id))
        self.line_moved = True
        if session.phase is Phase.QUEUED:
            self.queue.discard(session)
            return
        user = self.users[user_id]
        self.out.extend(
            self.journal.close(user, session, self.board_id, self.limits, self.epoch_ms, now)
        )
        del user.sessions[session_id]
        if user.sessions:
            self.tell_if_changed(user, now)
            return
        del self.users[user_id]
        self.timers.disarm((Alarm.USER_STATUS, user_id))
        self.timers.disarm((Alarm.USER_UNREACHABLE, user_id))
        self.cursors.forget(user_id)
        if user.announced:
            self.out.append(Broadcast(announce.user_left(user_id, reason, self.now_ms(now))))

    def arm_session(self, session: Session) -> None:
        """Ring when the session would end."""
        self.timers.arm((Alarm.SESSION_END, session.session_id), session.ends_at(self.limits))

    def arm_user(self, user: User, now: float) -> None:
        """Ring when time alone changes what the board is to be told of the user."""
        user_id = user.profile.user_id
        for session in user.sessions.values():
            change = session.next_status_change(now, self.limits)
            if session.phase is Phase.JOINED and change is not None:
                self.timers.arm((Alarm.USER_STATUS, user_id), change)
        since = user.detached_since()
        if since is not None and since + self.limits.reconnecting_after_s > now:
            self.timers.arm(
                (Alarm.USER_UNREACHABLE, user_id), since + self.limits.reconnecting_after_s
            )
