"""Accounts: users, groups, tokens, sub-repositories; sessions and the audit trail; the numbers that move on changes."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from packeton.adapters.database.tables.base import SEALED, Instant, metadata

__all__ = [
    "audit_entries",
    "group_lines",
    "group_members",
    "group_mirrors",
    "revisions",
    "sessions",
    "subrepo_hosts",
    "subrepo_packages",
    "subrepos",
    "tokens",
    "user_groups",
    "users",
]

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(191), nullable=False),
    Column("name_key", String(191), nullable=False, unique=True),
    Column("email", String(191), nullable=False),
    Column("email_key", String(191), nullable=False, unique=True),
    Column("enabled", Boolean, nullable=False),
    Column("password", String(255)),
    Column("salt", String(255)),
    Column("roles", JSON, nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("expires_at", Instant),
    Column("updates_until", Instant),
    Column("subrepos", JSON, nullable=False),
    Column("external_id", String(191), unique=True),
    Column("failure_notifications", Boolean, nullable=False),
    Column("totp_secret", Text, info=SEALED),
    Column("totp_confirmed_at", Instant),
    Column("totp_recovery", JSON, nullable=False),
    Column("reset_digest", String(64), unique=True),
    Column("reset_requested_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("last_login_at", Instant),
    sqlite_autoincrement=True,  # an id is never given again
)

user_groups = Table(
    "user_groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("updates_until", Instant),
    Column("min_stability", String(8)),
    sqlite_autoincrement=True,
)

group_members = Table(
    "group_members",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", ForeignKey("user_groups.id", ondelete="CASCADE"), primary_key=True, index=True),
)

group_lines = Table(
    "group_lines",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("group_id", ForeignKey("user_groups.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("package", String(191), nullable=False, index=True),
    Column("version_constraint", String(1024)),
    Column("min_stability", String(8)),
)

group_mirrors = Table(
    "group_mirrors",
    metadata,
    Column("group_id", ForeignKey("user_groups.id", ondelete="CASCADE"), primary_key=True),
    Column("alias", String(64), primary_key=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(191), nullable=False),
    Column("shown", String(32), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", JSON(none_as_null=True)),
    Column("owner", ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("user_identifier", String(191), index=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("used_count", BigInteger, nullable=False),
    Column("used_at", Instant),
    Column("used_from", String(64)),
    Column("used_agent", String(512)),
    sqlite_autoincrement=True,
)

subrepos = Table(
    "subrepos",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(191), nullable=False),
    Column("slug", String(64), nullable=False, unique=True),
    Column("public", Boolean, nullable=False),
    Column("markup", Text),
    sqlite_autoincrement=True,
)

subrepo_hosts = Table(
    "subrepo_hosts",
    metadata,
    Column("host", String(191), primary_key=True),
    Column("subrepo_id", ForeignKey("subrepos.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
)

subrepo_packages = Table(
    "subrepo_packages",
    metadata,
    Column("subrepo_id", ForeignKey("subrepos.id", ondelete="CASCADE"), primary_key=True),
    Column("package", String(191), primary_key=True, index=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), index=True),
    Column("user_identifier", String(191)),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("address", String(64)),
    Column("agent", String(512)),
    Column("facts", JSON, nullable=False),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE")),
    Column("name", String(191), nullable=False),
    Column("source", String(32), nullable=False),
    Column("count", Integer, nullable=False),
    Column("success", Boolean, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("address", String(64)),
    Column("agent", String(512)),
    Column("token", String(64)),
    Column("error", String(512)),
    Column("downloads", Text),
    Index("audit_entries_by_user", "user_id", "last_at"),
    Index("audit_entries_by_age", "last_at"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("subject", String(32), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
