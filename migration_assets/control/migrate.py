"""Brings a control database to the newest version of its tables. What the versions are is in `migrations/versions`."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.pool import NullPool

from migration_assets.control.lock_numbers import Lock


def migrate(url: str) -> None:
    """Create or upgrade the tables; doing it again changes nothing. A second process waits for the first."""
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(Lock.MIGRATING)))
        connection.commit()
        try:
            _upgrade(connection)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(sa.select(sa.func.pg_advisory_unlock(Lock.MIGRATING)))
            connection.commit()


def _upgrade(connection: sa.Connection) -> None:
    config = Config()
    # Alembic reads the option with % interpolation.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
