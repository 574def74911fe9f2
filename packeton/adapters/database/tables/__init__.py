"""The schema, as SQLAlchemy tables: one module a subject."""

from packeton.adapters.database.tables import accounts, caching, hooks, jobs, mirrors, packages, sessions
from packeton.adapters.database.tables.base import metadata

__all__ = ["accounts", "caching", "hooks", "jobs", "metadata", "mirrors", "packages", "sessions"]
