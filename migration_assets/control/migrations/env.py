"""Alembic's entry: upgrades on the connection that `migrate` has opened and locked."""

from __future__ import annotations

from alembic import context


def upgrade() -> None:
    """Run the versions that are missing, in one transaction."""
    context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()


# Alembic loads this file by its path and calls it so; an ordinary import must do nothing.
if __name__ == "env_py":
    upgrade()
