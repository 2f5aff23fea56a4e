"""Pairs of customers that wait for a person, and what persons decided about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "review_case",
        sa.Column("case_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("a", sa.Text, nullable=False),
        sa.Column("b", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("probability", sa.Double, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("first_seen", instant, nullable=False),
        sa.Column("last_seen", instant, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.UniqueConstraint("plan", "a", "b", name="review_case_of_pair"),
        sa.CheckConstraint("a < b", name="review_case_in_order"),
    )
    op.create_table(
        "review_decision",
        sa.Column("decision_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("a", sa.Text, nullable=False),
        sa.Column("b", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text, nullable=False),
        sa.Column("decided_at", instant, nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.CheckConstraint("a < b", name="review_decision_in_order"),
        sa.CheckConstraint("answer in ('same', 'apart', 'open')", name="review_decision_answer"),
        sa.CheckConstraint("length(trim(reason)) > 0", name="review_decision_has_reason"),
    )
    op.create_index(
        "review_decision_current",
        "review_decision",
        ["plan", "a", "b"],
        unique=True,
        postgresql_where=sa.text("current"),
    )


def downgrade() -> None:
    op.drop_table("review_decision")
    op.drop_table("review_case")
