"""Opening a store: the pragmas, limits and login of each dialect."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .limits import EngineLimits
from .postgres_connect import postgres_creator
from .sqlite_file import make_file
from .tables import SCHEMA
from .url import Dialect, StoreUrl

# The pool logs a lost connection with a traceback; our callers raise and log it themselves.
logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


_NO_SCHEMA = {"schema_translate_map": {SCHEMA: None}}


class _Cursor(Protocol):
    def execute(self, sql: str) -> object: ...
    def close(self) -> None: ...


class _DriverConnection(Protocol):
    def cursor(self) -> _Cursor: ...


def open_engine(url: StoreUrl, limits: EngineLimits) -> AsyncEngine:
    """Make an engine for use in one event loop; it connects with its first transaction."""
    if url.dialect is Dialect.SQLITE:
        return _open_sqlite(url, limits)
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=postgres_creator(url, limits),
        hide_parameters=True,
        pool_size=limits.connections,
        max_overflow=0,
        pool_timeout=limits.operation_s,
        pool_reset_on_return="rollback",
    )


def _open_sqlite(url: StoreUrl, limits: EngineLimits) -> AsyncEngine:
    assert url.path is not None
    make_file(url.path)
    engine = create_async_engine(
        sa.URL.create("sqlite+aiosqlite", database=_path(url)),
        connect_args={"timeout": limits.busy_s},
        hide_parameters=True,
        pool_size=limits.connections,
        max_overflow=0,
        pool_timeout=limits.operation_s,
        execution_options=_NO_SCHEMA,
    )
    _prepare_connections(engine.sync_engine, limits)
    return engine


def open_sync_sqlite(url: StoreUrl, limits: EngineLimits) -> sa.Engine:
    """Make an engine with one connection, for use in one thread."""
    assert url.path is not None
    make_file(url.path)
    engine = sa.create_engine(
        sa.URL.create("sqlite+pysqlite", database=_path(url)),
        connect_args={"timeout": limits.busy_s},
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
        execution_options=_NO_SCHEMA,
    )
    _prepare_connections(engine, limits)
    return engine


def _path(url: StoreUrl) -> str:
    assert url.path is not None
    return str(url.path.absolute())


def _prepare_connections(engine: sa.Engine, limits: EngineLimits) -> None:
    pragmas = sqlite_pragmas(limits)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: _DriverConnection, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()
        # Text that is not UTF-8 fails the whole query otherwise; like this it fails its own row.
        driver: Any = getattr(connection, "driver_connection", connection)
        driver.text_factory = _decode


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def sqlite_pragmas(limits: EngineLimits) -> tuple[str, ...]:
    """The pragmas that each new connection to SQLite sets.

    The journal mode is not among them: the file keeps it, and the migration sets it.
    """
    return (
        f"PRAGMA busy_timeout = {_ms(limits.busy_s)}",
        f"PRAGMA synchronous = {limits.synchronous}",
    )


def _ms(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
