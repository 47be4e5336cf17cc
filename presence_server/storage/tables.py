"""The tables of both dialects; ``migrations/`` creates them.

Times are milliseconds since the epoch in Python. SQLite keeps them as integers, PostgreSQL as
``timestamptz``. ``metadata`` is JSON text in Python: the store keeps exactly the bytes that the
server wrote, so that a recovered session equals the one before the restart.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine
from typing_extensions import override

from ..protocol.model import PresenceStatus
from .write_batch import STATE_FIELDS

SCHEMA = "collab"
"""The schema in PostgreSQL. For SQLite, which has none, ``engine`` takes it out of statements."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def to_datetime(ms: int) -> datetime:
    """Milliseconds since the epoch as a datetime, exactly (a division by 1000 would round).

    Raises:
        OverflowError: the time is after the year 9999.
    """
    return _EPOCH + ms * _MS


def from_datetime(value: datetime) -> int:
    """A datetime with a time zone as milliseconds since the epoch."""
    return (value - _EPOCH) // _MS


class EpochMs(sa.types.TypeDecorator[int]):
    """A column of times: milliseconds since the epoch in Python, the dialect's type outside."""

    impl = sa.BigInteger
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        return dialect.type_descriptor(sa.BigInteger())

    @override
    def process_bind_param(self, value: int | None, dialect: Dialect) -> object:
        if value is None or dialect.name != "postgresql":
            return value
        return to_datetime(value)

    @override
    def process_result_value(self, value: object, dialect: Dialect) -> int | None:
        if isinstance(value, datetime):
            return from_datetime(value)
        assert value is None or isinstance(value, int)
        return value


class epoch_ms(sa.FunctionElement[int]):  # noqa: N801 - reads like a function of SQL
    """A column of times, read as milliseconds; null where it holds no finite time.

    The driver of PostgreSQL fails on times before the year 1 and after 9999, and that would be a
    failure of the whole query.
    """

    type = sa.BigInteger()
    inherit_cache = True


@compiles(epoch_ms)
def _compile_plain(element: epoch_ms, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(epoch_ms, "postgresql")
def _compile_postgres(element: epoch_ms, compiler: SQLCompiler, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    milliseconds = f"round(extract(epoch FROM {column}) * 1000)"
    return f"(CASE WHEN isfinite({column}) THEN {milliseconds}::bigint END)"


class can_be_board_id(sa.FunctionElement[bool]):  # noqa: N801 - reads like a function of SQL
    """Whether a column holds characters of a board's id only (``protocol.profile.is_board_id``)."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(can_be_board_id)
def _compile_glob(element: can_be_board_id, compiler: SQLCompiler, **options: Any) -> str:
    column = compiler.process(element.clauses, **options)
    return (
        f"(typeof({column}) = 'text' AND length({column}) BETWEEN 1 AND 128"
        f" AND {column} NOT GLOB '*[^A-Za-z0-9_.:~-]*')"
    )


@compiles(can_be_board_id, "postgresql")
def _compile_pattern(element: can_be_board_id, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} ~ '^[A-Za-z0-9_.:~-]{{1,128}}$')"


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

KEY_COLUMNS = ("board_id", "session_id")
"""The columns that name a row of ``presence``."""

STATE_COLUMNS = tuple(
    column
    for field in STATE_FIELDS
    for column in (("cursor_x", "cursor_y") if field == "cursor" else (field,))
)
"""The columns of ``presence`` that an update writes."""

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

queue_mark = sa.Table(
    "queue_mark",
    metadata,
    sa.Column("board_id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    schema=SCHEMA,
)

store_clock = sa.Table(
    "store_clock",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("wall_ms", sa.BigInteger, nullable=False),
    sa.Column("boot_id", sa.Text),
    sa.Column("boot_ms", sa.BigInteger, nullable=False),
    sa.Column("written_at", sa.DateTime(timezone=True)),
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

board_update = sa.Table(
    "board_update",
    metadata,
    sa.Column("board_id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("created_at", EpochMs, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    schema=SCHEMA,
)

board_snapshot = sa.Table(
    "board_snapshot",
    metadata,
    sa.Column("board_id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("updated_at", EpochMs, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    schema=SCHEMA,
)
