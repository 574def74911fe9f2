"""Mirrors: choices, packages, patches, state of synchronisation, upstream's names."""

import sqlalchemy as sa
from alembic import op

from packeton.adapters.database.tables.base import Instant

revision = "0002"
down_revision = "0001"
branch_labels = depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "mirror_choices",
        sa.Column("mirror", sa.String(64), primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("strict", sa.Boolean, nullable=False),
        sa.Column("sync", sa.Boolean, nullable=False),
        sa.Column("disable_v2", sa.Boolean, nullable=False),
    )
    op.create_table(
        "mirror_packages",
        sa.Column("mirror", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(191), primary_key=True),
        sa.Column("enabled_at", Instant),
        sa.Column("approved_at", Instant),
        sa.Column("first_requested", Instant),
        sa.Column("last_requested", Instant),
        sa.Column("requests", sa.Integer, nullable=False),
    )
    op.create_table(
        "mirror_patches",
        sa.Column("mirror", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(191), primary_key=True),
        sa.Column("version", sa.String(191), primary_key=True),
        sa.Column("strategy", sa.String(16), nullable=False),
        sa.Column("patch", sa.JSON, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
    )
    op.create_table(
        "mirror_syncs",
        sa.Column("mirror", sa.String(64), primary_key=True),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("wish", sa.String(16), nullable=False),
        sa.Column("cursor", sa.String(191), nullable=False),
        sa.Column("changes_since", sa.BigInteger, nullable=False),
        sa.Column("root", sa.String(64), nullable=False),
        sa.Column("listing", sa.String(64), nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("changed", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("began_at", Instant),
        sa.Column("ended_at", Instant),
        sa.Column("synced_at", Instant),
        sa.Column("error", sa.Text),
        sa.Column("asked", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(128)),
        sa.Column("owned_until", Instant),
    )
    op.create_table(
        "mirror_listings",
        sa.Column("mirror", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(191), primary_key=True),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("fetched", sa.String(128), nullable=False),
        sa.Column("fetched_run", sa.Integer, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
    )
