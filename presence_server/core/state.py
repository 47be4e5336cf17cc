"""The state of one board, and the few changes that everything else is made of."""

from __future__ import annotations

import enum
import math
import zlib

from msgspec import UNSET

from ..protocol.messages import UserObject
from ..protocol.model import BoardLimits, Cursor, LeaveReason, PresenceStatus, Update
from . import announce
from .admission_pace import AdmissionPace
from .cursors import CursorTray
from .document import Document
from .document_effects import SendBinary
from .effects import Broadcast, Effect
from .journal import Journal
from .pacing import ChangePacer
from .roster import Phase, Session, User
from .spectators import Spectators
from .timers import Timers
from .waiting_queue import WaitingQueue
from .yjs import wire

_ONLINE = PresenceStatus.ONLINE  # Not looked up in the enum with every message.


_SMALLEST_JUMP_MS = 1000
"""A wall clock that moves by less is corrected, not set: rows need not follow at once."""


class Alarm(enum.IntEnum):
    """The purpose of a deadline; a key of the timers together with a session or user id, or "".

    Its members are numbers, which are quick to hash.
    """

    COMMIT_WAIT = enum.auto()
    SESSION_END = enum.auto()
    USER_STATUS = enum.auto()
    USER_UNREACHABLE = enum.auto()
    RECLAIM = enum.auto()
    QUEUE_NOTICE = enum.auto()
    SAVE = enum.auto()
    LIFELINE = enum.auto()
    DOCUMENT = enum.auto()
    AWARENESS = enum.auto()


