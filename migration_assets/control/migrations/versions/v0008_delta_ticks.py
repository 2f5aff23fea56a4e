"""Looks at the sources after the load, and what each found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delta_tick",
        sa.Column("tick_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("thorough", sa.Boolean, nullable=False),
        sa.Column("snapshot_before", sa.Text, nullable=False),
        sa.Column("snapshot_after", sa.Text),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("lag_seconds", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("detail", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.CheckConstraint("state in ('running', 'quiet', 'done', 'failed')", name="delta_tick_state"),
        sa.CheckConstraint("(state = 'running') = (ended_at is null)", name="delta_tick_ended"),
    )
    op.create_index("delta_tick_of_plan", "delta_tick", ["plan", "tick_id"])
    op.create_table(
        "delta_table",
        sa.Column("tick_id", sa.BigInteger, sa.ForeignKey("delta_tick.tick_id"), primary_key=True),
        sa.Column("table", sa.Text, primary_key=True),
        sa.Column("rows_before", sa.BigInteger, nullable=False),
        sa.Column("rows_after", sa.BigInteger, nullable=False),
        sa.Column("inserted", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.BigInteger, nullable=False),
        sa.Column("late_inserted", sa.BigInteger, nullable=False),
        sa.Column("late_updated", sa.BigInteger, nullable=False),
        sa.CheckConstraint(
            "rows_before + inserted + late_inserted - deleted = rows_after", name="delta_table_balances"
        ),
    )


def downgrade() -> None:
    op.drop_table("delta_table")
    op.drop_table("delta_tick")
