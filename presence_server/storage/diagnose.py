"""Turns what a driver raises into one line that an operator can act on."""

from __future__ import annotations

import sqlite3
import ssl
from collections.abc import Iterator

import asyncpg

from .errors import StorageDataError, StorageError, StorageRefused, StorageUnavailable
from .url import Dialect, StoreUrl

_DATA_CLASSES = ("22", "23", "54")
"""SQLSTATE classes: a bad value, a broken constraint, a limit that this row exceeds."""


def diagnose(error: BaseException, url: StoreUrl) -> StorageError:
    """Return the :class:`StorageError` that says what a driver's error means.

    Args:
        error: what the driver, SQLAlchemy or Alembic raised.
        url: the store that was used.
    """
    if isinstance(error, StorageError):
        return error
    for cause in _causes(error):
        found = _known(cause, url)
        if found is not None:
            return found
    return StorageUnavailable(f"database.url: {url.shown}: {_line(error)}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, down to what the driver raised."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) < 20:
        cause = waiting.pop(0)
        if cause is None or any(cause is known for known in seen):
            continue
        seen.append(cause)
        yield cause
        orig = getattr(cause, "orig", None)
        waiting += [orig if isinstance(orig, BaseException) else None, cause.__cause__]


def _known(cause: BaseException, url: StoreUrl) -> StorageError | None:
    if isinstance(cause, StorageError):
        return cause
    if isinstance(cause, asyncpg.PostgresError):
        return _postgres(cause, url)
    if isinstance(cause, sqlite3.Error):
        return _sqlite(cause, url)
    if isinstance(cause, asyncpg.DataError | OverflowError | UnicodeError):
        return StorageDataError(f"value refused: {_line(cause)}")
    if isinstance(cause, TimeoutError):
        return StorageUnavailable(f"database.url: {url.shown} does not answer in time")
    if isinstance(cause, OSError):
        return _os_error(cause, url)
    if isinstance(cause, asyncpg.TargetServerAttributeNotMatched):
        return StorageUnavailable(f"database.url: no host of {url.shown} takes writes now")
    if isinstance(cause, asyncpg.ClientConfigurationError) or (
        isinstance(cause, asyncpg.InterfaceError) and "authentication" in str(cause)
    ):
        # The driver cannot do what the URL or the server asks for; trying again changes nothing.
        return StorageError(f"database.url: {url.shown} cannot be used: {_line(cause)}")
    return None


def _os_error(cause: OSError, url: StoreUrl) -> StorageError:
    if url.dialect is Dialect.SQLITE:
        # A folder may be mounted later; a file in the place of a folder stays one.
        refusal = (
            StorageError
            if isinstance(cause, NotADirectoryError | FileExistsError)
            else StorageRefused
        )
        return refusal(
            f"database.url: cannot write {url.path}: {cause.strerror or cause}; "
            "use a folder this user may write to"
        )
    trouble = _tls_trouble(cause)
    if trouble is not None:
        return StorageError(f"database.url: {trouble} ({url.shown}: {_line(cause)})")
    return StorageUnavailable(
        f"database.url: cannot reach {url.shown}: {_line(cause)}; "
        "check the host and port, and that PostgreSQL runs there"
    )


def _tls_trouble(cause: OSError) -> str | None:
    """The fault of the TLS parameters; None if they are not the reason."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            "sslrootcert: the certificate of the database is not trusted; name the file of its "
            "roots, or the host as the certificate does"
        )
    if isinstance(cause, ssl.SSLError) and "CERTIFICATE" in str(cause.reason or ""):
        return "sslcert: the database refuses this server's certificate"
    if isinstance(cause, ConnectionError) and "rejected SSL upgrade" in str(cause):
        return "sslmode: the database speaks no TLS; switch it on there, or use sslmode=disable"
    return None


def _refuses_parameter(state: str, line: str) -> bool:
    """Whether PostgreSQL or a pooler refuses a parameter of the URL. No row causes these."""
    return state == "22023" or (state in ("42704", "55P02", "08P01") and " parameter" in line)


def _postgres(cause: asyncpg.PostgresError, url: StoreUrl) -> StorageError:
    state = str(cause.sqlstate or "")
    line = _line(cause)
    if _refuses_parameter(state, line):
        return StorageError(f"database.url: a parameter is refused: {line}; take it out")
    if state == "08P01" and line.startswith("no such database"):
        return StorageError(f"database.url: the pooler says: {line}; name a database it knows")
    if state.startswith(_DATA_CLASSES):
        return StorageDataError(f"value refused: {line}")
    if state.startswith("28"):
        tls = "SSL off" in line or "no encryption" in line
        cure = "add ?sslmode=require" if tls else "check user and password"
        return StorageRefused(f"database.url: {url.shown} refuses the login: {line}; {cure}")
    if state == "3D000":
        return StorageError(
            f"database.url: {line}; create it (createdb) or name an existing database"
        )
    if state == "42501":
        return StorageError(
            f"database.url: the user lacks rights: {line}; grant CREATE on the database "
            "or run 'presence-server migrate up' as its owner and grant this user "
            "SELECT, INSERT, UPDATE, DELETE in schema collab"
        )
    return StorageUnavailable(f"database.url: {url.shown}: {line}")


def _sqlite(cause: sqlite3.Error, url: StoreUrl) -> StorageError:
    line = _line(cause)
    if isinstance(
        cause, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.InterfaceError
    ) or line.startswith("Error binding parameter"):
        return StorageDataError(f"value refused: {line}")
    if "unable to open" in line or "readonly" in line:
        return StorageRefused(
            f"database.url: cannot write {url.path}: {line}; "
            "use a folder and file this user may write to"
        )
    if "not a database" in line or "malformed" in line:
        return StorageError(
            f"database.url: {url.path} is damaged or not a SQLite file ({line}); "
            "restore a backup, or move it away to start empty"
        )
    return StorageUnavailable(f"database.url: {url.path}: {line}")


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
