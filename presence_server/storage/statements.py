"""The part of the writes that both dialects share: their interface, and records as rows.

A statement comes with its parameters. On SQLite these are a list of rows (executemany); on
PostgreSQL one row of arrays for ``unnest``, so that a batch of any size is one round trip and
one plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import sqlalchemy as sa
from msgspec.structs import asdict
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable

from ..protocol.model import PresenceRecord
from .tables import presence, user_profile
from .write_batch import Closing, Heartbeat, ProfileSeen, QueueMark

Parameters = list[dict[str, object]] | dict[str, object]
Prepared = tuple[Executable, Parameters]
"""A statement, and what to execute it with."""


class Statements(Protocol):
    """The writes of one dialect. A batch holds a session or a user at most once."""

    def upsert_profiles(self, profiles: Sequence[ProfileSeen]) -> Prepared:
        """Store profiles; a stored profile that is newer stays."""
        ...

    def insert_presence(self, records: Sequence[PresenceRecord]) -> Prepared:
        """Add rows, or replace those of the same board and session."""
        ...

    def update_presence_status(self, records: Sequence[PresenceRecord]) -> Prepared:
        """Set the state columns, and add rows that are missing."""
        ...

    def update_heartbeat(self, beats: Sequence[Heartbeat]) -> Prepared:
        """Set the last sign of life of existing rows."""
        ...

    def mark_disconnected(self, closings: Sequence[Closing]) -> Prepared:
        """Close open rows; a closed row keeps its time."""
        ...

    def mark_queue(self, marks: Sequence[QueueMark]) -> Prepared:
        """Store times of queues; a stored time that is newer stays."""
        ...

    async def check_writable(self, connection: AsyncConnection) -> None:
        """Raise an error of the driver, or a ``StorageError``, if the store takes no writes."""
        ...

    def delete_closed_before(self, before_ms: int, limit: int) -> Executable:
        """Delete the ``limit`` rows closed first, of those closed before a time."""
        ...


def delete_profiles_before(before_ms: int, limit: int) -> Executable:
    """Delete profiles seen before a time, of users without a session; ``presence_user`` serves it.

    Args:
        before_ms: milliseconds since the epoch.
        limit: the number of profiles at most.
    """
    has_session = sa.exists().where(presence.c.user_id == user_profile.c.user_id)
    oldest = (
        sa.select(user_profile.c.user_id)
        .where(user_profile.c.updated_at < before_ms)
        .where(~has_session)
        .order_by(user_profile.c.updated_at)
        .limit(limit)
    )
    return sa.delete(user_profile).where(user_profile.c.user_id.in_(oldest))


def insert_row(record: PresenceRecord) -> dict[str, object]:
    """A record by column name; times in milliseconds, metadata as text."""
    row = asdict(record)
    cursor = record.cursor
    del row["cursor"]
    row["cursor_x"] = None if cursor is None else cursor.x
    row["cursor_y"] = None if cursor is None else cursor.y
    row["status"] = record.status.value
    row["metadata"] = None if record.metadata is None else record.metadata.decode()
    return row


def profile_row(seen: ProfileSeen) -> dict[str, object]:
    """A profile by column name, with the time it was seen."""
    return {**asdict(seen.profile), "updated_at": seen.at_ms}
