"""Jobs and their logs."""

revision = "0005"
down_revision = "0004"
branch_labels = depends_on = None


def upgrade() -> None:
    """Make the tables."""
