"""Private packages, their versions, credentials, uploads, archives, counters."""

import sqlalchemy as sa
from alembic import op

from packeton.adapters.database.tables.base import Instant

revision = "0004"
down_revision = "0003"
branch_labels = depends_on = None

LONG = 2**24 - 1


def _package(table: str) -> sa.ForeignKeyConstraint:
    name = f"{table}_to_packages_package_id"
    return sa.ForeignKeyConstraint(["package_id"], ["packages.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "credentials",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(191), nullable=False),
        sa.Column("owner_id", sa.Integer),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("ssh_key", sa.Text),
        sa.Column("composer_auth", sa.Text),
        sa.Column("fingerprint", sa.String(191)),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="credentials_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "downloads",
        sa.Column("package_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("version", sa.String(191), nullable=False),
        sa.Column("period", sa.String(8), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("package_id", "version", "period", name="downloads_key"),
    )
    op.create_index("downloads_by_period", "downloads", ["period"])
    op.create_table(
        "package_changes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("package", sa.String(191), nullable=False),
        sa.Column("is_dev", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="package_changes_key"),
    )
    op.create_index("package_changes_by_at", "package_changes", ["at"])
    op.create_table(
        "package_publications",
        sa.Column("document", sa.String(191), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("last_modified", Instant, nullable=False),
        sa.PrimaryKeyConstraint("document", "fingerprint", name="package_publications_key"),
    )
    op.create_table(
        "packages",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(191), nullable=False),
        sa.Column("repo_type", sa.String(16), nullable=False),
        sa.Column("url", sa.Text),
        sa.Column("host", sa.String(191)),
        sa.Column("path", sa.String(255)),
        sa.Column("credential_id", sa.Integer),
        sa.Column("parent_id", sa.Integer),
        sa.Column("directory", sa.String(255), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("type", sa.String(191), nullable=False),
        sa.Column("language", sa.String(64)),
        sa.Column("readme", sa.Text(LONG)),
        sa.Column("abandoned", sa.Boolean, nullable=False),
        sa.Column("replacement", sa.String(191)),
        sa.Column("visible_for_all", sa.Boolean, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("auto_updated", sa.Boolean, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant),
        sa.Column("crawled_at", Instant),
        sa.Column("problem", sa.Text),
        sa.Column("notified", sa.Boolean, nullable=False),
        sa.Column("stable_modified_at", Instant, nullable=False),
        sa.Column("dev_modified_at", Instant, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="packages_key"),
        sa.UniqueConstraint("name", name="packages_unique_name"),
    )
    op.create_index("packages_by_address", "packages", ["host", "path"])
    op.create_index("packages_by_parent_id", "packages", ["parent_id"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("reference", sa.String(40), nullable=False),
        sa.Column("filename", sa.String(191), nullable=False),
        sa.Column("original_name", sa.String(255), nullable=False),
        sa.Column("extension", sa.String(16), nullable=False),
        sa.Column("mime_type", sa.String(191), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha1", sa.String(40), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("used", sa.Boolean, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="uploads_key"),
        sa.UniqueConstraint("reference", name="uploads_unique_reference"),
    )
    op.create_table(
        "archives",
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("package_id", sa.Integer, nullable=False),
        sa.Column("reference", sa.String(191), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha1", sa.String(40), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("built_at", Instant, nullable=False),
        sa.Column("used_at", Instant, nullable=False),
        _package("archives"),
        sa.PrimaryKeyConstraint("key", name="archives_key"),
    )
    op.create_index("archives_by_reference", "archives", ["package_id", "reference"])
    op.create_index("archives_by_used_at", "archives", ["used_at"])
    op.create_table(
        "package_maintainers",
        sa.Column("package_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, autoincrement=False, nullable=False),
        _package("package_maintainers"),
        sa.PrimaryKeyConstraint("package_id", "user_id", name="package_maintainers_key"),
    )
    op.create_index("package_maintainers_by_user_id", "package_maintainers", ["user_id"])
    op.create_table(
        "package_references",
        sa.Column("package_id", sa.Integer, nullable=False),
        sa.Column("reference", sa.String(191), nullable=False),
        sa.Column("normalized", sa.String(191), nullable=False),
        sa.Column("version", sa.String(191), nullable=False),
        sa.Column("is_dev", sa.Boolean, nullable=False),
        sa.Column("released_at", Instant),
        sa.Column("source", sa.String(255)),
        sa.Column("directory", sa.String(255), nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        _package("package_references"),
        sa.PrimaryKeyConstraint("package_id", "reference", "normalized", name="package_references_key"),
    )
    op.create_table(
        "package_refs",
        sa.Column("package_id", sa.Integer, nullable=False),
        sa.Column("ref", sa.String(255), nullable=False),
        sa.Column("commit", sa.String(255), nullable=False),
        sa.Column("skipped", sa.Boolean, nullable=False),
        sa.Column("problem", sa.Text),
        _package("package_refs"),
        sa.PrimaryKeyConstraint("package_id", "ref", name="package_refs_key"),
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("package_id", sa.Integer, nullable=False),
        sa.Column("owner_id", sa.Integer, nullable=False),
        sa.Column("version", sa.String(191), nullable=False),
        sa.Column("normalized", sa.String(191), nullable=False),
        sa.Column("is_dev", sa.Boolean, nullable=False),
        sa.Column("reference", sa.String(255)),
        sa.Column("dist_reference", sa.String(191)),
        sa.Column("ref", sa.String(255), nullable=False),
        sa.Column("directory", sa.String(255), nullable=False),
        sa.Column("tree", sa.String(64)),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("released_at", Instant),
        sa.Column("document", sa.LargeBinary(LONG), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        _package("versions"),
        sa.PrimaryKeyConstraint("id", name="versions_key"),
        sa.UniqueConstraint("package_id", "normalized", name="versions_unique_package_id_normalized"),
    )
    op.create_index("versions_by_ref", "versions", ["owner_id", "ref"])
    op.create_index("versions_by_released_at", "versions", ["released_at"])
