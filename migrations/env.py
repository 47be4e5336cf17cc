"""Alembic's entry point. ``presence_server.storage.migrate`` gives it an open connection.

The connection holds the store's migration lock already, and the caller commits, so a migration
that fails leaves nothing behind on either dialect.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy.engine import Connection

VERSION_TABLE = "presence_schema_version"


def run() -> None:
    """Run the migrations that Alembic has chosen, on the given connection."""
    connection: Connection | None = context.config.attributes.get("connection")
    if connection is None:
        raise RuntimeError("migrations are run by: presence-server migrate up|down|status")
    context.configure(
        connection=connection,
        version_table=VERSION_TABLE,
        version_table_schema="collab" if connection.dialect.name == "postgresql" else None,
        transactional_ddl=True,
    )
    context.run_migrations()


run()
