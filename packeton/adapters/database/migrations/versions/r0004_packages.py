"""Private packages, their versions, credentials, uploads, counters."""

revision = "0004"
down_revision = "0003"
branch_labels = depends_on = None


def upgrade() -> None:
    """Make the tables."""
