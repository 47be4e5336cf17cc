"""Yjs documents: what was changed, and what was compacted of it.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def upgrade() -> None:
    """Create the tables.

    ``data`` is the last column: SQLite reads the columns before a large value without the value.
    """
    postgres = _is_postgres()
    schema = "collab" if postgres else None
    time: sa.types.TypeEngine[object] = (
        sa.DateTime(timezone=True) if postgres else sa.BigInteger()  # type: ignore[assignment]
    )
    op.create_table(
        "board_update",
        sa.Column("board_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        schema=schema,
    )
    op.create_table(
        "board_snapshot",
        sa.Column("board_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        schema=schema,
    )
    if postgres:
        # The data is dense already; compressing it again takes time and saves little.
        for table in ("board_update", "board_snapshot"):
            op.execute(f"ALTER TABLE collab.{table} ALTER COLUMN data SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Drop the tables with all documents."""
    schema = "collab" if _is_postgres() else None
    op.drop_table("board_snapshot", schema=schema)
    op.drop_table("board_update", schema=schema)
