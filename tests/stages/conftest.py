"""An engine for each test, and short ways to write canonical rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.schema import schema_of


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(threads=1) as engine:
        yield engine


@pytest.fixture
def canonical(engine: DuckDBEngine) -> Callable[..., Any]:
    """`canonical("customer", {...}, {...})`: rows of an entity; what is not given is missing.

    A key `system.table:id` fills the provenance; rows are numbered in the order given.
    """

    def rows(entity: str, *given: dict[str, Any]) -> Any:
        definition = ENTITIES[entity]
        fields = (*definition.fields, *PROVENANCE)
        made = []
        for number, row in enumerate(given, start=1):
            place, _, source_id = row[definition.key.name].partition(":")
            system, _, table = place.partition(".")
            where = {"source_system": system, "source_table": table, "source_id": source_id, "source_row": number}
            made.append({**where, **row})
        schema = schema_of(fields).to_pyarrow()
        return engine.table(pa.table({f.name: [r.get(f.name) for r in made] for f in fields}, schema=schema))

    return rows
