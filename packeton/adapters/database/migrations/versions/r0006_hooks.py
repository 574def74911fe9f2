"""Secrets of packages' hooks, and favourites."""

import sqlalchemy as sa
from alembic import op

from packeton.adapters.database.tables.base import Instant

revision = "0006"
down_revision = "0005"
branch_labels = depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "hook_secrets",
        sa.Column(
            "id", sa.Integer, sa.ForeignKey("packages.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("secret", sa.Text, nullable=False),
    )
    op.create_table(
        "favourites",
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("package_id", sa.Integer, sa.ForeignKey("packages.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("created_at", Instant, nullable=False),
    )
    op.create_index("favourites_by_package_id", "favourites", ["package_id"])
