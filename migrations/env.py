"""Alembic's entry. ``presence_server.storage.migrate`` hands over an open connection.

The connection already holds the store's migration lock, and the caller commits:
a failed migration leaves nothing behind on either dialect.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy.engine import Connection

VERSION_TABLE = "presence_schema_version"


def run() -> None:
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
