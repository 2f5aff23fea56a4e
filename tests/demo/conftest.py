"""Two small worlds, made once: one clean, one with every defect."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from demo_query import Query

from migration_assets.demo import Legacy, generate


@pytest.fixture(scope="session")
def clean() -> Legacy:
    return generate(1500, seed=7, messy=False)


@pytest.fixture(scope="session")
def messy() -> Legacy:
    return generate(1500, seed=7, messy=True)


@pytest.fixture(scope="session")
def ask_clean(clean: Legacy) -> Iterator[Query]:
    yield from _asking(clean)


@pytest.fixture(scope="session")
def ask_messy(messy: Legacy) -> Iterator[Query]:
    yield from _asking(messy)


def _asking(legacy: Legacy) -> Iterator[Query]:
    """Runs SQL over the tables, named as in the databases."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA crm; CREATE SCHEMA erp")
        for name, table in legacy.tables.items():
            connection.register("arriving", table)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM arriving")
            connection.unregister("arriving")
        yield lambda query: connection.execute(query).fetchall()
