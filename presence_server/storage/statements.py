"""The writes of a flush as statements: many rows each, one text per dialect.

Every function returns a statement and what to execute it with: on SQLite a list
of rows (executemany), on Postgres one row of arrays for ``unnest``, which is one
round trip and one plan for any number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.sql.base import Executable

from ..protocol.model import PresenceRecord
from .write_batch import Closing, Heartbeat, ProfileSeen

Parameters = list[dict[str, object]] | dict[str, object]
Prepared = tuple[Executable, Parameters]


class Statements(Protocol):
    """The batch writes of one dialect. A batch holds a session or user at most once."""

    def upsert_profiles(self, profiles: Sequence[ProfileSeen]) -> Prepared: ...

    def insert_presence(self, records: Sequence[PresenceRecord]) -> Prepared: ...

    def update_presence_status(self, records: Sequence[PresenceRecord]) -> Prepared: ...

    def update_heartbeat(self, beats: Sequence[Heartbeat]) -> Prepared: ...

    def mark_disconnected(self, closings: Sequence[Closing]) -> Prepared: ...

    def delete_closed_before(self, before_ms: int, limit: int) -> Executable: ...


def insert_row(record: PresenceRecord) -> dict[str, object]:
    """A record by column name; times in milliseconds, metadata as text."""
    cursor = record.cursor
    return {
        "board_id": record.board_id,
        "user_id": record.user_id,
        "session_id": record.session_id,
        "status": record.status.value,
        "cursor_x": None if cursor is None else cursor.x,
        "cursor_y": None if cursor is None else cursor.y,
        "metadata": None if record.metadata is None else record.metadata.decode(),
        "last_heartbeat_at": record.last_heartbeat_at,
        "connected_at": record.connected_at,
        "disconnected_at": record.disconnected_at,
    }


def profile_row(seen: ProfileSeen) -> dict[str, object]:
    profile = seen.profile
    return {
        "user_id": profile.user_id,
        "display_name": profile.display_name,
        "avatar_url": profile.avatar_url,
        "color": profile.color,
        "updated_at": seen.at_ms,
    }
