"""The batch that one transaction writes to the store, and the records that it reads."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..protocol.model import PresenceRecord
from ..protocol.profile import UserProfile

STATE_FIELDS = ("status", "cursor", "metadata", "last_heartbeat_at")
"""The fields of a :class:`PresenceRecord` that change while its session is open.

The columns that an update writes (``tables.STATE_COLUMNS``) and the statements of both dialects
are made from this list.
"""


QUEUE_MARK_AGE_MS = 86_400_000
"""A day: the time after which a place in a queue, and all that is stored of it, is forgotten."""


class Heartbeat(Struct, frozen=True):
    """A session's last sign of life, in milliseconds since the epoch."""

    board_id: str
    session_id: str
    at_ms: int


class Closing(Struct, frozen=True):
    """When a session ended, in milliseconds since the epoch."""

    board_id: str
    session_id: str
    at_ms: int


class QueueMark(Struct, frozen=True):
    """A time of a board's queue, in milliseconds of the queue's clock.

    Attributes:
        board_id: the board.
        user_id: the user whose place ended: the user's queueing times up to this one give no
            place any more. Empty for the newest queueing time of the board.
        at_ms: the time.
    """

    board_id: str
    user_id: str
    at_ms: int


class ProfileSeen(Struct, frozen=True):
    """A profile and the time it was the user's newest, in milliseconds since the epoch."""

    profile: UserProfile
    at_ms: int


class ClockReading(Struct, frozen=True):
    """The wall clock of a server beside one that nobody sets, at one moment.

    Attributes:
        wall_ms: milliseconds since the epoch.
        boot_id: names the boot of the machine; None if it cannot be told.
        boot_ms: milliseconds since that boot.
    """

    wall_ms: int
    boot_id: str | None
    boot_ms: int


class DocumentRow(Struct, frozen=True):
    """A part of a Yjs document: changes, or all that was changed so far.

    Attributes:
        board_id: the board.
        seq: the number of the last change in ``data``; numbers of one board only grow.
        data: the changes as :func:`.documents.join_updates` makes them; for a snapshot one update
            that holds the whole document.
        at_ms: when it was made, in milliseconds since the epoch.
    """

    board_id: str
    seq: int
    data: bytes
    at_ms: int


class DocumentOpened(Struct, frozen=True):
    """When a stored document was opened, in milliseconds since the epoch."""

    board_id: str
    at_ms: int


class DocumentBatch(Struct, frozen=True):
    """What one flush writes of documents, in this order.

    Attributes:
        deleted: boards whose document is deleted.
        updates: new rows of changes, at most one for each board and number.
        snapshots: each replaces the snapshot of its board and all its changes up to ``seq``.
        opened: the documents that were opened.
    """

    deleted: Sequence[str] = ()
    updates: Sequence[DocumentRow] = ()
    snapshots: Sequence[DocumentRow] = ()
    opened: Sequence[DocumentOpened] = ()


class WriteBatch(Struct, frozen=True):
    """Everything one flush writes. A session appears at most once in each part.

    The parts are applied in this order, in one transaction. Closings precede inserts, since a
    new session may take the seat of one that has ended.
    """

    profiles: Sequence[ProfileSeen] = ()
    closings: Sequence[Closing] = ()
    inserts: Sequence[PresenceRecord] = ()
    marks: Sequence[QueueMark] = ()
    updates: Sequence[PresenceRecord] = ()
    heartbeats: Sequence[Heartbeat] = ()
    documents: DocumentBatch = DocumentBatch()
    clock: ClockReading | None = None


class OpenSession(Struct, frozen=True):
    """A row whose session has not ended, with its user's newest profile."""

    record: PresenceRecord
    profile: UserProfile
