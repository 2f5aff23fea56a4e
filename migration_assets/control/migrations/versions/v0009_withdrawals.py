"""When verdicts were withdrawn, so that a stage that was at work meanwhile does not put an older finding back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "withdrawal",
        sa.Column("withdrawal_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("cohort", sa.Text),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )


def downgrade() -> None:
    op.drop_table("withdrawal")
