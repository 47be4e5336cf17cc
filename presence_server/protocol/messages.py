"""The wire: every event as a tagged msgspec struct, both ways (protocol sections 2 to 4)."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from .errors import ErrorCode
from .model import Cursor, LeaveReason, PresenceStatus, UserProfile

NO_METADATA = Raw(b"null")

# --- what is inside -----------------------------------------------------------


class UserObject(UserProfile, frozen=True):
    """One user of a board as the others see them: the profile, and the state of the presence.

    Attributes:
        status: the status of the user's most present session.
        connected: false once all sessions have been detached for a few seconds.
        cursor: the newest position, or None.
        metadata: a JSON object or null.
        joined_at: when the first session got its seat, in milliseconds since the epoch.
    """

    status: PresenceStatus
    connected: bool
    cursor: Cursor | None
    metadata: Raw
    joined_at: int


class Empty(Struct, frozen=True):
    """A payload without fields; unknown ones are ignored."""


# --- client to server ---------------------------------------------------------


class Heartbeat(Struct, frozen=True, tag_field="type", tag="heartbeat"):
    payload: Empty = Empty()


class UpdatePayload(Struct, frozen=True):
    """The fields of ``presence:update``; UNSET is a field that was not given.

    The decoder checks the cursor; :func:`.decode.read_update` checks the other fields.
    """

    status: str | UnsetType = UNSET
    cursor: Cursor | None | UnsetType = UNSET
    metadata: Raw | UnsetType = UNSET
    board_id: str | UnsetType = UNSET


class PresenceUpdate(Struct, frozen=True, tag_field="type", tag="presence:update"):
    payload: UpdatePayload


class RefreshPayload(Struct, frozen=True):
    token: str


class AuthRefresh(Struct, frozen=True, tag_field="type", tag="auth:refresh"):
    payload: RefreshPayload


class BoardLeave(Struct, frozen=True, tag_field="type", tag="board:leave"):
    payload: Empty = Empty()


ClientMessage = Heartbeat | PresenceUpdate | AuthRefresh | BoardLeave

# --- server to client ---------------------------------------------------------


class JoinedPayload(Struct, frozen=True, rename={"self_": "self"}):
    board_id: str
    session_id: str
    resumed: bool
    self_: UserObject
    current_users: list[UserObject]
    capacity: int
    heartbeat_interval_s: float
    idle_after_s: float
    away_after_s: float
    updates_per_s: float
    server_time: int


class BoardJoined(Struct, frozen=True, tag_field="type", tag="board:joined"):
    payload: JoinedPayload


class QueuedPayload(Struct, frozen=True):
    board_id: str
    session_id: str
    position: int
    queue_length: int
    capacity: int
    user_id: str
    heartbeat_interval_s: float


class BoardQueued(Struct, frozen=True, tag_field="type", tag="board:queued"):
    payload: QueuedPayload


class UserJoinedPayload(Struct, frozen=True):
    user: UserObject
    timestamp: int


class UserJoined(Struct, frozen=True, tag_field="type", tag="user:joined"):
    payload: UserJoinedPayload


class PresenceChangedPayload(Struct, frozen=True):
    user_id: str
    status: PresenceStatus
    connected: bool
    metadata: Raw
    timestamp: int


class PresenceChanged(Struct, frozen=True, tag_field="type", tag="presence:update"):
    payload: PresenceChangedPayload


class CursorsPayload(Struct, frozen=True):
    cursors: list[tuple[str, float | None, float | None]]
    timestamp: int


class PresenceCursors(Struct, frozen=True, tag_field="type", tag="presence:cursors"):
    payload: CursorsPayload


class UserLeftPayload(Struct, frozen=True):
    user_id: str
    reason: LeaveReason
    timestamp: int


class UserLeft(Struct, frozen=True, tag_field="type", tag="user:left"):
    payload: UserLeftPayload


class HeartbeatAckPayload(Struct, frozen=True):
    server_time: int


class HeartbeatAck(Struct, frozen=True, tag_field="type", tag="heartbeat:ack"):
    payload: HeartbeatAckPayload


class AuthRefreshedPayload(Struct, frozen=True):
    expires_at: int


class AuthRefreshed(Struct, frozen=True, tag_field="type", tag="auth:refreshed"):
    payload: AuthRefreshedPayload


class ErrorPayload(Struct, frozen=True, omit_defaults=True):
    code: ErrorCode
    message: str
    retry_after_ms: int | None = None


class Error(Struct, frozen=True, tag_field="type", tag="error"):
    payload: ErrorPayload


ServerMessage = (
    BoardJoined
    | BoardQueued
    | UserJoined
    | PresenceChanged
    | PresenceCursors
    | UserLeft
    | HeartbeatAck
    | AuthRefreshed
    | Error
)

_encoder = msgspec.json.Encoder()
_server_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


def encode(message: ServerMessage | ClientMessage) -> bytes:
    """The JSON of one event, compact, UTF-8."""
    return _encoder.encode(message)


def encode_users(users: list[UserObject]) -> bytes:
    """The JSON array of ``current_users``: what the cache holds."""
    return _encoder.encode(users)


def decode_server(data: str | bytes) -> ServerMessage:
    """A client's view of one frame from the server.

    Raises:
        msgspec.MsgspecError: it is not an event of this protocol version.
    """
    return _server_decoder.decode(data)
