"""What is read from the store, and how a row becomes a record."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from ..protocol.model import Cursor, HistoryEntry, PresenceRecord, PresenceStatus
from ..protocol.profile import PROFILE_FIELDS, UserProfile, palette_color
from .tables import presence, user_profile
from .write_batch import OpenSession

_RECORD = tuple(
    # As text, so that PostgreSQL returns the JSON as it was written.
    sa.cast(column, sa.Text).label("metadata") if column.name == "metadata" else column
    for column in presence.c
)
_PROFILE = tuple(user_profile.c[name] for name in PROFILE_FIELDS)
_SESSION_FIELDS = tuple(name for name in HistoryEntry.__struct_fields__ if name in presence.c)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_WITH_PROFILE = presence.outerjoin(user_profile, presence.c.user_id == user_profile.c.user_id)


def open_sessions(board_id: str | None) -> sa.Select[tuple[object, ...]]:
    """Select the open rows of one board or of all, oldest first; ``presence_active`` serves it."""
    query = (
        sa.select(*_RECORD, *_PROFILE)
        .select_from(_WITH_PROFILE)
        .where(presence.c.disconnected_at.is_(None))
        .order_by(presence.c.connected_at, presence.c.session_id)
    )
    return query if board_id is None else query.where(presence.c.board_id == board_id)


def history(board_id: str, since_ms: int | None, limit: int) -> sa.Select[tuple[object, ...]]:
    """Select a board's sessions, newest first; ``presence_history`` serves it."""
    query = (
        sa.select(*(presence.c[name] for name in _SESSION_FIELDS), *_PROFILE)
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
    """Read one row. Others may write to the table too, so its values are checked.

    Raises:
        ValueError: the row is not one that this server writes.
    """
    x, y, metadata = row["cursor_x"], row["cursor_y"], row["metadata"]
    for name in ("last_heartbeat_at", "connected_at"):
        if not isinstance(row[name], int):
            raise ValueError(f"{name} is not a time")  # noqa: TRY004 - of the row, not of the call
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
    """Read one row of a board's history."""
    values = {name: row[name] for name in _SESSION_FIELDS}
    values.update(msgspec.structs.asdict(_profile(row)), status=PresenceStatus(row["status"]))
    return HistoryEntry(**values)


def _profile(row: sa.RowMapping) -> UserProfile:
    """The user's profile. A row written by others may have none; then the id is the name."""
    values = {name: row[name] for name in PROFILE_FIELDS}
    user_id: str = row["user_id"]
    values["display_name"] = values["display_name"] or user_id
    values["color"] = values["color"] or palette_color(user_id)
    return UserProfile(user_id=user_id, **values)
