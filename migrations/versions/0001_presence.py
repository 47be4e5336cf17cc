"""Presence, profiles and server keys.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

STATUS = ("online", "idle", "away")


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def upgrade() -> None:
    """Create the tables."""
    postgres = _is_postgres()
    schema = "collab" if postgres else None
    time: sa.types.TypeEngine[object] = (
        sa.DateTime(timezone=True) if postgres else sa.BigInteger()  # type: ignore[assignment]
    )
    if postgres:
        op.execute("CREATE TYPE collab.presence_status AS ENUM ('online', 'idle', 'away')")
    _create_presence(schema, time)
    op.create_table(
        "user_profile",
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("avatar_url", sa.Text),
        sa.Column("color", sa.Text, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        schema=schema,
    )
    op.create_table(
        "server_key",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("created_at", time, nullable=False),
        schema=schema,
    )


def _create_presence(schema: str | None, time: sa.types.TypeEngine[object]) -> None:
    constraints: list[sa.Constraint] = [
        sa.UniqueConstraint("board_id", "session_id", name="presence_session")
    ]
    status: sa.types.TypeEngine[str] = sa.Text()
    metadata: sa.types.TypeEngine[object] = sa.Text()  # type: ignore[assignment]
    if schema is None:
        constraints.append(sa.CheckConstraint(f"status IN {STATUS!r}", name="presence_status"))
    else:
        status = postgresql.ENUM(
            *STATUS, name="presence_status", schema="collab", create_type=False
        )
        metadata = postgresql.JSON()
    op.create_table(
        "presence",
        sa.Column("board_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("status", status, nullable=False),
        sa.Column("cursor_x", sa.Double),
        sa.Column("cursor_y", sa.Double),
        sa.Column("metadata", metadata),
        sa.Column("last_heartbeat_at", time, nullable=False),
        sa.Column("connected_at", time, nullable=False),
        sa.Column("disconnected_at", time),
        *constraints,
        schema=schema,
    )
    is_open, is_closed = sa.text("disconnected_at IS NULL"), sa.text("disconnected_at IS NOT NULL")
    op.create_index(
        "presence_active",
        "presence",
        ["board_id"],
        schema=schema,
        postgresql_where=is_open,
        sqlite_where=is_open,
    )
    op.create_index(
        "presence_closed",
        "presence",
        ["disconnected_at"],
        schema=schema,
        postgresql_where=is_closed,
        sqlite_where=is_closed,
    )
    op.create_index("presence_history", "presence", ["board_id", "connected_at"], schema=schema)
    if schema is not None:
        # Each page keeps room for the new version of a row. Heartbeats and status change no
        # indexed column, so the new version stays on the page and changes no index.
        op.execute("ALTER TABLE collab.presence SET (fillfactor = 70)")


def downgrade() -> None:
    """Drop the tables with all their rows."""
    schema = "collab" if _is_postgres() else None
    op.drop_table("server_key", schema=schema)
    op.drop_table("user_profile", schema=schema)
    op.drop_table("presence", schema=schema)
    if schema is not None:
        op.execute("DROP TYPE collab.presence_status")
