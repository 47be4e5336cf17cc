"""The server that owns the store. Only PostgreSQL has this table; for SQLite it is a file lock.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Create the table, which gets its only row with the first claim."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "store_owner",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner_id", sa.Text),
        sa.Column("host", sa.Text),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        schema="collab",
    )


def downgrade() -> None:
    """Drop the table."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_table("store_owner", schema="collab")
