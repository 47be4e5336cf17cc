"""SQLite's batch writes: one prepared statement, run for each row of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.sql.base import Executable

from ..protocol.model import PresenceRecord
from .statements import Prepared, insert_row, profile_row
from .tables import presence, user_profile
from .write_batch import Closing, Heartbeat, ProfileSeen

_KEY = ("board_id", "session_id")
_STATE = ("status", "cursor_x", "cursor_y", "metadata", "last_heartbeat_at")


def _build_upsert_presence() -> Executable:
    statement = insert(presence)
    return statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={c.name: statement.excluded[c.name] for c in presence.c if c.name not in _KEY},
    )


def _build_upsert_profile() -> Executable:
    statement = insert(user_profile)
    return statement.on_conflict_do_update(
        index_elements=("user_id",),
        set_={c.name: statement.excluded[c.name] for c in user_profile.c if c.name != "user_id"},
        where=statement.excluded.updated_at >= user_profile.c.updated_at,
    )


def _of_session() -> sa.ColumnElement[bool]:
    return sa.and_(
        presence.c.board_id == sa.bindparam("key_board"),
        presence.c.session_id == sa.bindparam("key_session"),
    )


_UPSERT_PRESENCE = _build_upsert_presence()
_UPSERT_PROFILE = _build_upsert_profile()
_UPDATE_STATE = (
    sa.update(presence).where(_of_session()).values({n: sa.bindparam(n) for n in _STATE})
)
_UPDATE_HEARTBEAT = (
    sa.update(presence).where(_of_session()).values(last_heartbeat_at=sa.bindparam("at"))
)
_CLOSE = (
    sa.update(presence)
    .where(_of_session(), presence.c.disconnected_at.is_(None))
    .values(disconnected_at=sa.bindparam("at"))
)


class SqliteStatements:
    """See :class:`.statements.Statements`."""

    def upsert_profiles(self, profiles: Sequence[ProfileSeen]) -> Prepared:
        return _UPSERT_PROFILE, [profile_row(seen) for seen in profiles]

    def insert_presence(self, records: Sequence[PresenceRecord]) -> Prepared:
        return _UPSERT_PRESENCE, [insert_row(record) for record in records]

    def update_presence_status(self, records: Sequence[PresenceRecord]) -> Prepared:
        return _UPDATE_STATE, [_state_row(record) for record in records]

    def update_heartbeat(self, beats: Sequence[Heartbeat]) -> Prepared:
        return _UPDATE_HEARTBEAT, [_time_row(beat) for beat in beats]

    def mark_disconnected(self, closings: Sequence[Closing]) -> Prepared:
        return _CLOSE, [_time_row(closing) for closing in closings]

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


def _state_row(record: PresenceRecord) -> dict[str, object]:
    row = insert_row(record)
    state: dict[str, object] = {name: row[name] for name in _STATE}
    state["key_board"], state["key_session"] = record.board_id, record.session_id
    return state


def _time_row(item: Heartbeat | Closing) -> dict[str, object]:
    return {"key_board": item.board_id, "key_session": item.session_id, "at": item.at_ms}
