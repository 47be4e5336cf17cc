"""What goes into the store in one transaction, and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..protocol.model import PresenceRecord, UserProfile


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


class ProfileSeen(Struct, frozen=True):
    """A profile and when it was newest, in milliseconds since the epoch."""

    profile: UserProfile
    at_ms: int


class WriteBatch(Struct, frozen=True):
    """Everything one flush writes. Within each part a session appears once.

    The parts are applied in this order, in one transaction.
    """

    profiles: Sequence[ProfileSeen] = ()
    inserts: Sequence[PresenceRecord] = ()
    updates: Sequence[PresenceRecord] = ()
    heartbeats: Sequence[Heartbeat] = ()
    closings: Sequence[Closing] = ()


class OpenSession(Struct, frozen=True):
    """A row whose session had not ended, with its user's newest profile."""

    record: PresenceRecord
    profile: UserProfile
