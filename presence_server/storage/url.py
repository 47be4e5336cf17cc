"""What ``database.url`` may look like, and what it means."""

from __future__ import annotations

import enum
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from .errors import StorageError

_SQLITE = "sqlite:///"


class Dialect(enum.StrEnum):
    """The databases that a store can be in."""

    SQLITE = "sqlite"
    POSTGRES = "postgresql"


class StoreUrl(Struct, frozen=True):
    """A checked ``database.url``.

    Attributes:
        dialect: the database.
        path: the file of a SQLite store, else None.
        dsn: the URL that asyncpg reads, None for SQLite.
        shown: the URL without its password, for messages.
    """

    dialect: Dialect
    path: Path | None
    dsn: str | None
    shown: str


def parse_url(url: str) -> StoreUrl:
    """Read ``database.url``.

    Raises:
        StorageError: it is not the URL of a store; the text names the setting.
    """
    scheme = url.partition(":")[0].lower()
    if scheme in ("sqlite", "sqlite+aiosqlite"):
        return _parse_sqlite(url)
    if scheme in ("postgresql", "postgres", "postgresql+asyncpg"):
        return _parse_postgres(url)
    raise StorageError(
        f"database.url: {_short(scheme)!r} is not a store this server knows; "
        "use sqlite:///var/presence.db or postgresql://user:password@host/database"
    )


def _parse_sqlite(url: str) -> StoreUrl:
    rest = url.partition(":")[2]
    path = rest.removeprefix("///")
    if not rest.startswith("///") or not path or path.startswith(":memory:") or "?" in path:
        raise StorageError(
            f"database.url: {_short(url)!r} names no file; "
            "use sqlite:///relative/path.db or sqlite:////absolute/path.db"
        )
    return StoreUrl(dialect=Dialect.SQLITE, path=Path(path), dsn=None, shown=_SQLITE + path)


def _parse_postgres(url: str) -> StoreUrl:
    dsn = "postgresql:" + url.partition(":")[2]
    user = dsn.removeprefix("postgresql://").partition("@")[0]
    if "@" in dsn and any(mark in user for mark in "/?#"):
        # These characters end the login for every reader of URLs, and the rest would be logged.
        raise StorageError("database.url: write / ? # in a user or password as %2F %3F %23")
    try:
        parts = urlsplit(dsn)
        _ = parts.port
        host = parts.hostname
    except ValueError:
        raise StorageError(
            "database.url: not a URL; use postgresql://user:password@host:port/database"
        ) from None
    if not dsn.startswith("postgresql://") or not (host or "host=" in parts.query):
        raise StorageError(
            "database.url: names no host; use postgresql://user:password@host:port/database"
        )
    netloc = parts.netloc.rpartition("@")[2]
    username = f"{parts.username}@" if parts.username else ""
    shown = f"postgresql://{username}{netloc}{parts.path}"
    return StoreUrl(dialect=Dialect.POSTGRES, path=None, dsn=dsn, shown=shown)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
