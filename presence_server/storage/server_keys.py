"""Keys that the servers of one store share."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .tables import server_key
from .url import Dialect


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
