"""The tables, once, for both dialects; ``migrations/`` creates them.

Times are milliseconds since the epoch in Python. SQLite keeps them as integers,
Postgres as ``timestamptz``. ``metadata`` is JSON text in Python: the store keeps
exactly the bytes the server wrote, so a recovered session is the same session.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from ..protocol.model import PresenceStatus

SCHEMA = "collab"
"""The Postgres schema; SQLite has none (see ``schema_translate_map`` in ``engine``)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def to_datetime(ms: int) -> datetime:
    """Exact, unlike dividing by 1000; OverflowError past the year 9999."""
    return _EPOCH + ms * _MS


def from_datetime(value: datetime) -> int:
    return (value - _EPOCH) // _MS


class EpochMs(sa.types.TypeDecorator[int]):
    """Milliseconds since the epoch."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        return dialect.type_descriptor(sa.BigInteger())

    def process_bind_param(self, value: int | None, dialect: Dialect) -> object:
        if value is None or dialect.name != "postgresql":
            return value
        return to_datetime(value)

    def process_result_value(self, value: object, dialect: Dialect) -> int | None:
        if isinstance(value, datetime):
            return from_datetime(value)
        assert value is None or isinstance(value, int)
        return value


STATUS_NAMES = tuple(status.value for status in PresenceStatus)

_status = sa.String().with_variant(
    postgresql.ENUM(*STATUS_NAMES, name="presence_status", schema=SCHEMA, create_type=False),
    "postgresql",
)
_json = sa.Text().with_variant(postgresql.JSON(), "postgresql")
_float: sa.Double[float] = sa.Double()

metadata = sa.MetaData()

presence = sa.Table(
    "presence",
    metadata,
    sa.Column("board_id", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("session_id", sa.Text, nullable=False),
    sa.Column("status", _status, nullable=False),
    sa.Column("cursor_x", _float),
    sa.Column("cursor_y", _float),
    sa.Column("metadata", _json),
    sa.Column("last_heartbeat_at", EpochMs, nullable=False),
    sa.Column("connected_at", EpochMs, nullable=False),
    sa.Column("disconnected_at", EpochMs),
    sa.UniqueConstraint("board_id", "session_id", name="presence_session"),
    schema=SCHEMA,
)

user_profile = sa.Table(
    "user_profile",
    metadata,
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("avatar_url", sa.Text),
    sa.Column("color", sa.Text, nullable=False),
    sa.Column("updated_at", EpochMs, nullable=False),
    schema=SCHEMA,
)

server_key = sa.Table(
    "server_key",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("created_at", EpochMs, nullable=False),
    schema=SCHEMA,
)
