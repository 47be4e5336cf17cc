"""What a room asks of the outside world, in the order it is to be done.

Effects about connections name them by the transport's number; a connection that
is gone by the time the effect is carried out is passed over.
"""

from __future__ import annotations

from msgspec import Struct

from ..protocol.messages import ServerMessage, UserObject
from ..protocol.model import PresenceRecord, UserProfile


class Send(Struct, frozen=True):
    """One event to one connection."""

    connection: int
    message: ServerMessage


class Broadcast(Struct, frozen=True):
    """One event to every member of the fan-out as it is at this point of the effects."""

    message: ServerMessage


class AddMember(Struct, frozen=True):
    """From here on the connection gets the board's broadcasts."""

    connection: int


class RemoveMember(Struct, frozen=True):
    """From here on the connection gets no broadcast."""

    connection: int


class Bind(Struct, frozen=True):
    """Tell a connection which session it owns."""

    connection: int
    session_id: str


class Close(Struct, frozen=True):
    """Close a connection; whatever it says from now on is ignored."""

    connection: int
    code: int
    reason: str = ""


class InsertRow(Struct, frozen=True):
    """Store a new session and say ``RowCommitted`` when it is durable."""

    record: PresenceRecord
    profile: UserProfile


class SaveRows(Struct, frozen=True):
    """Store the newest state of these sessions, soon."""

    records: tuple[PresenceRecord, ...]


class SaveHeartbeats(Struct, frozen=True):
    """Store the last sign of life of these sessions, in milliseconds since the epoch, soon."""

    board_id: str
    beats: tuple[tuple[str, int], ...]


class CloseRow(Struct, frozen=True):
    """A session ended at this time, in milliseconds since the epoch."""

    board_id: str
    session_id: str
    at_ms: int


class Publish(Struct, frozen=True):
    """The board's list for the cache; empty means nobody is there any more."""

    board_id: str
    users: tuple[UserObject, ...]


class SeatFree(Struct, frozen=True):
    """A seat is free and somebody waits: wake the admission task."""


Effect = (
    Send
    | Broadcast
    | AddMember
    | RemoveMember
    | Bind
    | Close
    | InsertRow
    | SaveRows
    | SaveHeartbeats
    | CloseRow
    | Publish
    | SeatFree
)
