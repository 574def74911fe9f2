"""The cache: entries, first-seen digests, dates of what was sent."""

import sqlalchemy as sa
from alembic import op

from packeton.adapters.database.tables.base import Instant

revision = "0001"
down_revision = None
branch_labels = depends_on = None


def upgrade() -> None:
    """Make the tables; a database of before there were revisions has them."""
    op.create_table(
        "cache_entries",
        sa.Column("key", sa.String(512), primary_key=True),
        sa.Column("variant", sa.String(128), primary_key=True),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("selecting", sa.JSON, nullable=False),
        sa.Column("requested_at", Instant, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("stored_at", Instant, nullable=False),
        sa.Column("blob", sa.String(128), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("used_at", Instant, nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        if_not_exists=True,
    )
    op.create_index("cache_entries_by_use", "cache_entries", ["pinned", "used_at"], if_not_exists=True)
    op.create_table(
        "dist_digests",
        sa.Column("mirror", sa.String(64), primary_key=True),
        sa.Column("package", sa.String(191), primary_key=True),
        sa.Column("version", sa.String(191), primary_key=True),
        sa.Column("reference", sa.String(191), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.Column("sha1", sa.String(40)),
        sa.Column("changed_sha256", sa.String(64)),
        sa.Column("changed_at", Instant),
        if_not_exists=True,
    )
    if "sha1" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns("dist_digests")}:
        op.add_column("dist_digests", sa.Column("sha1", sa.String(40)))
    op.create_index("dist_digests_by_change", "dist_digests", ["changed_at"], if_not_exists=True)
    op.create_table(
        "publications",
        sa.Column("key", sa.String(512), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("last_modified", Instant, nullable=False),
        if_not_exists=True,
    )
