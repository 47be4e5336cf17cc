"""Creating and changing the store's tables, with Alembic.

The functions block, so call them in a thread (for PostgreSQL they run an event loop of their
own). Any number of processes may call :func:`upgrade` at once: one migrates, the others wait for
it and find nothing to do.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
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
from .engine import sqlite_pragmas
from .errors import StorageError
from .limits import EngineLimits
from .postgres_connect import postgres_creator
from .sqlite_file import make_file
from .tables import SCHEMA
from .unowned import check_row_unowned, file_unowned
from .url import Dialect, StoreUrl, parse_url

T = TypeVar("T")

VERSION_TABLE = "presence_schema_version"
_LOCK = 0x70726573656E6365  # "presence"
_LOCK_PAUSE_S = 0.01
_LIMITS = EngineLimits(connect_s=5.0, operation_s=60.0, busy_s=30.0)


class MigrationStatus(Struct, frozen=True):
    """The revision of a store's tables.

    Attributes:
        current: the store's revision, None if it has no tables.
        newest: the newest revision that this release knows.
    """

    current: str | None
    newest: str

    @property
    def up_to_date(self) -> bool:
        """Whether the store has the tables of this release."""
        return self.current == self.newest


def upgrade(url: str) -> MigrationStatus:
    """Give the store the tables of this release. A store that has them is left as it is.

    Raises:
        StorageError: or a subclass, as the repository raises them.
    """
    store = parse_url(url)

    def work(connection: Connection) -> MigrationStatus:
        if not _check(connection, store).up_to_date:
            # The first look takes no lock and needs no right to create: the server's user in
            # the database may have the rights to read and write rows only.
            _lock(connection, store)
            if not _check(connection, store).up_to_date:
                if store.dialect is Dialect.POSTGRES:
                    _create_schema(connection)
                command.upgrade(_config(connection), "head")
        return _check(connection, store)

    return _run(store, work, write_ahead=True)


def downgrade(url: str, revision: str = "base") -> MigrationStatus:
    """Take the store back to an older revision.

    Args:
        url: ``database.url``.
        revision: where to; ``base`` removes every table, with all rows.

    Raises:
        StoreInUse: a server owns the store.
        StorageError: there is no such revision, or as :func:`upgrade`.
    """
    store = parse_url(url)

    def work(connection: Connection) -> MigrationStatus:
        _lock(connection, store)
        check_row_unowned(connection, store)
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

    with file_unowned(store):
        return _run(store, work)


def status(url: str) -> MigrationStatus:
    """Return the revision of the store, without a change to it.

    Raises:
        StorageError: as :func:`upgrade`.
    """
    store = parse_url(url)
    return _run(store, lambda connection: _check(connection, store))


def _run(store: StoreUrl, work: Callable[[Connection], T], *, write_ahead: bool = False) -> T:
    # Alembic logs each step at INFO, which would fill the server's own log.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        if store.dialect is Dialect.SQLITE:
            return _run_sqlite(store, work, write_ahead=write_ahead)
        # The plain loop, for any event loop policy of the process.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            return runner.run(_run_postgres(store, work))
    except Exception as error:
        raise diagnose(error, store) from error


def _run_sqlite(store: StoreUrl, work: Callable[[Connection], T], *, write_ahead: bool) -> T:
    path = store.path
    assert path is not None
    make_file(path)

    def connect() -> sqlite3.Connection:
        # isolation_level None: the driver opens no transaction of its own, so that tables and
        # rows change in ours together.
        connection = sqlite3.connect(path.absolute(), isolation_level=None)
        try:
            for pragma in sqlite_pragmas(_LIMITS):
                connection.execute(pragma)
            if write_ahead:
                _use_write_ahead_log(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)
    sa.event.listen(
        engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE")
    )
    with engine.begin() as connection:
        return work(connection)


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Set the journal mode, which the file keeps from then on.

    On a new file SQLite does not wait for ``busy_timeout`` here: while another process writes,
    the statement fails at once. So it is tried again, for as long as that timeout.
    """
    gives_up_at = monotonic() + _LIMITS.busy_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            is_locked = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_locked or monotonic() > gives_up_at:
                raise
        sleep(_LOCK_PAUSE_S)


async def _run_postgres(store: StoreUrl, work: Callable[[Connection], T]) -> T:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=postgres_creator(store, _LIMITS),
        poolclass=sa.NullPool,
    )
    async with engine.begin() as connection:
        return await connection.run_sync(work)


def _lock(connection: Connection, store: StoreUrl) -> None:
    """Lock until the transaction ends. For SQLite ``BEGIN IMMEDIATE`` has done so already."""
    if store.dialect is Dialect.POSTGRES:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _create_schema(connection: Connection) -> None:
    # A look first, since IF NOT EXISTS needs the right to create even if the schema exists.
    if not sa.inspect(connection).has_schema(SCHEMA):
        connection.execute(sa.schema.CreateSchema(SCHEMA))


def _remove_traces(connection: Connection, store: StoreUrl) -> None:
    schema = SCHEMA if store.dialect is Dialect.POSTGRES else None
    table = sa.Table(VERSION_TABLE, sa.MetaData(), schema=schema)
    connection.execute(sa.schema.DropTable(table, if_exists=True))
    if schema is not None and sa.inspect(connection).has_schema(schema):
        # The schema may hold tables of others; then it stays.
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
    """The folder of the migrations: in a checkout beside the package, in a wheel inside it."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise StorageError("presence-server is installed without its migrations; install it again")


def _is_unknown_revision(error: Exception) -> bool:
    return "revision" in str(error).lower() and type(error).__module__.startswith("alembic")
