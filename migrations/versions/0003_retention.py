"""Indexes for the retention of profiles.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None


def _schema() -> str | None:
    return "collab" if op.get_bind().dialect.name == "postgresql" else None


def upgrade() -> None:
    """Find the profiles seen longest ago, and whether a user has a session."""
    op.create_index("presence_user", "presence", ["user_id"], schema=_schema())
    op.create_index("user_profile_seen", "user_profile", ["updated_at"], schema=_schema())


def downgrade() -> None:
    """Drop the indexes."""
    op.drop_index("user_profile_seen", "user_profile", schema=_schema())
    op.drop_index("presence_user", "presence", schema=_schema())
