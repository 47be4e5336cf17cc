"""Everything that can happen to a room.

``connection`` is the transport's number of a socket. Numbers are never used again, so a room can
ignore what arrives from a socket whose session has moved to another one.
"""

from __future__ import annotations

import enum

from msgspec import Struct

from ..protocol.model import PresenceRecord, Update
from ..protocol.profile import ProfileChange, UserProfile
from .document_events import ClientDocumentEvent, DocumentEvent


class Parting(enum.Enum):
    """How a connection ended (protocol section 6, column "the session")."""

    LEFT = "left"
    """A clean leave, or a close for breaking the rules: the session is gone at once."""
    PAGE_LEFT = "page_left"
    """Close 1001: the session is detached for ``leave_grace_s``, then gone."""
    DROPPED = "dropped"
    """Everything else: the session is detached."""


class Connect(Struct, frozen=True):
    """A connection asks for a session.

    Attributes:
        connection: the transport's number.
        session_id: a new, unguessable id for the session, if it does not resume one.
        profile: the user.
        resume: the id of the session that the client had before, if it named one.
        ticket_id: the id of the session if it has to wait in the queue.
        queued_at_ms: the time of ``ticket_id``: since when the user waits, which may be before a
            restart of the server; in milliseconds of the queue's clock, which never goes back.
        may_begin: false if the client may resume a session but not begin one: its address has
            as many as it may have.
        may_queue: false if the queues of all boards together are full.
        speaks_text: false if the client understands binary messages only.
        is_guest: whether the client cannot come back as the same user.
        may_edit: whether the client may change the document.
        watches: whether the client wants to watch the board, and its document, while it waits
            for a seat.
        confirms: whether the client counts its changes until each of them is confirmed.
    """

    connection: int
    session_id: str
    profile: UserProfile
    resume: str | None = None
    ticket_id: str | None = None
    queued_at_ms: int | None = None
    may_begin: bool = True
    may_queue: bool = True
    speaks_text: bool = True
    is_guest: bool = False
    may_edit: bool = True
    watches: bool = False
    confirms: bool = False


class RowCommitted(Struct, frozen=True):
    """The row of an admitting session is durable, or the store is known to be down."""

    session_id: str


class Updated(Struct, frozen=True):
    """A client sent a valid ``presence:update``."""

    connection: int
    session_id: str
    update: Update


class ProfileChanged(Struct, frozen=True):
    """The profile of a connection's user changes, for all sessions of the user."""

    connection: int
    session_id: str
    change: ProfileChange


class Heard(Struct, frozen=True):
    """A client gave a sign of life that is no activity: a pong, or a bad message."""

    connection: int
    session_id: str


class HeartbeatReceived(Struct, frozen=True):
    """A client sent a ``heartbeat``, which asks for an answer."""

    connection: int
    session_id: str


class Activity(Struct, frozen=True):
    """A client did something that has no presence fields, such as a Yjs frame."""

    connection: int
    session_id: str


class Parted(Struct, frozen=True):
    """The connection of a session ended."""

    connection: int
    session_id: str
    how: Parting


class Kick(Struct, frozen=True):
    """An administrator removes a user."""

    user_id: str


class AdmitNext(Struct, frozen=True):
    """The first user of the queue who is connected gets a seat, if one is free."""


class Tick(Struct, frozen=True):
    """A deadline may have passed."""


class CursorTick(Struct, frozen=True):
    """The event about the cursors that moved is due, or one about a user whose changes waited."""


class Save(Struct, frozen=True):
    """The server stops: the store gets all that it does not have yet."""


class Restore(Struct, frozen=True):
    """Sessions come back that were open in the store when the server started.

    They are detached. Their last sign of life counts from the store. Sessions that the room knows
    already stay as they are.

    Attributes:
        sessions: their rows and profiles.
        dropped_at: when they lost their connections, in scheduling seconds; None: now.
    """

    sessions: tuple[tuple[PresenceRecord, UserProfile], ...]
    dropped_at: float | None = None


class ConfirmRows(Struct, frozen=True):
    """The store gets the last sign of life of sessions that dropped once more.

    It is asked like that whether it still has their rows, as the heartbeats of the others ask.
    """


class Stalled(Struct, frozen=True):
    """The server stood still for so many seconds and could not hear anybody meanwhile."""

    seconds: float


class ClockSet(Struct, frozen=True):
    """The wall clock was set: ``epoch_ms`` is its milliseconds at scheduling time zero now."""

    epoch_ms: int


Event = (
    Connect
    | RowCommitted
    | Updated
    | ProfileChanged
    | Heard
    | HeartbeatReceived
    | Activity
    | Parted
    | Kick
    | AdmitNext
    | Tick
    | CursorTick
    | Save
    | Restore
    | ConfirmRows
    | Stalled
    | ClockSet
    | ClientDocumentEvent
    | DocumentEvent
)
