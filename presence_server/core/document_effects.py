"""The effects that concern a Yjs document and the connections that speak Yjs."""

from __future__ import annotations

from msgspec import Struct

from .document_events import DocumentAnswer


class Watch(Struct, frozen=True):
    """Make the connection a watcher: it gets every later message of :class:`Relay`."""

    connection: int


class Relay(Struct, frozen=True):
    """Send a binary message to all who watch at this point of the effects."""

    message: bytes


class RelayParts(Struct, frozen=True):
    """Send a large change to all who watch at this point of the effects.

    Attributes:
        updates: the change, as updates to be merged in this order. Those who get them share them:
            they do not count as something that waits for one client alone.
    """

    updates: tuple[bytes, ...]


class SendBinary(Struct, frozen=True):
    """Send a binary message to one connection."""

    connection: int
    message: bytes


class SendAnswer(Struct, frozen=True):
    """Send a connection what it lacks: updates, and the last of them as sync step 2."""

    connection: int
    answer: DocumentAnswer


class Refuse(Struct, frozen=True):
    """A binary message of a connection was damaged: answer it, and count it as a bad one."""

    connection: int
    reason: str


class Deny(Struct, frozen=True):
    """Tell a connection that it may not change the document."""

    connection: int
    reason: str


class Confirm(Struct, frozen=True):
    """Tell a connection that counts its changes what became of some of them.

    Attributes:
        connection: the connection.
        messages: how many of its messages this is about.
        is_taken: whether the changes in them are durable; else they were not taken.
    """

    connection: int
    messages: int
    is_taken: bool


class LoadDocument(Struct, frozen=True):
    """Load the board's document."""


class Merge(Struct, frozen=True):
    """Merge and keep a change that is relayed."""

    number: int
    update: bytes


class MergeAndTell(Struct, frozen=True):
    """Check, merge and keep a change, and tell what became of it."""

    number: int
    update: bytes


class AnswerVector(Struct, frozen=True):
    """Find out what a connection lacks."""

    connection: int
    vector: bytes


ToService = LoadDocument | Merge | MergeAndTell | AnswerVector
"""The effects that the service of documents carries out."""
ToWatchers = Watch | Relay | RelayParts | SendBinary | SendAnswer | Refuse | Deny | Confirm
"""The effects that are for connections."""
DocumentEffect = ToService | ToWatchers
