"""The digests of Composer 1, kept from one start to the next."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = depends_on = None

LONG = 2**24 - 1


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "package_digests",
        sa.Column("listing", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(LONG), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("listing", name="package_digests_key"),
    )
    op.create_index("package_digests_by_revision", "package_digests", ["revision"])
