"""What is read from the store, and how rows become the core's records."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from ..protocol.model import Cursor, HistoryEntry, PresenceRecord, PresenceStatus, UserProfile
from ..protocol.profile import palette_color
from .tables import presence, user_profile
from .write_batch import OpenSession

_RECORD = tuple(
    # As text, so that Postgres hands over the JSON as it was written.
    sa.cast(column, sa.Text).label("metadata") if column.name == "metadata" else column
    for column in presence.c
)
_PROFILE = (user_profile.c.display_name, user_profile.c.avatar_url, user_profile.c.color)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_WITH_PROFILE = presence.outerjoin(user_profile, presence.c.user_id == user_profile.c.user_id)


def open_sessions(board_id: str | None) -> sa.Select[tuple[object, ...]]:
    """Rows not closed, of one board or of all, oldest first; served by ``presence_active``."""
    query = (
        sa.select(*_RECORD, *_PROFILE)
        .select_from(_WITH_PROFILE)
        .where(presence.c.disconnected_at.is_(None))
        .order_by(presence.c.connected_at, presence.c.session_id)
    )
    return query if board_id is None else query.where(presence.c.board_id == board_id)


def history(board_id: str, since_ms: int | None, limit: int) -> sa.Select[tuple[object, ...]]:
    """A board's sessions, newest first; served by ``presence_history``."""
    query = (
        sa.select(
            presence.c.user_id,
            *_PROFILE,
            presence.c.status,
            presence.c.connected_at,
            presence.c.last_heartbeat_at,
            presence.c.disconnected_at,
        )
        .select_from(_WITH_PROFILE)
        .where(presence.c.board_id == board_id)
        .order_by(presence.c.connected_at.desc(), presence.c.session_id)
        .limit(limit)
    )
    if since_ms is None:
        return query
    still_there = presence.c.disconnected_at.is_(None) | (presence.c.disconnected_at >= since_ms)
    return query.where(still_there)


def to_open_session(row: sa.RowMapping) -> OpenSession:
    """One row, which others may have written: only what is whole goes into a room.

    Raises:
        ValueError: it is not what this server writes.
    """
    x, y, metadata = row["cursor_x"], row["cursor_y"], row["metadata"]
    for name in ("last_heartbeat_at", "connected_at"):
        if not isinstance(row[name], int):
            raise ValueError(f"{name} is no time")  # noqa: TRY004 - of the row, not of the call
    if metadata is not None:
        _OBJECT.decode(metadata)
    record = PresenceRecord(
        board_id=row["board_id"],
        user_id=row["user_id"],
        session_id=row["session_id"],
        status=PresenceStatus(row["status"]),
        cursor=None if x is None or y is None else Cursor(x, y),
        metadata=None if metadata is None else metadata.encode(),
        last_heartbeat_at=row["last_heartbeat_at"],
        connected_at=row["connected_at"],
        disconnected_at=row["disconnected_at"],
    )
    return OpenSession(record, _profile(row))


def to_history(row: sa.RowMapping) -> HistoryEntry:
    profile = _profile(row)
    return HistoryEntry(
        user_id=profile.user_id,
        display_name=profile.display_name,
        avatar_url=profile.avatar_url,
        color=profile.color,
        status=PresenceStatus(row["status"]),
        connected_at=row["connected_at"],
        last_heartbeat_at=row["last_heartbeat_at"],
        disconnected_at=row["disconnected_at"],
    )


def _profile(row: sa.RowMapping) -> UserProfile:
    """A row written by hand may have no profile: the user is shown by id."""
    user_id: str = row["user_id"]
    return UserProfile(
        user_id=user_id,
        display_name=row["display_name"] or user_id,
        avatar_url=row["avatar_url"],
        color=row["color"] or palette_color(user_id),
    )
