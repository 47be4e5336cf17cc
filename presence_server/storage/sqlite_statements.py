"""The writes for SQLite: one prepared statement, executed for each row of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec.structs import asdict
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable
from typing_extensions import override

from ..protocol.model import PresenceRecord
from .statements import Prepared, Statements, insert_row, profile_row
from .tables import KEY_COLUMNS, STATE_COLUMNS, presence, queue_mark, user_profile
from .write_batch import Closing, Heartbeat, ProfileSeen, QueueMark


def _build_upsert(
    table: sa.Table,
    key: Sequence[str],
    *,
    changing: Sequence[str] | None = None,
    where_newer: str | None = None,
) -> Executable:
    statement = insert(table)
    newer = None
    if where_newer is not None:
        newer = statement.excluded[where_newer] >= table.c[where_newer]
    return statement.on_conflict_do_update(
        index_elements=key,
        set_={
            name: statement.excluded[name]
            for name in changing or [c.name for c in table.c if c.name not in key]
        },
        where=newer,
    )


def _of_session() -> sa.ColumnElement[bool]:
    return sa.and_(
        presence.c.board_id == sa.bindparam("key_board"),
        presence.c.session_id == sa.bindparam("key_session"),
    )


_UPSERT_PRESENCE = _build_upsert(presence, KEY_COLUMNS)
_UPSERT_PROFILE = _build_upsert(user_profile, ("user_id",), where_newer="updated_at")
_UPSERT_MARK = _build_upsert(queue_mark, ("board_id", "user_id"), where_newer="at_ms")
_UPSERT_STATE = _build_upsert(presence, KEY_COLUMNS, changing=STATE_COLUMNS)
_UPDATE_HEARTBEAT = (
    sa.update(presence).where(_of_session()).values(last_heartbeat_at=sa.bindparam("at"))
)
_CLOSE = (
    sa.update(presence)
    .where(_of_session(), presence.c.disconnected_at.is_(None))
    .values(disconnected_at=sa.bindparam("at"))
)


class SqliteStatements(Statements):
    """The writes, with a list of rows as their parameters."""

    @override
    def upsert_profiles(self, profiles: Sequence[ProfileSeen]) -> Prepared:
        return _UPSERT_PROFILE, [profile_row(seen) for seen in profiles]

    @override
    def insert_presence(self, records: Sequence[PresenceRecord]) -> Prepared:
        return _UPSERT_PRESENCE, [insert_row(record) for record in records]

    @override
    def update_presence_status(self, records: Sequence[PresenceRecord]) -> Prepared:
        return _UPSERT_STATE, [insert_row(record) for record in records]

    @override
    def update_heartbeat(self, beats: Sequence[Heartbeat]) -> Prepared:
        return _UPDATE_HEARTBEAT, [_time_row(beat) for beat in beats]

    @override
    def mark_disconnected(self, closings: Sequence[Closing]) -> Prepared:
        return _CLOSE, [_time_row(closing) for closing in closings]

    @override
    def mark_queue(self, marks: Sequence[QueueMark]) -> Prepared:
        return _UPSERT_MARK, [asdict(mark) for mark in marks]

    @override
    async def check_writable(self, connection: AsyncConnection) -> None:
        await connection.execute(sa.select(1))

    @override
    def delete_closed_before(self, before_ms: int, limit: int) -> Executable:
        row_id: sa.ColumnClause[int] = sa.literal_column("rowid")
        oldest = (
            sa.select(row_id)
            .select_from(presence)
            .where(presence.c.disconnected_at < before_ms)
            .order_by(presence.c.disconnected_at)
            .limit(limit)
        )
        return sa.delete(presence).where(row_id.in_(oldest))


def _time_row(item: Heartbeat | Closing) -> dict[str, object]:
    return {"key_board": item.board_id, "key_session": item.session_id, "at": item.at_ms}
