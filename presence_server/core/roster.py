"""The people on a board and their sessions: state, and what follows from it."""

from __future__ import annotations

import enum

import msgspec
from msgspec import UNSET, Raw

from ..protocol.messages import NO_METADATA, UserObject
from ..protocol.model import (
    BoardLimits,
    Cursor,
    PresenceRecord,
    PresenceStatus,
    Update,
    UserProfile,
)

_RANK = {PresenceStatus.ONLINE: 0, PresenceStatus.IDLE: 1, PresenceStatus.AWAY: 2}
_BY_RANK = (PresenceStatus.ONLINE, PresenceStatus.IDLE, PresenceStatus.AWAY)


class Phase(enum.Enum):
    """Where a session is in its life (protocol section 6)."""

    QUEUED = "queued"
    ADMITTING = "admitting"
    JOINED = "joined"


class Session:
    """One connection's session; it may outlive the connection.

    Times without a unit in their name are scheduling seconds.
    """

    __slots__ = (
        "connected_at_ms",
        "connection",
        "declared",
        "dropped_at",
        "held",
        "id_known",
        "last_activity",
        "last_seen",
        "leave_at",
        "noted_seen",
        "phase",
        "profile",
        "resumed",
        "session_id",
        "told_at",
        "told_position",
        "user",
    )

    def __init__(self, session_id: str, profile: UserProfile, now: float, now_ms: int) -> None:
        self.session_id = session_id
        self.profile = profile
        self.connection: int | None = None
        """None while detached."""
        self.user: User | None = None
        """Whose it is, from the seat on."""
        self.phase = Phase.ADMITTING
        self.connected_at_ms = now_ms
        self.last_seen = now
        self.noted_seen = now
        """The last sign of life that the store knows of, or soon will."""
        self.last_activity = now
        self.declared = PresenceStatus.ONLINE
        self.held: Update | None = None
        """What arrived while admitting, newest per field."""
        self.dropped_at: float | None = None
        self.leave_at: float | None = None
        """When it ends because its page was left."""
        self.id_known = False
        """Whether the client was told its session_id and so can come back to it."""
        self.resumed = False
        self.told_position = 0
        self.told_at = float("-inf")

    @classmethod
    def restored(
        cls, record: PresenceRecord, profile: UserProfile, now: float, epoch_ms: int
    ) -> Session:
        """An open session from the store: its drop counts from now, its life from the row."""
        session = cls(record.session_id, profile, now, record.connected_at)
        session.phase = Phase.JOINED
        session.last_seen = min(now, (record.last_heartbeat_at - epoch_ms) / 1000)
        session.noted_seen = session.last_activity = session.last_seen
        session.declared = record.status
        session.dropped_at = now
        session.id_known = True
        return session

    def hold(self, update: Update) -> None:
        """Keep an update for the moment of joining."""
        before = self.held or Update()
        self.held = Update(
            update.status if update.status is not UNSET else before.status,
            update.cursor if update.cursor is not UNSET else before.cursor,
            update.metadata if update.metadata is not UNSET else before.metadata,
        )

    def status(self, now: float, limits: BoardLimits) -> PresenceStatus:
        """The declared status, or what the watchdog makes of the silence if that is less."""
        silent = self._silence_rank(now, limits)
        return _BY_RANK[max(_RANK[self.declared], silent)]

    def next_status_change(self, now: float, limits: BoardLimits) -> float | None:
        """When silence alone makes this session less present; None if it is away."""
        rank = max(_RANK[self.declared], self._silence_rank(now, limits))
        if rank == 0:
            return self.last_activity + limits.idle_after_s
        if rank == 1:
            return self.last_activity + limits.away_after_s
        return None

    def ends_at(self, limits: BoardLimits) -> float:
        """When this session is gone unless something is heard of it."""
        end = self.last_seen + limits.timeout_s
        if self.connection is None:
            # A page left is no drop, in the queue neither: it does not hold up the line.
            if self.leave_at is not None:
                return min(end, self.leave_at)
            if self.phase is Phase.QUEUED and self.dropped_at is not None:
                return min(end, self.dropped_at + limits.queue_grace_s)
        return end

    def _silence_rank(self, now: float, limits: BoardLimits) -> int:
        # Compared in the same form as the alarms are set, so that rounding
        # cannot make an alarm ring a hair too early and find nothing to do.
        if now >= self.last_activity + limits.away_after_s:
            return 2
        return 1 if now >= self.last_activity + limits.idle_after_s else 0


class User:
    """One person on the board, who holds one seat however many tabs are open."""

    __slots__ = (
        "announced",
        "connected",
        "cursor",
        "joined_at",
        "metadata",
        "metadata_told",
        "profile",
        "seen",
        "sessions",
        "status",
    )

    def __init__(self, profile: UserProfile) -> None:
        self.profile = profile
        self.sessions: dict[str, Session] = {}
        self.announced = False
        """Whether the board was told of this user, and so will be told of the leave."""
        self.joined_at = 0
        self.status = PresenceStatus.ONLINE
        """As the board was told, like ``connected``."""
        self.connected = True
        self.cursor: Cursor | None = None
        self.metadata: bytes | None = None
        self.metadata_told = True
        self.seen: UserObject | None = None
        """What :meth:`as_seen` made last; None once something of it has changed."""

    def add(self, session: Session) -> None:
        """It is a session of this user from now on."""
        self.sessions[session.session_id] = session
        session.user = self

    def current_status(self, now: float, limits: BoardLimits) -> PresenceStatus:
        """The most present of the sessions that have joined."""
        ranks = [
            _RANK[s.status(now, limits)] for s in self.sessions.values() if s.phase is Phase.JOINED
        ]
        return _BY_RANK[min(ranks)] if ranks else self.status

    def detached_since(self) -> float | None:
        """When the last of the connections was lost; None while there is one."""
        latest = None
        for session in self.sessions.values():
            if session.dropped_at is None:
                return None
            if latest is None or session.dropped_at > latest:
                latest = session.dropped_at
        return latest

    def is_reachable(self, now: float, limits: BoardLimits) -> bool:
        """Whether to show the user as connected: a short drop does not count."""
        since = self.detached_since()
        return since is None or now < since + limits.reconnecting_after_s

    def as_seen(self) -> UserObject:
        """The user object of the wire, as the board was told."""
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

        Its cursor and metadata are the user's, whichever session wrote them: the newest ones
        then survive in every row.
        """
        return PresenceRecord(
            board_id=board_id,
            user_id=self.profile.user_id,
            session_id=session.session_id,
            status=session.status(now, limits),
            cursor=self.cursor,
            metadata=self.metadata,
            last_heartbeat_at=epoch_ms + int(session.last_seen * 1000),
            connected_at=session.connected_at_ms,
        )
