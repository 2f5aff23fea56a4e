"""A record that a dry run froze is marked: nothing stands on it, and the next real run need not keep its instant T."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("migration_record", sa.Column("trial", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("migration_record", "trial")
