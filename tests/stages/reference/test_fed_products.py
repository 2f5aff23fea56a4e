"""Products that a source brings: their own codes are their keys, and every row is accounted for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from plan_in_code import constants_of, feed_of, field_of, plan_of, raw_rows, table_of

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.canonical import Upstream
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.reference.load_once import reference_rows
from migration_assets.stages.references import FATES, empty

T = datetime(2026, 1, 1, tzinfo=UTC)
FEED = feed_of("items", "product", "erp.items")
PLAN = plan_of(
    {"erp.items": table_of("product")},
    feeds=[FEED],
    mapping=[
        field_of(FEED, "product_code", "number", "copy"),
        field_of(FEED, "name", "name", "text"),
        *constants_of(FEED, kind="one_off"),
    ],
)


def made(engine: DuckDBEngine, *items: dict[str, Any]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Codes and names of the products, and what became of each source row."""
    raw = raw_rows(engine, *items)
    found = reference_rows(Mapping(engine, PLAN, lambda _: raw, T), Upstream({}, empty(engine, FATES)))
    rows = engine.arrow(found.rows["product"].order_by("product_code")).to_pylist()
    claims = engine.arrow(engine.union(found.dispositions).order_by("source_row")).to_pylist()
    return (
        [(r["product_code"], r["name"], r["source_id"]) for r in rows],
        [(c["source_row"], c["disposition"], c["rule"]) for c in claims],
    )


def test_the_code_that_the_source_has_is_the_key(engine: DuckDBEngine) -> None:
    rows, claims = made(
        engine, {"id": "680", "number": "FR-58", "name": "Frame"}, {"id": "7", "number": "A", "name": "B"}
    )
    assert rows == [("A", "B", "7"), ("FR-58", "Frame", "680")], "and no product of the catalog beside them"
    assert claims == [(1, "loaded", ""), (2, "loaded", "")]


def test_without_a_code_or_with_one_that_stands_twice_a_row_is_rejected(engine: DuckDBEngine) -> None:
    items = ({"number": None, "name": "a"}, {"number": "X", "name": "b"}, {"number": "X", "name": "c"})
    rows, claims = made(
        engine, *({"id": str(n), **item} for n, item in enumerate(items)), {"id": "9", "number": "Y", "name": "d"}
    )
    assert rows == [("Y", "d", "9")]
    assert claims == [
        (1, "rejected", "required_missing"),
        (2, "rejected", "duplicate_key"),
        (3, "rejected", "duplicate_key"),
        (4, "loaded", ""),
    ]
