"""What belongs to packages beside their reading: secrets of their hooks, and whose favourites they are."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from packeton.adapters.database.tables.base import SEALED, Instant, metadata

__all__ = ["favourites", "hook_secrets"]

hook_secrets = Table(
    "hook_secrets",
    metadata,
    Column("id", Integer, ForeignKey("packages.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("secret", Text, nullable=False, info=SEALED),
)
"""By the package's id."""

favourites = Table(
    "favourites",
    metadata,
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("package_id", Integer, ForeignKey("packages.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", Instant, nullable=False),
    Index("favourites_by_package_id", "package_id"),
)
