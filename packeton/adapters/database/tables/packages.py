"""Our own packages: where they come from, their versions, and what belongs to them."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from packeton.adapters.database.tables.base import SEALED, Instant, metadata

__all__ = [
    "archives",
    "credentials",
    "downloads",
    "maintainers",
    "package_changes",
    "package_digests",
    "package_publications",
    "package_references",
    "package_refs",
    "packages",
    "uploads",
    "versions",
]

LONG = 2**24 - 1
"""Bytes of a long text or document; MySQL chooses the column's type by it."""


def _package() -> Column[int]:
    return Column("package_id", Integer, ForeignKey("packages.id", ondelete="CASCADE"), primary_key=True)


packages = Table(
    "packages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(191), nullable=False),
    Column("repo_type", String(16), nullable=False),
    Column("url", Text),
    Column("host", String(191)),
    Column("path", String(255)),
    Column("credential_id", Integer),
    Column("parent_id", Integer),
    Column("directory", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("type", String(191), nullable=False),
    Column("language", String(64)),
    Column("readme", Text(LONG)),
    Column("abandoned", Boolean, nullable=False),
    Column("replacement", String(191)),
    Column("visible_for_all", Boolean, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("auto_updated", Boolean, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant),
    Column("crawled_at", Instant),
    Column("problem", Text),
    Column("notified", Boolean, nullable=False),
    Column("stable_modified_at", Instant, nullable=False),
    Column("dev_modified_at", Instant, nullable=False),
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("name"),
    Index("packages_by_address", "host", "path"),
    Index("packages_by_parent_id", "parent_id"),
)

maintainers = Table(
    "package_maintainers",
    metadata,
    _package(),
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Index("package_maintainers_by_user_id", "user_id"),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("package_id", Integer, ForeignKey("packages.id", ondelete="CASCADE"), nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("version", String(191), nullable=False),
    Column("normalized", String(191), nullable=False),
    Column("is_dev", Boolean, nullable=False),
    Column("reference", String(255)),
    Column("dist_reference", String(191)),
    Column("ref", String(255), nullable=False),
    Column("directory", String(255), nullable=False),
    Column("tree", String(64)),
    Column("is_default", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("released_at", Instant),
    Column("document", LargeBinary(LONG), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("package_id", "normalized"),
    Index("versions_by_ref", "owner_id", "ref"),
    Index("versions_by_released_at", "released_at"),
)

package_refs = Table(
    "package_refs",
    metadata,
    _package(),
    Column("ref", String(255), primary_key=True),
    Column("commit", String(255), nullable=False),
    Column("skipped", Boolean, nullable=False),
    Column("problem", Text),
)

package_references = Table(
    "package_references",
    metadata,
    _package(),
    Column("reference", String(191), primary_key=True),
    Column("normalized", String(191), primary_key=True),
    Column("version", String(191), nullable=False),
    Column("is_dev", Boolean, nullable=False),
    Column("released_at", Instant),
    Column("source", String(255)),
    Column("directory", String(255), nullable=False),
    Column("seen_at", Instant, nullable=False),
)

package_changes = Table(
    "package_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("package", String(191), nullable=False),
    Column("is_dev", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    Index("package_changes_by_at", "at"),
)

package_publications = Table(
    "package_publications",
    metadata,
    Column("document", String(191), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("last_modified", Instant, nullable=False),
)

package_digests = Table(
    "package_digests",
    metadata,
    Column("listing", String(64), primary_key=True),
    Column("content", LargeBinary(LONG), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("package_digests_by_revision", "revision"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(191), nullable=False),
    Column("owner_id", Integer),
    Column("shared", Boolean, nullable=False),
    Column("ssh_key", Text, info=SEALED),
    Column("composer_auth", Text, info=SEALED),
    Column("fingerprint", String(191)),
    Column("created_at", Instant, nullable=False),
    sqlite_autoincrement=True,  # an id is never given again: packages name it
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", String(40), nullable=False),
    Column("filename", String(191), nullable=False),
    Column("original_name", String(255), nullable=False),
    Column("extension", String(16), nullable=False),
    Column("mime_type", String(191), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha1", String(40), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("used", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("reference"),
)

archives = Table(
    "archives",
    metadata,
    Column("key", String(512), primary_key=True),
    Column("package_id", Integer, ForeignKey("packages.id", ondelete="CASCADE"), nullable=False),
    Column("reference", String(191), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha1", String(40), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("built_at", Instant, nullable=False),
    Column("used_at", Instant, nullable=False),
    Index("archives_by_reference", "package_id", "reference"),
    Index("archives_by_used_at", "used_at"),
)

downloads = Table(
    "downloads",
    metadata,
    Column("package_id", Integer, primary_key=True, autoincrement=False),
    Column("version", String(191), primary_key=True),
    Column("period", String(8), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Index("downloads_by_period", "period"),
)
