"""The queries that read the store, and the way from a row to a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ..protocol.model import HistoryEntry, PresenceRecord
from ..protocol.profile import PROFILE_FIELDS, is_board_id
from . import row_values
from .tables import EpochMs, epoch_ms, presence, user_profile
from .write_batch import OpenSession

T = TypeVar("T")

log = structlog.get_logger(__name__)


def _readable(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A column as values that the driver can always read, with the column's name."""
    if isinstance(column.type, EpochMs):
        return epoch_ms(column).label(column.name)
    # As text, PostgreSQL returns JSON as it was written, and a status that it may not know.
    if column.name in ("metadata", "status"):
        return sa.cast(column, sa.Text).label(column.name)
    return column


_RECORD = tuple(_readable(column) for column in presence.c)
_PROFILE = tuple(user_profile.c[name] for name in PROFILE_FIELDS)
_SESSION_FIELDS = tuple(name for name in HistoryEntry.__struct_fields__ if name in presence.c)
_WITH_PROFILE = presence.outerjoin(user_profile, presence.c.user_id == user_profile.c.user_id)


def open_sessions(board_ids: Sequence[str] | None) -> sa.Select[tuple[object, ...]]:
    """Select the open rows of boards or of all, oldest first; ``presence_active`` serves it."""
    query = (
        sa.select(*_RECORD, *_PROFILE)
        .select_from(_WITH_PROFILE)
        .where(presence.c.disconnected_at.is_(None))
        .order_by(presence.c.connected_at, presence.c.session_id)
    )
    return query if board_ids is None else query.where(presence.c.board_id.in_(board_ids))


def history(board_id: str, since_ms: int | None, limit: int) -> sa.Select[tuple[object, ...]]:
    """Select a board's sessions, newest first; ``presence_history`` serves it."""
    query = (
        sa.select(*(_readable(presence.c[name]) for name in _SESSION_FIELDS), *_PROFILE)
        .select_from(_WITH_PROFILE)
        .where(presence.c.board_id == board_id)
        .order_by(presence.c.connected_at.desc(), presence.c.session_id)
        .limit(limit)
    )
    if since_ms is None:
        return query
    still_there = presence.c.disconnected_at.is_(None) | (presence.c.disconnected_at >= since_ms)
    return query.where(still_there)


async def read_newest(connection: AsyncConnection) -> int | None:
    """Read the newest sign of life of an open session, or end of a session if that is newer."""
    is_open = presence.c.disconnected_at.is_(None)
    last_seen = sa.select(sa.func.max(presence.c.last_heartbeat_at)).where(is_open)
    last_end = sa.select(sa.func.max(presence.c.disconnected_at)).where(~is_open)
    query = sa.select(last_seen.scalar_subquery(), last_end.scalar_subquery())
    row = (await connection.execute(query)).one()
    return max((time for time in row if time is not None), default=None)


def to_open_session(row: sa.RowMapping) -> OpenSession:
    """Read one row.

    Raises:
        ValueError: the row is not one that this server writes.
    """
    user_id = row_values.user_id(row)
    record = PresenceRecord(
        board_id=row_values.board_id(row),
        user_id=user_id,
        session_id=row_values.session_id(row),
        status=row_values.status(row),
        cursor=row_values.cursor(row),
        metadata=row_values.metadata(row),
        last_heartbeat_at=row_values.time_ms(row, "last_heartbeat_at"),
        connected_at=row_values.time_ms(row, "connected_at"),
    )
    return OpenSession(record, row_values.profile(row, user_id))


def to_history(row: sa.RowMapping) -> HistoryEntry:
    """Read one row of a board's history.

    Raises:
        ValueError: the row is not one that this server writes.
    """
    ended = row["disconnected_at"]
    return HistoryEntry(
        **msgspec.structs.asdict(row_values.profile(row, row_values.user_id(row))),
        status=row_values.status(row),
        connected_at=row_values.time_ms(row, "connected_at"),
        last_heartbeat_at=row_values.time_ms(row, "last_heartbeat_at"),
        disconnected_at=None if ended is None else row_values.time_ms(row, "disconnected_at"),
    )


def read_rows(
    rows: Iterable[sa.RowMapping], read: Callable[[sa.RowMapping], T]
) -> tuple[list[T], int]:
    """Read all rows but the broken ones, which are logged and left as they are.

    Returns:
        The rows that could be read, and how many could not.
    """
    found: list[T] = []
    broken = 0
    for row in rows:
        try:
            found.append(read(row))
        except Exception as error:
            broken += 1
            board = row.get("board_id")
            shown = board if isinstance(board, str) and is_board_id(board) else None
            log.error("a stored row cannot be read", board=shown, error=str(error))  # noqa: TRY400
    return found, broken
