"""The writes for PostgreSQL: one statement over arrays, for any number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec.structs import asdict
from sqlalchemy.dialects.postgresql import ARRAY, JSON, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.selectable import TableValuedAlias
from typing_extensions import override

from ..protocol.model import PresenceRecord
from .errors import StorageUnavailable
from .statements import Prepared, Statements, insert_row, profile_row
from .tables import KEY_COLUMNS, STATE_COLUMNS, presence, queue_mark, user_profile
from .write_batch import Closing, Heartbeat, ProfileSeen, QueueMark

_ARRAY = "new_"
"""Prefix of the parameters, since SQLAlchemy reserves the plain names of the columns."""

_PRESENCE = tuple(column.name for column in presence.c)
_PROFILE = tuple(column.name for column in user_profile.c)
_MARK = tuple(column.name for column in queue_mark.c)


def _rows(table: sa.Table, names: Sequence[str]) -> TableValuedAlias:
    """A batch as a table: ``unnest(:board_id, …) AS new (board_id, …)``."""
    arrays = [sa.bindparam(_ARRAY + name, type_=ARRAY(_sent_as(table.c[name]))) for name in names]
    columns = [sa.column(name, _sent_as(table.c[name])) for name in names]
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived(name="new")


def _sent_as(column: sa.Column[Any]) -> sa.types.TypeEngine[Any]:
    # The metadata is JSON text already; bound as JSON it would be encoded a second time.
    if column.name == "metadata":
        return sa.Text()
    return column.type


def _value(new: TableValuedAlias, name: str) -> sa.ColumnElement[object]:
    return sa.cast(new.c[name], JSON) if name == "metadata" else new.c[name]


def _build_upsert(
    table: sa.Table,
    key: Sequence[str],
    *,
    changing: Sequence[str] | None = None,
    where_newer: str | None = None,
) -> Executable:
    names = [column.name for column in table.c]
    new = _rows(table, names)
    statement = insert(table).from_select(names, sa.select(*(_value(new, name) for name in names)))
    newer = None
    if where_newer is not None:
        newer = statement.excluded[where_newer] >= table.c[where_newer]
    return statement.on_conflict_do_update(
        index_elements=list(key),
        set_={
            name: statement.excluded[name]
            for name in changing or [name for name in names if name not in key]
        },
        where=newer,
    )


def _build_update(names: Sequence[str], *, open_only: bool = False) -> Executable:
    new = _rows(presence, (*KEY_COLUMNS, *names))
    statement = (
        sa.update(presence)
        .where(presence.c.board_id == new.c.board_id)
        .where(presence.c.session_id == new.c.session_id)
        .values({name: _value(new, name) for name in names})
    )
    return statement.where(presence.c.disconnected_at.is_(None)) if open_only else statement


_UPSERT_PRESENCE = _build_upsert(presence, KEY_COLUMNS)
_UPSERT_STATE = _build_upsert(presence, KEY_COLUMNS, changing=STATE_COLUMNS)
_UPSERT_PROFILE = _build_upsert(user_profile, ("user_id",), where_newer="updated_at")
_UPSERT_MARK = _build_upsert(queue_mark, ("board_id", "user_id"), where_newer="at_ms")
_UPDATE_HEARTBEAT = _build_update(("last_heartbeat_at",))
_IS_READ_ONLY = sa.text(
    "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
)
_CLOSE = _build_update(("disconnected_at",), open_only=True)


class PostgresStatements(Statements):
    """The writes, with one array for each column as their parameters."""

    @override
    def upsert_profiles(self, profiles: Sequence[ProfileSeen]) -> Prepared:
        # Always sorted, so that two transactions cannot deadlock on two users.
        ordered = sorted(profiles, key=lambda seen: seen.profile.user_id)
        return _UPSERT_PROFILE, _columns(_PROFILE, [profile_row(seen) for seen in ordered])

    @override
    def insert_presence(self, records: Sequence[PresenceRecord]) -> Prepared:
        return _UPSERT_PRESENCE, _columns(_PRESENCE, [insert_row(r) for r in records])

    @override
    def update_presence_status(self, records: Sequence[PresenceRecord]) -> Prepared:
        return _UPSERT_STATE, _columns(_PRESENCE, [insert_row(r) for r in records])

    @override
    def update_heartbeat(self, beats: Sequence[Heartbeat]) -> Prepared:
        return _UPDATE_HEARTBEAT, _times("last_heartbeat_at", beats)

    @override
    def mark_disconnected(self, closings: Sequence[Closing]) -> Prepared:
        return _CLOSE, _times("disconnected_at", closings)

    @override
    def mark_queue(self, marks: Sequence[QueueMark]) -> Prepared:
        return _UPSERT_MARK, _columns(_MARK, [asdict(mark) for mark in marks])

    @override
    async def check_writable(self, connection: AsyncConnection) -> None:
        # After a failover the old primary may keep its connections and answer every read.
        if (await connection.execute(_IS_READ_ONLY)).scalar_one():
            raise StorageUnavailable("database.url: the database is read-only now")

    @override
    def delete_closed_before(self, before_ms: int, limit: int) -> Executable:
        key = (presence.c.board_id, presence.c.session_id)
        oldest = (
            sa.select(*key)
            .where(presence.c.disconnected_at < before_ms)
            .order_by(presence.c.disconnected_at)
            .limit(limit)
        )
        return sa.delete(presence).where(sa.tuple_(*key).in_(oldest))


def _times(column: str, items: Sequence[Heartbeat | Closing]) -> dict[str, object]:
    return {
        _ARRAY + "board_id": [item.board_id for item in items],
        _ARRAY + "session_id": [item.session_id for item in items],
        _ARRAY + column: [item.at_ms for item in items],
    }


def _columns(names: Sequence[str], rows: Sequence[dict[str, object]]) -> dict[str, object]:
    return {_ARRAY + name: [row[name] for row in rows] for name in names}
