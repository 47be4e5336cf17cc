"""What can happen to a room. Nothing enters a room except as one of these.

``connection`` is the transport's number for one socket; it is never reused, so an
event that arrives from a socket whose session lives elsewhere by now is told
apart and ignored.
"""

from __future__ import annotations

import enum

from msgspec import Struct

from ..protocol.model import PresenceRecord, Update, UserProfile


class Parting(enum.Enum):
    """How a connection ended (protocol section 5, column "the session")."""

    LEFT = "left"
    """Gone at once: clean leave, or closed for breaking the rules."""
    PAGE_LEFT = "page_left"
    """Close 1001: detached for ``leave_grace_s``, then gone."""
    DROPPED = "dropped"
    """Everything else: detached."""


class Connect(Struct, frozen=True):
    """Somebody is at the door.

    ``session_id`` is fresh and unguessable, for use unless ``resume`` names a
    session of this user that is still there. ``ticket_id`` is the id to use instead
    if the session has to queue; ``queued_at_ms`` is since when, for somebody who
    stood in the line before the server was restarted. Without ``may_begin`` they may
    come back to a session and not begin one, without ``may_queue`` not wait for a seat: the
    server has no place for more of that.
    """

    connection: int
    session_id: str
    profile: UserProfile
    resume: str | None = None
    ticket_id: str | None = None
    queued_at_ms: int | None = None
    may_begin: bool = True
    may_queue: bool = True


class RowCommitted(Struct, frozen=True):
    """The row of an admitting session is in the store, or the store is known to be down."""

    session_id: str


class Updated(Struct, frozen=True):
    """A ``presence:update`` that follows its rules."""

    connection: int
    session_id: str
    update: Update


class Heard(Struct, frozen=True):
    """A sign of life that is not an activity: a pong, a bad message."""

    connection: int
    session_id: str


class HeartbeatReceived(Struct, frozen=True):
    """A sign of life that asks for an answer."""

    connection: int
    session_id: str


class Activity(Struct, frozen=True):
    """The user did something that carries no presence fields: a Yjs frame."""

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
    """The admission task asks for the head of the queue to be seated."""


class Tick(Struct, frozen=True):
    """A deadline may have passed."""


class CursorTick(Struct, frozen=True):
    """The cursors that moved are due."""


class Save(Struct, frozen=True):
    """The server is going down: hand over what the store does not have yet."""


class Restore(Struct, frozen=True):
    """Sessions that were open in the store when the server started.

    They come back detached: their drop counts from now, their last sign of life
    from the store. Sessions the room already knows are left alone.
    """

    sessions: tuple[tuple[PresenceRecord, UserProfile], ...]


class ClockSet(Struct, frozen=True):
    """Milliseconds since the epoch at scheduling time zero, after the wall clock was set."""

    epoch_ms: int


Event = (
    Connect
    | RowCommitted
    | Updated
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
    | ClockSet
)
