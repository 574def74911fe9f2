"""The schema, as SQLAlchemy tables: one module a subject."""

from packeton.adapters.database.tables import accounts, caching, mirrors, packages, sessions
from packeton.adapters.database.tables.base import metadata

__all__ = ["accounts", "caching", "metadata", "mirrors", "packages", "sessions"]
