"""The effects that a room asks for. The caller carries them out in their order.

An effect names a connection by the transport's number. It is skipped if that connection is
gone by then.
"""

from __future__ import annotations

from msgspec import Struct

from ..protocol.messages import ServerMessage, UserObject
from ..protocol.model import PresenceRecord
from ..protocol.profile import UserProfile
from .document_effects import DocumentEffect


class Send(Struct, frozen=True):
    """Send one event to one connection."""

    connection: int
    message: ServerMessage


class Broadcast(Struct, frozen=True):
    """Send one event to all who are members of the board at this point of the effects.

    Spectators get it as well, unless it is about cursors: they get those by ``TellSpectators``.
    """

    message: ServerMessage


class TellSpectators(Struct, frozen=True):
    """Send one event to all who are spectators of the board at this point of the effects."""

    message: ServerMessage


class AddMember(Struct, frozen=True):
    """Make the connection a member: it gets every later broadcast."""

    connection: int


class RemoveMember(Struct, frozen=True):
    """End the membership of a connection: it gets no later broadcast, as a spectator neither."""

    connection: int


class AddSpectator(Struct, frozen=True):
    """Let a connection that waits for a seat watch the board."""

    connection: int


class RemoveSpectator(Struct, frozen=True):
    """End the watching of a connection, which is about to become a member."""

    connection: int


class Bind(Struct, frozen=True):
    """Give a session to a connection: what the connection sends counts for it from now on."""

    connection: int
    session_id: str


class Close(Struct, frozen=True):
    """Close a connection; the room ignores what it sends from now on."""

    connection: int
    code: int
    reason: str = ""


class InsertRow(Struct, frozen=True):
    """Store a new session, and apply ``RowCommitted`` once it is durable."""

    record: PresenceRecord
    profile: UserProfile


class SaveRows(Struct, frozen=True):
    """Store the newest state of these sessions, soon."""

    records: tuple[PresenceRecord, ...]


class SaveProfile(Struct, frozen=True):
    """Store a user's new profile, soon.

    Attributes:
        board_id: the board.
        session_id: a session of the user that the store knows, or will know.
        profile: the profile.
        at_ms: when it changed, in milliseconds since the epoch.
    """

    board_id: str
    session_id: str
    profile: UserProfile
    at_ms: int


class SaveHeartbeats(Struct, frozen=True):
    """Store the last sign of life of these sessions, in milliseconds since the epoch, soon."""

    board_id: str
    beats: tuple[tuple[str, int], ...]


class CloseRow(Struct, frozen=True):
    """Store when a session ended, in milliseconds since the epoch."""

    board_id: str
    session_id: str
    at_ms: int


class PlaceBegan(Struct, frozen=True):
    """Store the newest queueing time of a board, in milliseconds of the queue's clock, soon."""

    board_id: str
    at_ms: int


class PlaceEnded(Struct, frozen=True):
    """Store that the place of a user in the queue ended, soon.

    Attributes:
        board_id: the board.
        user_id: the user.
        at_ms: the newest queueing time of the place's sessions, in milliseconds of the queue's
            clock: the user's tickets up to this time give no place any more.
    """

    board_id: str
    user_id: str
    at_ms: int


class Publish(Struct, frozen=True):
    """Put the board's list of users into the cache; an empty list means that nobody is left."""

    board_id: str
    users: tuple[UserObject, ...]


class SeatFree(Struct, frozen=True):
    """Wake the admission task: a seat is free, and a connected user waits."""


ToSpectators = TellSpectators | AddSpectator | RemoveSpectator
"""The effects that are for connections that wait and watch."""
ToConnections = Send | Broadcast | AddMember | RemoveMember | Bind | Close | ToSpectators
"""The effects that are for connections."""
Effect = (
    ToConnections
    | InsertRow
    | SaveRows
    | SaveProfile
    | SaveHeartbeats
    | CloseRow
    | PlaceBegan
    | PlaceEnded
    | Publish
    | SeatFree
    | DocumentEffect
)
