"""Keys that the servers of one store share."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from .tables import server_key
from .url import Dialect


def insert_key(dialect: Dialect, name: str, value: bytes, now_ms: int) -> sa.Executable:
    """The statement that stores a key, unless its name has one already."""
    row = {"name": name, "value": value, "created_at": now_ms}
    if dialect is Dialect.SQLITE:
        return sqlite.insert(server_key).values(row).on_conflict_do_nothing()
    return postgresql.insert(server_key).values(row).on_conflict_do_nothing()
