"""The cache: entries, first-seen digests of dists, and what was last sent out."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, String, Table

from packeton.adapters.database.tables.base import Instant, metadata

__all__ = ["cache_entries", "dist_digests", "publications"]

cache_entries = Table(
    "cache_entries",
    metadata,
    Column("key", String(512), primary_key=True),
    Column("variant", String(128), primary_key=True, default=""),
    Column("status", Integer, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("selecting", JSON, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("stored_at", Instant, nullable=False),
    Column("blob", String(128), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("used_at", Instant, nullable=False),
    Column("pinned", Boolean, nullable=False, default=False),
    Index("cache_entries_by_use", "pinned", "used_at"),
)

dist_digests = Table(
    "dist_digests",
    metadata,
    Column("mirror", String(64), primary_key=True),
    Column("package", String(191), primary_key=True),
    Column("version", String(191), primary_key=True),
    Column("reference", String(191), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("sha1", String(40)),
    Column("changed_sha256", String(64)),
    Column("changed_at", Instant),
    Index("dist_digests_by_change", "changed_at"),
)

publications = Table(
    "publications",
    metadata,
    Column("key", String(512), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("last_modified", Instant, nullable=False),
)
