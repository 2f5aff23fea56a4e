"""What rows that left the source stood together with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customer_kin",
        sa.Column("plan", sa.Text, primary_key=True),
        sa.Column("customer_id", sa.Text, primary_key=True),
        sa.Column("kin_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('link', 'group', 'erased', 'asked', 'held')", name="customer_kin_kind"),
        sa.CheckConstraint("customer_id <> kin_id", name="customer_kin_differ"),
    )


def downgrade() -> None:
    op.drop_table("customer_kin")
