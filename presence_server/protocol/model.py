"""The values that all other packages share: statuses, updates, records and limits."""

from __future__ import annotations

import enum

import msgspec
from msgspec import UNSET, UnsetType

from .profile import UserProfile


class PresenceStatus(enum.StrEnum):
    """How present a user or a session is; the wire and the store use the same values."""

    ONLINE = "online"
    IDLE = "idle"
    AWAY = "away"


class LeaveReason(enum.StrEnum):
    """Why a user's last session ended (protocol section 4, ``user:left``)."""

    DISCONNECT = "disconnect"
    TIMEOUT = "timeout"
    RECLAIMED = "reclaimed"
    KICKED = "kicked"


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


class HistoryEntry(UserProfile, frozen=True):
    """One session of a board, past or present, as the history route answers it: with the profile.

    All times are milliseconds since the epoch, UTC. The session's id is left out, since it is
    its owner's secret.
    """

    status: PresenceStatus
    connected_at: int
    last_heartbeat_at: int
    disconnected_at: int | None


class BoardLimits(msgspec.Struct, frozen=True):
    """The settings that a room decides by; ``settings/sections.py`` has their defaults.

    Attributes:
        capacity: distinct users.
        heartbeat_interval_s: how often a client says that it is there.
        timeout_s: how long a session lives after its last sign of life.
        idle_after_s: how long after the last activity a user is idle.
        away_after_s: how long after the last activity a user is away.
        leave_grace_s: how long a session lives after its page was left.
        reconnecting_after_s: how long after a drop a user is shown as not connected.
        reclaim_after_s: how long after a drop a waiting user may take the seat.
        cursor_interval_ms: the shortest time between two events about cursors.
        updates_per_s: how many updates a second a client should send at most.
        queue_enabled: whether users may wait for a seat.
        queue_limit: how many users may wait.
        queue_grace_s: how long a waiting user who dropped keeps the place.
        commit_wait_s: how long a join waits for its row before it goes on from memory.
        sessions_per_user: sessions of one user, those included whose connection dropped.
        watch_limit: clients that may watch the board while they wait.
        document_max_bytes: the size of a Yjs document.
        documents_are_stored: whether Yjs documents outlive their boards.
    """

    capacity: int
    heartbeat_interval_s: float
    timeout_s: float
    idle_after_s: float
    away_after_s: float
    leave_grace_s: float
    reconnecting_after_s: float
    reclaim_after_s: float
    cursor_interval_ms: float
    updates_per_s: float
    queue_enabled: bool
    queue_limit: int
    queue_grace_s: float
    commit_wait_s: float
    sessions_per_user: int
    watch_limit: int = 100
    document_max_bytes: int = 16 * 1024 * 1024
    documents_are_stored: bool = True
