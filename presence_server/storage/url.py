"""The forms of ``database.url``, and their meaning."""

from __future__ import annotations

import enum
from pathlib import Path

from msgspec import Struct

from .errors import StorageError
from .postgres_tls import tls_context
from .postgres_url import PostgresTarget, UnusedParameter, parse_postgres

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
        postgres: where and how to connect to PostgreSQL, None for SQLite.
        shown: the URL without its password, for messages.
        unused: the parameters that are left out.
    """

    dialect: Dialect
    path: Path | None
    postgres: PostgresTarget | None
    shown: str
    unused: tuple[UnusedParameter, ...] = ()

    @property
    def lock_path(self) -> Path | None:
        """The file that the owner of a SQLite store locks; None for PostgreSQL.

        Two links to one database share it.
        """
        if self.path is None:
            return None
        database = self.path.resolve()
        return database.with_name(f"{database.name}.lock")


def parse_url(url: str) -> StoreUrl:
    """Read ``database.url``, and the certificates that it names.

    Raises:
        StorageError: it cannot be the URL of a store; the text names the setting, and the
            parameter of the URL if one is the reason.
    """
    scheme = url.partition(":")[0].lower()
    if scheme in ("sqlite", "sqlite+aiosqlite"):
        return _parse_sqlite(url)
    if scheme.partition("+")[0] in ("postgresql", "postgres"):
        return _parse_postgres(url)
    raise StorageError(
        f"database.url: {_short(scheme)!r} is not a store this server knows; "
        "use sqlite:///var/presence.db or postgresql://user:password@host/database"
    )


def _parse_sqlite(url: str) -> StoreUrl:
    rest = url.partition(":")[2]
    path = rest.removeprefix("///")
    if "?" in path:
        name = _short(path.partition("?")[2].partition("=")[0])
        raise StorageError(
            f"database.url: {name}: a URL of SQLite has no parameters; "
            "use sqlite:///relative/path.db or sqlite:////absolute/path.db"
        )
    if not rest.startswith("///") or not path or path.startswith(":memory:"):
        raise StorageError(
            f"database.url: {_short(url)!r} names no file; "
            "use sqlite:///relative/path.db or sqlite:////absolute/path.db"
        )
    return StoreUrl(dialect=Dialect.SQLITE, path=Path(path), postgres=None, shown=_SQLITE + path)


def _parse_postgres(url: str) -> StoreUrl:
    parsed = parse_postgres(url)
    tls_context(parsed.target.tls)  # Its files are tried before anything is opened.
    return StoreUrl(
        dialect=Dialect.POSTGRES,
        path=None,
        postgres=parsed.target,
        shown=parsed.shown,
        unused=parsed.unused,
    )


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
