"""Builds the events that a room sends from its state."""

from __future__ import annotations

from msgspec import Raw

from ..protocol.errors import ErrorCode
from ..protocol.messages import (
    NO_METADATA,
    BoardJoined,
    BoardQueued,
    BoardWatching,
    ChangesStored,
    ChangesStoredPayload,
    Error,
    ErrorPayload,
    HeartbeatAck,
    HeartbeatAckPayload,
    JoinedPayload,
    PresenceChanged,
    PresenceChangedPayload,
    QueuedPayload,
    UserJoined,
    UserJoinedPayload,
    UserLeft,
    UserLeftPayload,
    UserObject,
    UserUpdated,
    UserUpdatedPayload,
    WatchingPayload,
)
from ..protocol.model import BoardLimits, LeaveReason
from .roster import Session, User

RETRY_AFTER_MS = 5000
"""``retry_after_ms`` when a board, or what a user or an address may have of it, is full."""


def board_joined(
    board_id: str,
    session: Session,
    user: User,
    users: list[UserObject],
    limits: BoardLimits,
    now_ms: int,
) -> BoardJoined:
    """The snapshot of the board; every later event of the session is relative to it."""
    return BoardJoined(
        JoinedPayload(
            board_id=board_id,
            session_id=session.session_id,
            resumed=session.resumed,
            self_=user.as_seen(),
            current_users=users,
            capacity=limits.capacity,
            heartbeat_interval_s=limits.heartbeat_interval_s,
            idle_after_s=limits.idle_after_s,
            away_after_s=limits.away_after_s,
            updates_per_s=limits.updates_per_s,
            server_time=now_ms,
        )
    )


def board_queued(
    board_id: str,
    session: Session,
    position: int,
    queue_length: int,
    eta_s: float | None,
    limits: BoardLimits,
) -> BoardQueued:
    """The place of a session's user in the queue; 1 is next."""
    return BoardQueued(
        QueuedPayload(
            board_id=board_id,
            session_id=session.session_id,
            position=position,
            queue_length=queue_length,
            capacity=limits.capacity,
            user_id=session.profile.user_id,
            heartbeat_interval_s=limits.heartbeat_interval_s,
            eta_s=eta_s,
        )
    )


def board_watching(users: list[UserObject]) -> BoardWatching:
    """The snapshot of the board for a session that waits for a seat."""
    return BoardWatching(WatchingPayload(users))


def user_joined(user: User, now_ms: int) -> UserJoined:
    """The first session of a user joined."""
    return UserJoined(UserJoinedPayload(user.as_seen(), now_ms))


def user_left(user_id: str, reason: LeaveReason, now_ms: int) -> UserLeft:
    """The last session of a user ended."""
    return UserLeft(UserLeftPayload(user_id, reason, now_ms))


def presence_changed(user: User, now_ms: int) -> PresenceChanged:
    """Status, connected or metadata of a user changed."""
    return PresenceChanged(
        PresenceChangedPayload(
            user.profile.user_id,
            user.status,
            user.connected,
            NO_METADATA if user.metadata is None else Raw(user.metadata),
            now_ms,
        )
    )


def user_updated(user: User, now_ms: int) -> UserUpdated:
    """The profile of a user changed."""
    return UserUpdated(UserUpdatedPayload(user.as_seen(), now_ms))


def heartbeat_ack(now_ms: int) -> HeartbeatAck:
    """The answer to a heartbeat."""
    return HeartbeatAck(HeartbeatAckPayload(now_ms))


def board_full() -> Error:
    """No seat, and no place in the queue."""
    return Error(ErrorPayload(ErrorCode.BOARD_FULL, "the board is full", RETRY_AFTER_MS))


def too_many_sessions(setting: str) -> Error:
    """The user or the address has as many sessions as ``setting`` allows."""
    text = f"too many sessions: {setting}"
    return Error(ErrorPayload(ErrorCode.RATE_LIMITED, text, RETRY_AFTER_MS))


def forbidden(reason: str) -> Error:
    """The client may not do what it did."""
    return Error(ErrorPayload(ErrorCode.FORBIDDEN, reason))


def changes_stored(updates: int) -> ChangesStored:
    """So many of a client's changes of the document are durable."""
    return ChangesStored(ChangesStoredPayload(updates))


def not_joined() -> Error:
    """A presence:update from the queue."""
    return Error(
        ErrorPayload(ErrorCode.NOT_JOINED, "presence:update before board:joined: still queued")
    )
