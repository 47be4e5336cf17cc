"""Keys that the servers of one store share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from .tables import server_key
from .url import Dialect


async def read(connection: AsyncConnection, name: str) -> bytes | None:
    """Read a key; None if there is none, or something else in its place."""
    # SQLite keeps values of any type, and the type of the column would fail on them.
    value: sa.ColumnElement[object] = sa.type_coerce(server_key.c.value, sa.types.NULLTYPE)
    rows = await connection.execute(sa.select(value).where(server_key.c.name == name))
    row = rows.first()
    return row[0] if row is not None and isinstance(row[0], bytes) else None


def get_or_create(
    dialect: Dialect, name: str, fresh: bytes, now_ms: int
) -> Callable[[AsyncConnection], Awaitable[bytes]]:
    """Make the work of a transaction that reads a key.

    It stores ``fresh`` if there is none, or one that is shorter and so cannot be ours.
    """

    async def work(connection: AsyncConnection) -> bytes:
        await connection.execute(insert_key(dialect, name, fresh, now_ms))
        found = await read(connection, name)
        if found is not None and len(found) >= len(fresh):
            return found
        await connection.execute(insert_key(dialect, name, fresh, now_ms, replace=True))
        return fresh

    return work


def insert_key(
    dialect: Dialect, name: str, value: bytes, now_ms: int, *, replace: bool = False
) -> sa.Executable:
    """The statement that stores a key.

    Args:
        dialect: the dialect of the store.
        name: of the key.
        value: the key.
        now_ms: milliseconds since the epoch.
        replace: whether it replaces another key of this name; else that one stays.
    """
    row = {"name": name, "value": value, "created_at": now_ms}
    make = sqlite.insert if dialect is Dialect.SQLITE else postgresql.insert
    insert = make(server_key).values(row)
    if replace:
        return insert.on_conflict_do_update(index_elements=["name"], set_={"value": value})
    return insert.on_conflict_do_nothing()