class BoardState:
    """The users of a board, its queue, and what the board was told of them.

    Attributes:
        users: those who hold a seat, by user id.
        sessions: all sessions, those in the queue included, by session id.
        document: the Yjs document, from the first connection on that speaks Yjs.
        spectators: the sessions in the queue that watch the board.
        out: the effects of the event at hand.
        positions_told_at: when changed positions were last sent, in scheduling seconds.
        queue_changed: seats or queue changed, so the queue is reviewed at the end of the event.
        save_at: when the journal is drained, in scheduling seconds; infinity if no alarm is set.
    """

    __slots__ = (
        "board_id",
        "changes",
        "cursors",
        "document",
        "epoch_ms",
        "journal",
        "limits",
        "out",
        "pace",
        "positions_told_at",
        "queue",
        "queue_changed",
        "save_at",
        "sessions",
        "spectators",
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
        self.pace = AdmissionPace()
        self.timers: Timers[tuple[Alarm, str]] = Timers()
        self.cursors = CursorTray(limits.cursor_interval_ms)
        self.changes = ChangePacer(limits.cursor_interval_ms)
        self.journal = Journal(zlib.crc32(board_id.encode()) / 2**32)
        self.document: Document | None = None
        self.spectators = Spectators()
        self.out: list[Effect] = []
        self.queue_changed = False
        self.positions_told_at = -math.inf
        self.save_at = math.inf

    def now_ms(self, now: float) -> int:
        """Milliseconds since the epoch at scheduling time ``now``."""
        return self.epoch_ms + int(now * 1000)

    def set_clock(self, epoch_ms: int) -> None:
        """Follow a wall clock that was set: every row gets its last sign of life by the new one."""
        was_set = abs(epoch_ms - self.epoch_ms) > _SMALLEST_JUMP_MS
        self.epoch_ms = epoch_ms
        for user in self.users.values():
            for session in user.sessions.values():
                if was_set and session.phase is Phase.JOINED:
                    self.journal.heard(user, session)

    def confirm_rows(self) -> None:
        """Write the last sign of life of sessions that dropped once more."""
        for session in self.sessions.values():
            if session.phase is Phase.JOINED and session.connection is None:
                self.journal.heard(self.users[session.profile.user_id], session)

    def current_users(self) -> list[UserObject]:
        """The list as the board was told."""
        return [user.as_seen() for user in self.users.values() if user.announced]

    def free_seats(self) -> int:
        """How many users could join now.

        Never negative: after ``board.capacity`` was lowered, fewer users are restored.
        """
        return self.limits.capacity - len(self.users)

    def queue_has_room(self) -> bool:
        """Whether one more user may wait."""
        return self.limits.queue_enabled and len(self.queue) < self.limits.queue_limit

    def attached(self, connection: int, session_id: str) -> Session | None:
        """The session that a connection owns; None if it has moved to another connection."""
        session = self.sessions.get(session_id)
        if session is None or session.connection != connection:
            return None
        return session

    def apply(self, user: User, session: Session, update: Update, now: float) -> None:
        """Write an update into the state; :meth:`tell_if_changed` tells the board."""
        session.last_activity = now
        declared = _ONLINE if update.status is UNSET else update.status
        if declared is not session.declared:
            session.declared = declared
            # A row has the status of its own session, whatever the user's other sessions say.
            self.journal.changed(user, session)
        self.journal.heard(user, session)
        if update.cursor is not UNSET:
            self.move_cursor(user, session, update.cursor, now)
        if update.metadata is not UNSET and update.metadata != user.metadata:
            user.metadata = update.metadata
            user.seen = None
            user.metadata_told = False
            self.journal.user_changed(user)

    def move_cursor(self, user: User, session: Session, cursor: Cursor | None, now: float) -> None:
        """Set the cursor of a session, and so of its user; board, store and cache will hear."""
        session.cursor = cursor
        session.moved_at = now
        if user.cursor_of is not session:
            # Of two rows one has the cursor, so both change.
            user.cursor_of = session
            self.journal.moved(user)
        if cursor != user.cursor:
            self.show_cursor(user, cursor, now)

    def show_cursor(self, user: User, cursor: Cursor | None, now: float) -> None:
        """Change the cursor that board, store and cache have of a user."""
        user.cursor = cursor
        user.seen = None
        self.cursors.moved(user.profile.user_id, cursor, now)
        self.journal.moved(user)

    def tell_if_changed(self, user: User, now: float) -> None:
        """Broadcast what the board does not know of a user: profile, status, connected, metadata.

        If the last event about the user was a moment ago, this one waits, and what changes
        meanwhile becomes part of it.
        """
        status, changes_at = user.current_status(now, self.limits)
        unreachable_at = user.unreachable_at(self.limits)
        connected = now < unreachable_at
        if changes_at < math.inf:
            self.timers.arm((Alarm.USER_STATUS, user.profile.user_id), changes_at)
        if connected and unreachable_at < math.inf:
            self.timers.arm((Alarm.USER_UNREACHABLE, user.profile.user_id), unreachable_at)
        is_same = status is user.status and connected is user.connected and user.metadata_told
        if is_same and user.profile_told:
            self.changes.forget(user)
            return
        if user.announced and self.changes.must_wait(user, now):
            return
        if status is not user.status:
            self.journal.user_changed(user)
        user.status = status
        user.connected = connected
        user.seen = None
        user.metadata_told = True
        self.journal.list_changed()
        self.note_people(now)
        if not user.announced:
            return
        user.told_at = now
        if not user.profile_told:
            user.profile_told = True
            self._ask_for_stamps(user)
            self.out.append(Broadcast(announce.user_updated(user, self.now_ms(now))))
        if not is_same:
            self.out.append(Broadcast(announce.presence_changed(user, self.now_ms(now))))

    def _ask_for_stamps(self, user: User) -> None:
        """The profile of a user changed: have the user's clients say their awareness once more."""
        if self.document is None:
            return
        awareness = self.document.awareness
        for session in user.sessions.values():
            clients = awareness.ids_of(session.session_id)
            if clients and session.connection is not None:
                message = wire.awareness(awareness.null_for(clients))
                self.out.append(SendBinary(session.connection, message))

    def end(self, session: Session, reason: LeaveReason, now: float) -> None:
        """End a session, and with its last session the user; the board hears of that."""
        session_id, user_id = session.session_id, session.profile.user_id
        del self.sessions[session_id]
        self.timers.disarm((Alarm.SESSION_END, session_id))
        self.timers.disarm((Alarm.COMMIT_WAIT, session_id))
        self.queue_changed = True
        self.spectators.forget(session)
        if self.document is not None:
            self.leave_document(session, now)
        if session.phase is Phase.QUEUED:
            self.queue.discard(session)
            return
        user = self.users[user_id]
        self.out.extend(
            self.journal.close(user, session, self.board_id, self.limits, self.epoch_ms, now)
        )
        del user.sessions[session_id]
        if user.sessions:
            if user.cursor_of is session:
                self._pass_on_cursor(user, now)
            self.tell_if_changed(user, now)
            return
        del self.users[user_id]
        self.changes.forget(user)
        self.timers.disarm((Alarm.USER_STATUS, user_id))
        self.timers.disarm((Alarm.USER_UNREACHABLE, user_id))
        self.cursors.forget(user_id)
        self.spectators.forget_cursor(user_id)
        if user.announced:
            self.out.append(Broadcast(announce.user_left(user_id, reason, self.now_ms(now))))

    def leave_document(self, session: Session, now: float) -> None:
        """A session ended: nobody sees its awareness any more."""
        assert self.document is not None
        self.timers.disarm((Alarm.AWARENESS, session.session_id))
        self.document.awareness.leave(session.session_id, now)
        if session.connection is not None:
            self.document.watchers.pop(session.connection, None)
        self.note_people(now)

    @property
    def awareness_due(self) -> float:
        """When the next awareness message is due; infinity if nobody would get it."""
        document = self.document
        return math.inf if document is None or not document.watchers else document.awareness.due

    def note_people(self, now: float) -> None:
        """The users of the board changed, or one did: review soon who shows up in awareness."""
        if self.document is not None and self.document.watchers:
            self.document.awareness.look_soon(now)

    def _pass_on_cursor(self, user: User, now: float) -> None:
        """Give a user the newest cursor of the sessions that are left, none if they set none."""
        newest = None
        for session in user.sessions.values():
            if session.moved_at > (-math.inf if newest is None else newest.moved_at):
                newest = session
        user.cursor_of = newest
        self.journal.moved(user)
        cursor = None if newest is None else newest.cursor
        if cursor != user.cursor:
            self.show_cursor(user, cursor, now)

    def arm_session(self, session: Session) -> None:
        """Set the alarm for the end of a session."""
        self.timers.arm((Alarm.SESSION_END, session.session_id), session.ends_at(self.limits))
