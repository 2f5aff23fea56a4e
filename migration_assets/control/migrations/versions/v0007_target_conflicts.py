"""What others have changed in the target since it was loaded, and what persons have decided about it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "target_conflict",
        sa.Column("conflict_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("table_name", sa.Text, nullable=False),
        sa.Column("target_id", sa.Text, nullable=False),
        sa.Column("column_name", sa.Text, nullable=False),
        sa.Column("expected", sa.Text, nullable=False),
        sa.Column("found", sa.Text, nullable=False),
        sa.Column("cohort", sa.Text, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("currency", sa.Text),
        sa.Column("amount_minor", sa.BigInteger),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked", sa.Boolean, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.UniqueConstraint(
            "plan", "table_name", "target_id", "column_name", "expected", "found", name="target_conflict_of_values"
        ),
    )
    op.create_table(
        "conflict_decision",
        sa.Column("decision_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("conflict_id", sa.BigInteger, sa.ForeignKey("target_conflict.conflict_id"), nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.Column("effective", sa.Boolean, nullable=False),
        sa.Column("seconded_by", sa.Text),
        sa.CheckConstraint("effective or seconded_by is null", name="conflict_decision_by_two"),
        sa.CheckConstraint("seconded_by <> decided_by", name="conflict_decision_two_differ"),
        sa.CheckConstraint("answer in ('source', 'target', 'open')", name="conflict_decision_answer"),
        sa.CheckConstraint("length(trim(reason)) > 0", name="conflict_decision_has_reason"),
    )
    op.create_index(
        "conflict_decision_current",
        "conflict_decision",
        ["conflict_id", "effective"],
        unique=True,
        postgresql_where=sa.text("current"),
    )


def downgrade() -> None:
    op.drop_table("conflict_decision")
    op.drop_table("target_conflict")
