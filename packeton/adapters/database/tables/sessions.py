"""Remembered browsers and used one-time codes. Sessions themselves stand beside the accounts."""

from sqlalchemy import BigInteger, Column, ForeignKey, String, Table

from packeton.adapters.database.tables.base import Instant, metadata

__all__ = ["remembered", "used_codes"]

remembered = Table(
    "remembered_browsers",
    metadata,
    Column("series", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("previous", String(64)),
    Column("rotated_at", Instant, nullable=False),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("name", String(191), nullable=False),
    Column("mark", String(16), nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("address", String(64), nullable=False),
    Column("agent", String(512), nullable=False),
)

used_codes = Table(
    "used_codes",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("counter", BigInteger, nullable=False),
)
