"""Mirrors: settings, names, approvals, patches, state of synchronisation."""

revision = "0002"
down_revision = "0001"
branch_labels = depends_on = None


def upgrade() -> None:
    """Make the tables."""
