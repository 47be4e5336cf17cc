"""The clocks at the last write, so that a wall clock that was set is noticed.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def _schema() -> str | None:
    return "collab" if op.get_bind().dialect.name == "postgresql" else None


def upgrade() -> None:
    """Create the table, which gets its only row with the first write."""
    op.create_table(
        "store_clock",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("wall_ms", sa.BigInteger, nullable=False),
        sa.Column("boot_id", sa.Text),
        sa.Column("boot_ms", sa.BigInteger, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True)),
        schema=_schema(),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("store_clock", schema=_schema())
