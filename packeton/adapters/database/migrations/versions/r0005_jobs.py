"""Jobs and their logs."""

import sqlalchemy as sa
from alembic import op

from packeton.adapters.database.tables.base import Instant

revision = "0005"
down_revision = "0004"
branch_labels = depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("key", sa.String(191)),
        sa.Column("package", sa.String(191)),
        sa.Column("host", sa.String(191)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("run_at", Instant, nullable=False),
        sa.Column("started_at", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("worker", sa.String(128)),
        sa.Column("heard_at", Instant),
        sa.Column("waiting", sa.String(160), unique=True),
        sa.Column("running", sa.String(160), unique=True),
        sa.Column("log_bytes", sa.Integer, nullable=False),
    )
    op.create_index("jobs_by_turn", "jobs", ["status", "priority", "run_at"])
    op.create_index("jobs_by_package", "jobs", ["package", "created_at"])
    op.create_index("jobs_by_age", "jobs", ["created_at"])
    op.create_table(
        "job_logs",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("job_id", sa.String(40), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("job_logs_by_job", "job_logs", ["job_id", "position"])
    op.create_table(
        "locks",
        sa.Column("name", sa.String(191), primary_key=True),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("until", Instant, nullable=False),
    )
