"""Accounts: users, groups, tokens, sub-repositories, sessions, the audit trail; the numbers that move on changes."""

import sqlalchemy as sa
from alembic import op

from packeton.adapters.database.tables.base import Instant

revision = "0003"
down_revision = "0002"
branch_labels = depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "revisions",
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("revisions_key")),
    )
    op.create_table(
        "subrepos",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(191), nullable=False),
        sa.Column("slug", sa.String(64), nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.Column("markup", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("subrepos_key")),
        sa.UniqueConstraint("slug", name=op.f("subrepos_unique_slug")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "user_groups",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("updates_until", Instant),
        sa.Column("min_stability", sa.String(8)),
        sa.PrimaryKeyConstraint("id", name=op.f("user_groups_key")),
        sa.UniqueConstraint("name", name=op.f("user_groups_unique_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(191), nullable=False),
        sa.Column("name_key", sa.String(191), nullable=False),
        sa.Column("email", sa.String(191), nullable=False),
        sa.Column("email_key", sa.String(191), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("password", sa.String(255)),
        sa.Column("salt", sa.String(255)),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("is_admin", sa.Boolean, nullable=False),
        sa.Column("expires_at", Instant),
        sa.Column("updates_until", Instant),
        sa.Column("subrepos", sa.JSON, nullable=False),
        sa.Column("external_id", sa.String(191)),
        sa.Column("failure_notifications", sa.Boolean, nullable=False),
        sa.Column("totp_secret", sa.Text),
        sa.Column("totp_confirmed_at", Instant),
        sa.Column("totp_recovery", sa.JSON, nullable=False),
        sa.Column("reset_digest", sa.String(64)),
        sa.Column("reset_requested_at", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("last_login_at", Instant),
        sa.PrimaryKeyConstraint("id", name=op.f("users_key")),
        sa.UniqueConstraint("email_key", name=op.f("users_unique_email_key")),
        sa.UniqueConstraint("external_id", name=op.f("users_unique_external_id")),
        sa.UniqueConstraint("name_key", name=op.f("users_unique_name_key")),
        sa.UniqueConstraint("reset_digest", name=op.f("users_unique_reset_digest")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("name", sa.String(191), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("success", sa.Boolean, nullable=False),
        sa.Column("first_at", Instant, nullable=False),
        sa.Column("last_at", Instant, nullable=False),
        sa.Column("address", sa.String(64)),
        sa.Column("agent", sa.String(512)),
        sa.Column("token", sa.String(64)),
        sa.Column("error", sa.String(512)),
        sa.Column("downloads", sa.Text),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("audit_entries_to_users_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_entries_key")),
    )
    op.create_index("audit_entries_by_age", "audit_entries", ["last_at"], unique=False)
    op.create_index("audit_entries_by_user", "audit_entries", ["user_id", "last_at"], unique=False)
    op.create_table(
        "group_lines",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("group_id", sa.Integer, nullable=False),
        sa.Column("package", sa.String(191), nullable=False),
        sa.Column("version_constraint", sa.String(1024)),
        sa.Column("min_stability", sa.String(8)),
        sa.ForeignKeyConstraint(
            ["group_id"], ["user_groups.id"], name=op.f("group_lines_to_user_groups_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("group_lines_key")),
    )
    op.create_index(op.f("group_lines_by_group_id"), "group_lines", ["group_id"], unique=False)
    op.create_index(op.f("group_lines_by_package"), "group_lines", ["package"], unique=False)
    op.create_table(
        "group_members",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("group_id", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["user_groups.id"], name=op.f("group_members_to_user_groups_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("group_members_to_users_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "group_id", name=op.f("group_members_key")),
    )
    op.create_index(op.f("group_members_by_group_id"), "group_members", ["group_id"], unique=False)
    op.create_table(
        "group_mirrors",
        sa.Column("group_id", sa.Integer, nullable=False),
        sa.Column("alias", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["user_groups.id"], name=op.f("group_mirrors_to_user_groups_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "alias", name=op.f("group_mirrors_key")),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("user_identifier", sa.String(191)),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("address", sa.String(64)),
        sa.Column("agent", sa.String(512)),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("sessions_to_users_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("sessions_key")),
    )
    op.create_index(op.f("sessions_by_expires_at"), "sessions", ["expires_at"], unique=False)
    op.create_index(op.f("sessions_by_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "subrepo_hosts",
        sa.Column("host", sa.String(191), nullable=False),
        sa.Column("subrepo_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["subrepo_id"], ["subrepos.id"], name=op.f("subrepo_hosts_to_subrepos_subrepo_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("host", name=op.f("subrepo_hosts_key")),
    )
    op.create_index(op.f("subrepo_hosts_by_subrepo_id"), "subrepo_hosts", ["subrepo_id"], unique=False)
    op.create_table(
        "subrepo_packages",
        sa.Column("subrepo_id", sa.Integer, nullable=False),
        sa.Column("package", sa.String(191), nullable=False),
        sa.ForeignKeyConstraint(
            ["subrepo_id"], ["subrepos.id"], name=op.f("subrepo_packages_to_subrepos_subrepo_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subrepo_id", "package", name=op.f("subrepo_packages_key")),
    )
    op.create_index(op.f("subrepo_packages_by_package"), "subrepo_packages", ["package"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(191), nullable=False),
        sa.Column("shown", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(none_as_null=True)),
        sa.Column("owner", sa.Integer),
        sa.Column("user_identifier", sa.String(191)),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant),
        sa.Column("used_count", sa.BigInteger, nullable=False),
        sa.Column("used_at", Instant),
        sa.Column("used_from", sa.String(64)),
        sa.Column("used_agent", sa.String(512)),
        sa.ForeignKeyConstraint(["owner"], ["users.id"], name=op.f("tokens_to_users_owner"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("tokens_key")),
        sa.UniqueConstraint("digest", name=op.f("tokens_unique_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("tokens_by_owner"), "tokens", ["owner"], unique=False)
    op.create_index(op.f("tokens_by_user_identifier"), "tokens", ["user_identifier"], unique=False)
    op.create_table(
        "remembered_browsers",
        sa.Column("series", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64)),
        sa.Column("rotated_at", Instant, nullable=False),
        sa.Column("user_id", sa.Integer),
        sa.Column("name", sa.String(191), nullable=False),
        sa.Column("mark", sa.String(16), nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(512), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("remembered_browsers_to_users_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series", name=op.f("remembered_browsers_key")),
    )
    op.create_index(op.f("remembered_browsers_by_expires_at"), "remembered_browsers", ["expires_at"], unique=False)
    op.create_index(op.f("remembered_browsers_by_user_id"), "remembered_browsers", ["user_id"], unique=False)
    op.create_table(
        "used_codes",
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("used_codes_to_users_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("used_codes_key")),
    )
