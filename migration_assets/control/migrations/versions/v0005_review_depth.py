"""The review queue knows what is at stake, and answers that wait for a second person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review_case", sa.Column("stakes", JSONB, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("review_case", sa.Column("rank", sa.Numeric, nullable=False, server_default=sa.text("0")))
    # What one person answered until now was in force at once.
    op.add_column("review_decision", sa.Column("effective", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("review_decision", sa.Column("seconded_by", sa.Text))
    op.create_check_constraint("review_decision_by_two", "review_decision", "effective or seconded_by is null")
    op.create_check_constraint("review_decision_two_differ", "review_decision", "seconded_by <> decided_by")
    op.drop_index("review_decision_current", "review_decision")
    op.create_index(
        "review_decision_current",
        "review_decision",
        ["plan", "a", "b", "effective"],
        unique=True,
        postgresql_where=sa.text("current"),
    )


def downgrade() -> None:
    op.drop_index("review_decision_current", "review_decision")
    # An answer that waits for a second person has no place in what comes before.
    op.execute("update review_decision set current = false where not effective")
    for name in ("review_decision_by_two", "review_decision_two_differ"):
        op.drop_constraint(name, "review_decision")
    for column in ("effective", "seconded_by"):
        op.drop_column("review_decision", column)
    op.create_index(
        "review_decision_current",
        "review_decision",
        ["plan", "a", "b"],
        unique=True,
        postgresql_where=sa.text("current"),
    )
    for column in ("stakes", "rank"):
        op.drop_column("review_case", column)
