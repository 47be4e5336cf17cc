"""The words everything else is written in: profiles, records and limits."""

from __future__ import annotations

import enum

import msgspec
from msgspec import UNSET, UnsetType


class PresenceStatus(enum.StrEnum):
    """How present a user is. The values are those of the wire and the store."""

    ONLINE = "online"
    IDLE = "idle"
    AWAY = "away"


class LeaveReason(enum.StrEnum):
    """Why a user's last session ended (protocol section 4, ``user:left``)."""

    DISCONNECT = "disconnect"
    TIMEOUT = "timeout"
    RECLAIMED = "reclaimed"
    KICKED = "kicked"


class UserProfile(msgspec.Struct, frozen=True, gc=False):
    """Who a user is on a board; already cleaned (see :mod:`.profile`)."""

    user_id: str
    display_name: str
    avatar_url: str | None
    color: str


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """A position on the board's canvas, in the board's own units."""

    x: float
    y: float


class Update(msgspec.Struct, frozen=True):
    """A ``presence:update`` that follows its rules; UNSET fields were not given.

    ``metadata`` is the object's compact JSON, or None to clear it.
    """

    status: PresenceStatus | UnsetType = UNSET
    cursor: Cursor | None | UnsetType = UNSET
    metadata: bytes | None | UnsetType = UNSET


class PresenceRecord(msgspec.Struct, frozen=True):
    """One session as the store keeps it (protocol section 10).

    All times are milliseconds since the epoch, UTC. ``metadata`` is a JSON
    object, encoded compactly; ``disconnected_at`` is ``None`` while the session
    is open, which includes the time it is detached.
    """

    board_id: str
    user_id: str
    session_id: str
    status: PresenceStatus
    cursor: Cursor | None
    metadata: bytes | None
    last_heartbeat_at: int
    connected_at: int
    disconnected_at: int | None = None


class HistoryEntry(msgspec.Struct, frozen=True):
    """One session of a board, past or present, as the history route answers it.

    All times are milliseconds since the epoch, UTC. The session's id is left out, since it is
    its owner's secret.
    """

    user_id: str
    display_name: str
    avatar_url: str | None
    color: str
    status: PresenceStatus
    connected_at: int
    last_heartbeat_at: int
    disconnected_at: int | None


class BoardLimits(msgspec.Struct, frozen=True):
    """The settings a room decides by (protocol section 9). Durations in seconds."""

    capacity: int = 100
    heartbeat_interval_s: float = 30.0
    timeout_s: float = 300.0
    idle_after_s: float = 60.0
    away_after_s: float = 180.0
    leave_grace_s: float = 2.0
    reconnecting_after_s: float = 5.0
    reclaim_after_s: float = 45.0
    cursor_interval_ms: float = 50.0
    queue_enabled: bool = True
    queue_limit: int = 1000
    queue_grace_s: float = 30.0
    commit_wait_s: float = 0.25
    """How long a join waits for its row before it goes on from memory."""
    save_interval_s: float = 0.5
    """How long changed rows gather before they are handed to the store."""
    trace_interval_s: float = 2.0
    """The same for signs of life and cursors, which the next ones make out of date."""
    queue_notice_interval_s: float = 1.0
    """At most one ``board:queued`` per session in this time."""
    sessions_per_user: int = 100
    """Sessions of one user on the board, those included whose connection dropped."""
    retry_after_ms: int = 5000
    """When somebody whom there is no place for may ask again."""
