"""Jobs, their logs, and locks."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from packeton.adapters.database.tables.base import Instant, metadata

__all__ = ["job_logs", "jobs", "locks"]

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("type", String(64), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("key", String(191)),
    Column("package", String(191)),
    Column("host", String(191)),
    Column("status", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("result", JSON(none_as_null=True)),
    Column("created_at", Instant, nullable=False),
    Column("run_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("worker", String(128)),
    Column("heard_at", Instant),
    Column("waiting", String(160), unique=True),
    Column("running", String(160), unique=True),
    Column("log_bytes", Integer, nullable=False, default=0),
    Index("jobs_by_turn", "status", "priority", "run_at"),
    Index("jobs_by_package", "package", "created_at"),
    Index("jobs_by_age", "created_at"),
)
"""`waiting` and `running` hold a digest of kind and key while a job waits, or runs: the database itself keeps a second
one out."""

job_logs = Table(
    "job_logs",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("text", Text, nullable=False),
    Index("job_logs_by_job", "job_id", "position"),
)

locks = Table(
    "locks",
    metadata,
    Column("name", String(191), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("until", Instant, nullable=False),
)
