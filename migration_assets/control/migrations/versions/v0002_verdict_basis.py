"""A verdict also says by which rules and for which instant T it was given. Older ones do not, and so are stale."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("verdict", sa.Column("as_of", sa.DateTime(timezone=True), nullable=True))
    op.add_column("verdict", sa.Column("suite_digest", sa.Text, nullable=True))


def downgrade() -> None:
    op.drop_column("verdict", "suite_digest")
    op.drop_column("verdict", "as_of")
