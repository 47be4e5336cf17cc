"""The users of a board and their sessions: state, and what follows from it.

The life of a session. ``gone`` means that the room forgets the session; with its last session
the user is gone, too, and the board hears ``user:left``. ``detached`` is the phase ``joined``
without a connection. A test plays each line and compares the specification's diagram::

    phase      event                               next       effects
    ---------  ----------------------------------  ---------  -----------------------------
    (none)     Connect: a seat is free             admitting  Bind InsertRow
    (none)     Connect: the board is full          queued     Bind Send
    (none)     Connect: the queue is full          (none)     Send Close
    (none)     Restore                             detached   Broadcast
    queued     AdmitNext                           admitting  Bind InsertRow
    queued     Parted: dropped                     queued     RemoveMember
    queued     Connect: resumed                    queued     Bind Send
    queued     Parted: left                        gone       RemoveMember
    queued     Tick: the grace is over             gone
    queued     Kick                                gone       RemoveMember Close
    admitting  RowCommitted                        joined     Broadcast Send AddMember
    admitting  Parted: dropped                     gone       RemoveMember CloseRow
    admitting  Kick                                gone       RemoveMember Close CloseRow
    joined     Parted: dropped                     detached   RemoveMember
    joined     Parted: the page was left           detached   RemoveMember
    joined     Parted: left                        gone       RemoveMember CloseRow Broadcast
    joined     Tick: silent for too long           gone       RemoveMember Close CloseRow Broadcast
    joined     Kick                                gone       RemoveMember Close CloseRow Broadcast
    detached   Connect: resumed                    joined     Bind Send AddMember
    detached   Tick: silent for too long           gone       CloseRow Broadcast
    detached   Tick: the leave grace is over       gone       CloseRow Broadcast
    detached   Tick: the seat is reclaimed         gone       CloseRow Broadcast
    detached   Kick                                gone       CloseRow Broadcast

The effects of journal (``SaveRows``, ``SaveHeartbeats``, ``Publish``) and queue (``SeatFree``)
come beside these.
"""

from __future__ import annotations

import enum
import math

import msgspec
from msgspec import UNSET, Raw

from ..protocol.messages import NO_METADATA, UserObject
from ..protocol.model import BoardLimits, Cursor, PresenceRecord, PresenceStatus, Update
from ..protocol.profile import UserProfile

_IDLE, _AWAY = PresenceStatus.IDLE, PresenceStatus.AWAY
_BY_RANK = (PresenceStatus.ONLINE, _IDLE, _AWAY)


class Phase(enum.Enum):
    """The phases of a session that is not gone; see the table above."""

    QUEUED = "queued"
    """Its user waits for a seat."""
    ADMITTING = "admitting"
    """Its user has a seat; its row is not durable yet."""
    JOINED = "joined"
    """It is on the board's list, with a connection or (detached) without one."""


_JOINED = Phase.JOINED


class Session:
    """The session of one connection; it may outlive the connection.

    Times without a unit in their name are scheduling seconds.
    """

    __slots__ = (
        "confirms",
        "connected_at_ms",
        "connection",
        "cursor",
        "declared",
        "dropped_at",
        "held",
        "id_known",
        "is_guest",
        "last_activity",
        "last_seen",
        "leave_at",
        "may_edit",
        "moved_at",
        "noted_seen",
        "phase",
        "profile",
        "resumed",
        "session_id",
        "speaks_text",
        "told_at",
        "told_position",
        "user",
        "watches",
    )

    def __init__(self, session_id: str, profile: UserProfile, now: float, now_ms: int) -> None:
        self.session_id = session_id
        self.profile = profile
        self.connection: int | None = None
        """None while detached."""
        self.user: User | None = None
        """The user that it belongs to; None in the queue."""
        self.phase = Phase.ADMITTING
        self.connected_at_ms = now_ms
        self.last_seen = now
        self.noted_seen = now
        """The last sign of life that the store knows, or will know soon."""
        self.last_activity = now
        self.declared = PresenceStatus.ONLINE
        self.cursor: Cursor | None = None
        self.moved_at = -math.inf
        """When it last set its cursor; minus infinity if it never did."""
        self.held: Update | None = None
        """The updates that arrived while admitting: the newest value of each field."""
        self.dropped_at: float | None = None
        self.leave_at: float | None = None
        """When it ends because its page was left; None if it was not."""
        self.id_known = False
        """Whether the client knows the session id, and so can resume it."""
        self.speaks_text = True
        """False if its client understands binary messages only, and so cannot know the id."""
        self.is_guest = False
        """Whether its client cannot come back as the same user."""
        self.watches = False
        """Whether its client watches the board and its Yjs document while it waits for a seat."""
        self.may_edit = True
        """Whether its client may change the Yjs document."""
        self.confirms = False
        """Whether its client counts its changes until each of them is confirmed."""
        self.resumed = False
        self.told_position = 0
        self.told_at = float("-inf")

    @classmethod
    def restored(
        cls, record: PresenceRecord, profile: UserProfile, now: float, epoch_ms: int
    ) -> Session:
        """Make a detached session of a row: its drop is now, its last sign of life the row's."""
        session = cls(record.session_id, profile, now, record.connected_at)
        session.phase = Phase.JOINED
        session.last_seen = min(now, (record.last_heartbeat_at - epoch_ms) / 1000)
        session.noted_seen = session.last_activity = session.last_seen
        session.declared = record.status
        session.dropped_at = now
        session.id_known = True
        if record.cursor is not None:
            session.cursor, session.moved_at = record.cursor, session.last_seen
        return session

    def hold(self, update: Update) -> None:
        """Keep an update until the session joins."""
        before = self.held or Update()
        self.held = Update(
            update.status if update.status is not UNSET else before.status,
            update.cursor if update.cursor is not UNSET else before.cursor,
            update.metadata if update.metadata is not UNSET else before.metadata,
        )

    def delay(self, seconds: float, now: float) -> None:
        """Move every deadline of the session by a time that does not count, which ended now.

        Alarms that ring at the old times find that it is too early and are set again.
        """
        self.last_seen = min(now, self.last_seen + seconds)
        self.last_activity = min(now, self.last_activity + seconds)
        if self.dropped_at is not None:
            self.dropped_at = min(now, self.dropped_at + seconds)
        if self.leave_at is not None:
            self.leave_at += seconds

    def status(self, now: float, limits: BoardLimits) -> PresenceStatus:
        """The status that the client declared, or the one of its silence if that is less."""
        return _BY_RANK[self.rank(now, limits)]

    def rank(self, now: float, limits: BoardLimits) -> int:
        """The status as a number: 0 is online, 1 is idle, 2 is away."""
        # The same sums as those of the alarms: otherwise rounding could make an alarm ring a
        # little too early and find nothing to do.
        if self.declared is _AWAY or now >= self.last_activity + limits.away_after_s:
            return 2
        if self.declared is _IDLE or now >= self.last_activity + limits.idle_after_s:
            return 1
        return 0

    def ends_at(self, limits: BoardLimits) -> float:
        """When this session ends if no sign of life comes."""
        end = self.last_seen + limits.timeout_s
        if self.connection is None:
            # A page that was left is not a drop, nor does it hold up the queue.
            if self.leave_at is not None:
                return min(end, self.leave_at)
            if self.is_guest and not self.speaks_text and self.dropped_at is not None:
                return min(end, self.dropped_at + limits.reconnecting_after_s)
            if self.phase is Phase.QUEUED and self.dropped_at is not None:
                return min(end, self.dropped_at + limits.queue_grace_s)
        return end


