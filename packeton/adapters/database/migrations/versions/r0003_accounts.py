"""Accounts: users, groups, tokens, sub-repositories."""

revision = "0003"
down_revision = "0002"
branch_labels = depends_on = None


def upgrade() -> None:
    """Make the tables."""
