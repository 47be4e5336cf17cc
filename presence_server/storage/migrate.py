"""Creating and changing the store's tables, with Alembic.

The functions block; call them in a thread (they run an event loop of their own
for Postgres). Any number of servers may call :func:`upgrade` at once: one
migrates, the others wait and find nothing to do.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from .diagnose import diagnose
from .engine import EngineLimits, postgres_creator, sqlite_pragmas
from .errors import StorageError
from .tables import SCHEMA
from .url import Dialect, StoreUrl, parse_url

T = TypeVar("T")

VERSION_TABLE = "presence_schema_version"
_LOCK = 0x70726573656E6365  # "presence"
_LIMITS = EngineLimits(connect_s=5.0, operation_s=60.0, busy_s=30.0)


class MigrationStatus(Struct, frozen=True):
    """Where a store stands. A revision of None is an empty store."""

    current: str | None
    newest: str

    @property
    def up_to_date(self) -> bool:
        return self.current == self.newest


def upgrade(url: str) -> MigrationStatus:
    """Bring the store to this release's tables; does nothing when it is there."""
    store = parse_url(url)

    def work(connection: Connection) -> MigrationStatus:
        if not _check(connection, store).up_to_date:
            # Looked at first without the lock and without any right to create:
            # a server may run as a user who may only read and write rows.
            _lock(connection, store)
            if not _check(connection, store).up_to_date:
                if store.dialect is Dialect.POSTGRES:
                    _create_schema(connection)
                command.upgrade(_config(connection), "head")
        return _check(connection, store)

    return _run(store, work)


def downgrade(url: str, revision: str = "base") -> MigrationStatus:
    """Take the store back to ``revision``; ``base`` removes every table and its rows."""
    store = parse_url(url)

    def work(connection: Connection) -> MigrationStatus:
        _lock(connection, store)
        if _check(connection, store).current is not None:
            try:
                command.downgrade(_config(connection), revision)
            except Exception as error:
                if _is_unknown_revision(error):
                    raise StorageError(f"migrate down: no revision {revision!r}") from None
                raise
        status = _check(connection, store)
        if status.current is None:
            _remove_traces(connection, store)
        return status

    return _run(store, work)


def status(url: str) -> MigrationStatus:
    """Where the store stands, without changing it."""
    store = parse_url(url)
    return _run(store, lambda connection: _check(connection, store))


def _run(store: StoreUrl, work: Callable[[Connection], T]) -> T:
    # Alembic says on INFO what it does; a server's log is for the server.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        if store.dialect is Dialect.SQLITE:
            return _run_sqlite(store, work)
        # The plain loop, whatever loop policy the process has.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            return runner.run(_run_postgres(store, work))
    except Exception as error:
        raise diagnose(error, store) from error


def _run_sqlite(store: StoreUrl, work: Callable[[Connection], T]) -> T:
    path = store.path
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)

    def connect() -> sqlite3.Connection:
        # isolation_level None: the driver opens no transaction of its own, so
        # that tables and rows change in ours or not at all.
        connection = sqlite3.connect(path.absolute(), isolation_level=None)
        for pragma in sqlite_pragmas(_LIMITS):
            connection.execute(pragma)
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)
    sa.event.listen(
        engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE")
    )
    with engine.begin() as connection:
        return work(connection)


async def _run_postgres(store: StoreUrl, work: Callable[[Connection], T]) -> T:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=postgres_creator(store, _LIMITS),
        poolclass=sa.NullPool,
    )
    async with engine.begin() as connection:
        return await connection.run_sync(work)


def _lock(connection: Connection, store: StoreUrl) -> None:
    """Until the transaction ends; SQLite's ``BEGIN IMMEDIATE`` has locked already."""
    if store.dialect is Dialect.POSTGRES:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _create_schema(connection: Connection) -> None:
    # Asked first: IF NOT EXISTS wants the right to create even when there is one.
    if not sa.inspect(connection).has_schema(SCHEMA):
        connection.execute(sa.schema.CreateSchema(SCHEMA))


def _remove_traces(connection: Connection, store: StoreUrl) -> None:
    schema = SCHEMA if store.dialect is Dialect.POSTGRES else None
    table = sa.Table(VERSION_TABLE, sa.MetaData(), schema=schema)
    connection.execute(sa.schema.DropTable(table, if_exists=True))
    if schema is not None and sa.inspect(connection).has_schema(schema):
        # What else lives in the schema is not ours to drop.
        left = "SELECT count(*) FROM pg_class WHERE relnamespace = CAST(:name AS regnamespace)"
        if connection.execute(sa.text(left), {"name": schema}).scalar_one() == 0:
            connection.execute(sa.schema.DropSchema(schema))


def _check(connection: Connection, store: StoreUrl) -> MigrationStatus:
    schema = SCHEMA if store.dialect is Dialect.POSTGRES else None
    context = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE, "version_table_schema": schema}
    )
    scripts = ScriptDirectory.from_config(_config(connection))
    newest = scripts.get_current_head()
    assert newest is not None
    current = context.get_current_revision()
    if current is not None and current not in {s.revision for s in scripts.walk_revisions()}:
        raise StorageError(
            f"database.url: {store.shown} was migrated by a newer release "
            f"(revision {current}, this one knows up to {newest}); run that release"
        )
    return MigrationStatus(current=current, newest=newest)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> Path:
    """Beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise StorageError("presence-server is installed without its migrations; install it again")


def _is_unknown_revision(error: Exception) -> bool:
    return "revision" in str(error).lower() and type(error).__module__.startswith("alembic")
