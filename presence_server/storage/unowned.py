"""Lets a change of the tables happen only while no server owns the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from .errors import StorageError
from .lock_file import LockFile
from .tables import SCHEMA
from .url import Dialect, StoreUrl

_OWNER = sa.text(
    "SELECT owner_id IS NOT NULL AND coalesce(lease_until > clock_timestamp(), false)"
    " FROM collab.store_owner FOR UPDATE"
)


class StoreInUse(StorageError):
    """A server owns the store. The same command works once it has stopped."""

    may_pass = True

    def __init__(self, store: StoreUrl) -> None:
        super().__init__(f"database.url: a server uses {store.shown} now; stop it first")


@contextmanager
def file_unowned(store: StoreUrl) -> Iterator[None]:
    """Keep every server from owning a SQLite store; does nothing for PostgreSQL.

    Raises:
        StoreInUse: a server owns it.
    """
    path = store.lock_path
    if path is None or not path.parent.exists():
        yield
        return
    lock = LockFile(path)
    if not lock.acquire():
        raise StoreInUse(store)
    try:
        yield
    finally:
        lock.release()


def check_row_unowned(connection: Connection, store: StoreUrl) -> None:
    """Lock the row of the owner for this transaction; does nothing for SQLite.

    Raises:
        StoreInUse: a server owns the store.
    """
    if store.dialect is not Dialect.POSTGRES:
        return
    if not sa.inspect(connection).has_table("store_owner", schema=SCHEMA):
        return
    if any(is_owned for (is_owned,) in connection.execute(_OWNER)):
        raise StoreInUse(store)
