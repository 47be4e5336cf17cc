"""Every event of the wire as a tagged msgspec struct, both ways.

Source: sections 2 to 4 of ``docs/websocket-events-specification.md``. Names that end in ``_at``,
``_time`` or ``timestamp`` are milliseconds since the epoch, UTC; ``_s`` are seconds.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from .errors import ErrorCode
from .model import Cursor, LeaveReason, PresenceStatus
from .profile import ProfileChange, UserProfile

NO_METADATA = Raw(b"null")

# --- parts of payloads ---------------------------------------------------------


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
    """A payload without fields; the decoder ignores unknown ones."""


# --- client to server ---------------------------------------------------------


class Heartbeat(Struct, frozen=True, tag_field="type", tag="heartbeat"):
    """A sign of life that asks for an answer; see ``heartbeat`` in section 3."""

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
    """The changes that a client makes to its user; see ``presence:update`` in section 3."""

    payload: UpdatePayload


class ProfileUpdate(Struct, frozen=True, tag_field="type", tag="profile:update"):
    """A change by a client of its user's profile; see ``profile:update`` in section 3."""

    payload: ProfileChange


class RefreshPayload(Struct, frozen=True):
    """A fresh token, as in ``Authorization: Bearer``."""

    token: str


class AuthRefresh(Struct, frozen=True, tag_field="type", tag="auth:refresh"):
    """A token to go on with when the one in use ends; see ``auth:refresh`` in section 3."""

    payload: RefreshPayload


class BoardLeave(Struct, frozen=True, tag_field="type", tag="board:leave"):
    """A clean leave; see ``board:leave`` in section 3."""

    payload: Empty = Empty()


ClientMessage = Heartbeat | PresenceUpdate | ProfileUpdate | AuthRefresh | BoardLeave

# --- server to client ---------------------------------------------------------


class JoinedPayload(Struct, frozen=True, rename={"self_": "self"}):
    """The whole board as it is, and the intervals that the client works by."""

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
    """The session has a seat; see ``board:joined`` in section 4."""

    payload: JoinedPayload


class QueuedPayload(Struct, frozen=True, omit_defaults=True):
    """Where the session's user stands in the queue; position 1 is next.

    ``eta_s`` is about how many seconds it takes to get a seat; None while that is not known.
    """

    board_id: str
    session_id: str
    position: int
    queue_length: int
    capacity: int
    user_id: str
    heartbeat_interval_s: float
    eta_s: float | None = None


class BoardQueued(Struct, frozen=True, tag_field="type", tag="board:queued"):
    """The session waits for a seat; see ``board:queued`` in section 4."""

    payload: QueuedPayload


class WatchingPayload(Struct, frozen=True):
    """Everybody on the board, on which the session itself has no seat yet."""

    current_users: list[UserObject]


class BoardWatching(Struct, frozen=True, tag_field="type", tag="board:watching"):
    """A session that waits sees the board meanwhile; see ``board:watching`` in section 4."""

    payload: WatchingPayload


class UserJoinedPayload(Struct, frozen=True):
    """The user, and when the first session joined."""

    user: UserObject
    timestamp: int


class UserJoined(Struct, frozen=True, tag_field="type", tag="user:joined"):
    """A user's first session joined; see ``user:joined`` in section 4."""

    payload: UserJoinedPayload


class PresenceChangedPayload(Struct, frozen=True):
    """The user's status, connection and metadata; all three, changed or not."""

    user_id: str
    status: PresenceStatus
    connected: bool
    metadata: Raw
    timestamp: int


class PresenceChanged(Struct, frozen=True, tag_field="type", tag="presence:update"):
    """Something of a user changed; see ``presence:update`` in section 4."""

    payload: PresenceChangedPayload


class UserUpdatedPayload(Struct, frozen=True):
    """The user with the new profile, and when it changed."""

    user: UserObject
    timestamp: int


class UserUpdated(Struct, frozen=True, tag_field="type", tag="user:updated"):
    """The profile of a user changed; see ``user:updated`` in section 4."""

    payload: UserUpdatedPayload


class CursorsPayload(Struct, frozen=True):
    """One ``(user_id, x, y)`` for each cursor that moved; a cursor that went has None twice."""

    cursors: list[tuple[str, float | None, float | None]]
    timestamp: int


class PresenceCursors(Struct, frozen=True, tag_field="type", tag="presence:cursors"):
    """The newest cursors; see ``presence:cursors`` in section 4."""

    payload: CursorsPayload


class UserLeftPayload(Struct, frozen=True):
    """The user, why the last session ended, and when."""

    user_id: str
    reason: LeaveReason
    timestamp: int


class UserLeft(Struct, frozen=True, tag_field="type", tag="user:left"):
    """A user's last session ended; see ``user:left`` in section 4."""

    payload: UserLeftPayload


class HeartbeatAckPayload(Struct, frozen=True):
    """The server's wall clock."""

    server_time: int


class HeartbeatAck(Struct, frozen=True, tag_field="type", tag="heartbeat:ack"):
    """The answer to a heartbeat; see ``heartbeat:ack`` in section 4."""

    payload: HeartbeatAckPayload


class AuthRefreshedPayload(Struct, frozen=True):
    """When the new token ends."""

    expires_at: int


class AuthRefreshed(Struct, frozen=True, tag_field="type", tag="auth:refreshed"):
    """The session has a new token; see ``auth:refreshed`` in section 4."""

    payload: AuthRefreshedPayload


class ChangesStoredPayload(Struct, frozen=True):
    """How many binary messages of this connection with changes are durable."""

    updates: int


class ChangesStored(Struct, frozen=True, tag_field="type", tag="document:stored"):
    """Changes of the Yjs document are durable; see ``document:stored`` in section 4."""

    payload: ChangesStoredPayload


class ErrorPayload(Struct, frozen=True, omit_defaults=True):
    """A code for programs, a sentence for developers, and when to try again, if that is known."""

    code: ErrorCode
    message: str
    retry_after_ms: int | None = None


class Error(Struct, frozen=True, tag_field="type", tag="error"):
    """The reason why the client was refused something; see ``error`` in section 4."""

    payload: ErrorPayload


ServerMessage = (
    BoardJoined
    | BoardQueued
    | BoardWatching
    | UserJoined
    | PresenceChanged
    | UserUpdated
    | PresenceCursors
    | UserLeft
    | HeartbeatAck
    | AuthRefreshed
    | ChangesStored
    | Error
)

_encoder = msgspec.json.Encoder()
_server_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


def encode(message: ServerMessage | ClientMessage) -> bytes:
    """Encode one event as compact UTF-8 JSON."""
    return _encoder.encode(message)


def encode_users(users: list[UserObject]) -> bytes:
    """Encode ``current_users`` as a JSON array; the cache holds that."""
    return _encoder.encode(users)


def decode_server(data: str | bytes) -> ServerMessage:
    """Decode one text frame of a server, as a client does.

    Raises:
        msgspec.MsgspecError: it is not an event of this protocol version.
    """
    return _server_decoder.decode(data)
