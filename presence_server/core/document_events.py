"""The events about a Yjs document: what clients say, and what the service of documents answers.

The service answers the calls of :class:`.rooms.ports.Documents` in the order of the calls of one
board. Nothing else of the service changes a room.
"""

from __future__ import annotations

import enum

from msgspec import Struct


class MergeOutcome(enum.Enum):
    """The outcome of one update."""

    MERGED = "merged"
    """The document has it now, or had it before."""
    PARTIAL = "partial"
    """Its part that follows on the document is merged. The rest follows on changes that the
    document does not have, and was dropped."""
    GAP = "gap"
    """It follows on changes that the document does not have. It was dropped."""
    DAMAGED = "damaged"
    """It is not a valid update. It was dropped."""
    TOO_LARGE = "too_large"
    """The document would be larger than ``documents.max_bytes``. It was dropped."""


class DocumentAnswer(Struct, frozen=True, eq=False, weakref=True):
    """The changes that a client lacks.

    Two clients that lack the same of the same version of the document get the same object, so
    that the room makes its frames once.

    Attributes:
        parts: one update or more, each of at most 256 KiB unless one struct alone is larger; they
            are valid in this order. The last one is sent as sync step 2.
    """

    parts: tuple[bytes, ...]


class DocumentLoaded(Struct, frozen=True):
    """The document is there, as the store has it: the answer to ``open``.

    Attributes:
        vector: its state vector, before any update that came after ``open``.
        size: the length of the whole document as one update, in bytes.
        may_change: false if it is new and no new document may be stored
            (``documents.max_total_bytes``): its changes are refused.
    """

    vector: bytes
    size: int
    may_change: bool = True


class DocumentMerged(Struct, frozen=True):
    """One update was worked through: the answer to ``merge_and_tell``.

    Attributes:
        number: the number of the update.
        outcome: what became of it.
        update: what it changed, as an update; None if it changed nothing.
        raised: how far the changes of the clients in it have come, as a state vector; the whole one
            would take long to read.
        size: the length of the whole document as one update, in bytes; an estimate that is too
            high is allowed, one that is above ``documents.max_bytes`` is not.
        parts: the same as ``update`` in updates to be merged in this order, each of at most
            256 KiB unless one struct alone is larger; empty if it is not longer than that.
    """

    number: int
    outcome: MergeOutcome
    update: bytes | None
    raised: bytes
    size: int
    parts: tuple[bytes, ...] = ()


class DocumentAnswered(Struct, frozen=True):
    """The service answers ``answer``: it knows the changes that a client lacks."""

    connection: int
    answer: DocumentAnswer


class AnswerFailed(Struct, frozen=True):
    """The service cannot answer ``answer`` now: the room asks it once more, later.

    Attributes:
        connection: the client's connection.
        vector: the client's state vector.
    """

    connection: int
    vector: bytes


class AnswerPostponed(Struct, frozen=True):
    """The last answer is still on its way to a client: the room asks for the next one later.

    Attributes:
        connection: the client's connection.
        vector: the client's state vector.
    """

    connection: int
    vector: bytes


class DocumentStored(Struct, frozen=True):
    """Every update up to this number is durable. Where nothing is stored: is merged."""

    number: int


class DocumentSized(Struct, frozen=True):
    """The exact length of the document as one update is known, in bytes, as of this number."""

    number: int
    size: int


class UpdateSetAside(Struct, frozen=True):
    """An update was given up, since it ended the helper process twice.

    Attributes:
        number: the number of the update; its sender is closed.
        vector: the document's state vector without it, which replaces the room's.
    """

    number: int
    vector: bytes


class DocumentDeleted(Struct, frozen=True):
    """An administrator deleted the document: those who watch it are closed with 1012."""


class DocumentAsked(Struct, frozen=True):
    """A client sent sync step 1: its state vector, which was checked."""

    connection: int
    session_id: str
    vector: bytes


class DocumentChanged(Struct, frozen=True):
    """A client sent an update, which may be damaged.

    Attributes:
        connection: the transport's number.
        session_id: the session that the connection owns.
        update: the update.
        is_answer: whether it is a sync step 2: all that the client has and the server lacked.
    """

    connection: int
    session_id: str
    update: bytes
    is_answer: bool


class AwarenessSaid(Struct, frozen=True):
    """A client sent awareness entries, which may be damaged."""

    connection: int
    session_id: str
    entries: bytes


class AwarenessAsked(Struct, frozen=True):
    """A client asked for the awareness of everybody."""

    connection: int
    session_id: str


class RoleChanged(Struct, frozen=True):
    """A client may change the document from now on, or may not any more."""

    connection: int
    session_id: str
    may_edit: bool


ClientDocumentEvent = DocumentAsked | DocumentChanged | AwarenessSaid | AwarenessAsked | RoleChanged
"""The events that come from clients."""
DocumentEvent = (
    DocumentLoaded
    | DocumentMerged
    | DocumentAnswered
    | AnswerFailed
    | AnswerPostponed
    | DocumentStored
    | DocumentSized
    | UpdateSetAside
    | DocumentDeleted
)
"""The events that come from the service, or in its place."""
