"""The times of queues: places that ended, so that a restart does not give them back.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def _schema() -> str | None:
    return "collab" if op.get_bind().dialect.name == "postgresql" else None


def upgrade() -> None:
    """Create the table, and the index that finds the newest and the oldest times."""
    op.create_table(
        "queue_mark",
        sa.Column("board_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        schema=_schema(),
    )
    op.create_index("queue_mark_age", "queue_mark", ["at_ms"], schema=_schema())


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("queue_mark", schema=_schema())
