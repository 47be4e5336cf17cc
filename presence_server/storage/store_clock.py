"""What the wall clock was when something was last written, beside clocks that nobody sets.

The next server compares the two, and so learns by how much its wall clock was set meanwhile. On
the same boot of the same machine it asks the kernel's clock; with PostgreSQL else the database's.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable

from .row_values import MAX_TIME_MS
from .statements import Prepared
from .tables import store_clock
from .url import Dialect
from .write_batch import ClockReading

_NAME = "presence"
_MS = 1000


class StoredClock(Struct, frozen=True):
    """The clocks at the last write.

    Attributes:
        reading: those of the server that wrote.
        since_ms: milliseconds since then, by the database's clock; None if it has none.
    """

    reading: ClockReading
    since_ms: int | None


def prepare(reading: ClockReading | None, dialect: Dialect) -> list[Prepared]:
    """Make the statement that stores a reading; none for None."""
    if reading is None:
        return []
    row = {
        "name": _NAME,
        "wall_ms": reading.wall_ms,
        "boot_id": reading.boot_id,
        "boot_ms": reading.boot_ms,
    }
    return [(_UPSERT[dialect], row if dialect is Dialect.POSTGRES else [row])]


async def read(connection: AsyncConnection) -> StoredClock | None:
    """Read the clocks at the last write; None if there was none, or it cannot be read."""
    is_postgres = connection.dialect.name == "postgresql"
    row = (await connection.execute(_READ_POSTGRES if is_postgres else _READ)).first()
    if row is None or not (_is_time(row[0]) and _is_time(row[2])):
        return None
    if not (row[1] is None or isinstance(row[1], str)):
        return None
    return StoredClock(ClockReading(*row[:3]), row[3])


def _is_time(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= MAX_TIME_MS


def _upsert(dialect: Dialect) -> Executable:
    values: dict[str, Any] = {
        name: sa.bindparam(name) for name in ("name", "wall_ms", "boot_id", "boot_ms")
    }
    changes = {"wall_ms", "boot_id", "boot_ms"}
    if dialect is Dialect.SQLITE:
        insert = sqlite.insert(store_clock).values(**values)
        return insert.on_conflict_do_update(
            index_elements=["name"], set_={name: insert.excluded[name] for name in changes}
        )
    statement = postgresql.insert(store_clock).values(
        **values, written_at=sa.func.clock_timestamp()
    )
    return statement.on_conflict_do_update(
        index_elements=["name"],
        set_={name: statement.excluded[name] for name in (*changes, "written_at")},
    )


_UPSERT = {dialect: _upsert(dialect) for dialect in Dialect}
_COLUMNS = (store_clock.c.wall_ms, store_clock.c.boot_id, store_clock.c.boot_ms)
_READ = sa.select(*_COLUMNS, sa.null()).where(store_clock.c.name == _NAME)
_SINCE = sa.func.clock_timestamp() - store_clock.c.written_at
_READ_POSTGRES = sa.select(
    *_COLUMNS, sa.cast(sa.func.extract("epoch", _SINCE) * _MS, sa.BigInteger)
).where(store_clock.c.name == _NAME)
