"""The schema, as SQLAlchemy tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Dialect, Index, Integer, MetaData, String, Table
from sqlalchemy.types import TypeDecorator

__all__ = ["Instant", "cache_entries", "dist_digests", "metadata", "publications"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, kept as whole microseconds since 1970 so that every database orders it alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Turn a datetime into microseconds."""
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn microseconds into a datetime."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


metadata = MetaData()

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