class User:
    """One user of the board, who holds one seat however many sessions there are."""

    __slots__ = (
        "announced",
        "connected",
        "cursor",
        "cursor_of",
        "joined_at",
        "metadata",
        "metadata_told",
        "profile",
        "profile_told",
        "seen",
        "sessions",
        "status",
        "told_at",
    )

    def __init__(self, profile: UserProfile) -> None:
        self.profile = profile
        self.sessions: dict[str, Session] = {}
        self.announced = False
        """Whether the board knows of this user, and so will hear of the leave."""
        self.joined_at = 0
        self.status = PresenceStatus.ONLINE
        """The status that the board knows; ``connected`` likewise."""
        self.connected = True
        self.told_at = -math.inf
        """When the board last got a ``presence:update`` or ``user:updated`` about this user."""
        self.cursor: Cursor | None = None
        self.cursor_of: Session | None = None
        """The session that set the cursor; the cursor goes with it."""
        self.metadata: bytes | None = None
        self.metadata_told = True
        self.profile_told = True
        self.seen: UserObject | None = None
        """The last result of :meth:`as_seen`; None once something of it has changed."""

    def add(self, session: Session) -> None:
        """Make a session one of this user's."""
        self.sessions[session.session_id] = session
        session.user = self

    def current_status(self, now: float, limits: BoardLimits) -> tuple[PresenceStatus, float]:
        """Combine the sessions that have joined: the status is that of the most present one.

        Returns:
            The status, and when it changes if no session acts: infinity for never.
        """
        best, acted_at = 3, -math.inf
        for session in self.sessions.values():
            if session.phase is _JOINED:
                rank = session.rank(now, limits)
                if rank < best:
                    best, acted_at = rank, session.last_activity
                elif rank == best and session.last_activity > acted_at:
                    acted_at = session.last_activity
        if best == 3:
            return self.status, math.inf
        silence_s = (limits.idle_after_s, limits.away_after_s, math.inf)[best]
        return _BY_RANK[best], acted_at + silence_s

    def detached_since(self) -> float | None:
        """When the last connection was lost; None while there is one."""
        latest = None
        for session in self.sessions.values():
            if session.dropped_at is None:
                return None
            if latest is None or session.dropped_at > latest:
                latest = session.dropped_at
        return latest

    def unreachable_at(self, limits: BoardLimits) -> float:
        """When the user stops to show as connected: infinity if a session has a connection."""
        since = self.detached_since()
        return math.inf if since is None else since + limits.reconnecting_after_s

    def as_seen(self) -> UserObject:
        """The user object of the wire, as the board knows it."""
        if self.seen is None:
            # By position: a user object begins with the profile's fields. mypy cannot count those.
            self.seen = UserObject(  # type: ignore[call-arg]
                *msgspec.structs.astuple(self.profile),
                self.status,
                self.connected,
                self.cursor,
                NO_METADATA if self.metadata is None else Raw(self.metadata),
                self.joined_at,
            )
        return self.seen

    def record(
        self, session: Session, board_id: str, epoch_ms: int, now: float, limits: BoardLimits
    ) -> PresenceRecord:
        """Make the row of one session.

        Its metadata are the user's, whichever session wrote them: the newest ones then survive
        in every row. The user's cursor is in the row of the session that set it.
        """
        return PresenceRecord(
            board_id=board_id,
            user_id=self.profile.user_id,
            session_id=session.session_id,
            status=session.status(now, limits),
            cursor=self.cursor if self.cursor_of is session else None,
            metadata=self.metadata,
            last_heartbeat_at=epoch_ms + int(session.last_seen * 1000),
            connected_at=session.connected_at_ms,
        )
