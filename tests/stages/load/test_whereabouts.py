"""A row of the target is found by the source row it was made from, whatever was added to its id on the way."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.whereabouts import SOURCE, origins

THERE = {
    "erp.items": [("1", "x"), ("2", "y"), ("2/7", "z"), ("9", "x"), ("9", "y")],
    "crm.items": [("1", "w")],
}


def found(engine: DuckDBEngine, *ids: tuple[str, str], cohort: str = "x") -> dict[tuple[str, str], str]:
    rows = [(*table.split("."), source_id, cohort) for table, source_id in ids]
    columns = dict(zip((*SOURCE, "cohort"), zip(*rows, strict=True), strict=True))

    def whereabouts(table: str) -> Any:
        if table not in THERE:
            return None
        ids, cohorts = zip(*THERE[table], strict=True)
        return engine.table(pa.table({"source_id": ids, "cohort": cohorts}))

    answered = engine.arrow(origins(engine, engine.table(pa.table(columns)), whereabouts)).to_pylist()
    return {(f"{r['source_system']}.{r['source_table']}", r["source_id"]): r["found"] for r in answered}


@pytest.mark.parametrize(
    ("source_id", "cohort"),
    [("1", "x"), ("1/seats/0", "x"), ("2", "y"), ("2/8", "y"), ("2/7", "z"), ("2/7/seats", "z"), ("2/70", "y")],
)
def test_the_longest_id_that_fits_is_the_origin(engine: DuckDBEngine, source_id: str, cohort: str) -> None:
    assert found(engine, ("erp.items", source_id)) == {("erp.items", source_id): cohort}


def test_what_is_gone_is_left_out_and_tables_are_not_mixed_up(engine: DuckDBEngine) -> None:
    asked = [("erp.items", "1"), ("crm.items", "1"), ("crm.items", "2"), ("erp.items", "12"), ("old.items", "1")]
    assert found(engine, *asked) == {("erp.items", "1"): "x", ("crm.items", "1"): "w"}
    assert found(engine, ("old.items", "1")) == {}


@pytest.mark.parametrize("cohort", ["x", "y"])
def test_an_id_that_is_there_twice_stays_where_it_was(engine: DuckDBEngine, cohort: str) -> None:
    assert found(engine, ("erp.items", "9"), cohort=cohort) == {("erp.items", "9"): cohort}
    assert found(engine, ("erp.items", "9"), cohort="z") == {("erp.items", "9"): "x"}
