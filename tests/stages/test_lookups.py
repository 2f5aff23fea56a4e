"""Columns of the row that a row points at: read over references, and missing rather than guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import ibis
import pytest
from plan_in_code import constants_of, feed_of, field_of, plan_of, raw_rows, table_of

from migration_assets.domain.predicates import Predicate
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.lookups import lookups_of, place_of
from migration_assets.plan.models import Plan
from migration_assets.plan.source_models import Exclusion
from migration_assets.stages.feeds import Mapping

T = datetime(2026, 1, 1, tzinfo=UTC)
LINE = feed_of("lines", "sales_order_line", "erp.lines")
GONE = Exclusion(
    rule="gone", table="erp.products", where=(Predicate(field="gone", op="eq", value="Y"),), reason="No longer sold."
)
WHOLE = Exclusion(rule="all", table="erp.products", reason="Read with each line.")


def plan(*exclusions: Exclusion) -> Plan:
    return plan_of(
        {
            "erp.lines": table_of("sales_order_line", "order_id", order_id="erp.orders", item="erp.products"),
            "erp.orders": table_of("sales_order", "customer", customer="erp.customers"),
            "erp.customers": table_of("customer", "self"),
            "erp.products": table_of(None),
        },
        feeds=[LINE],
        mapping=[
            field_of(LINE, "order_id", "order_id", "reference", table="erp.orders"),
            field_of(LINE, "currency", "order_id->currency", "currency"),
            field_of(LINE, "product_code", "item->code", "copy"),
            field_of(LINE, "amount_minor", "amount order_id->currency", "money", unit="major"),
            *constants_of(LINE, position=1, quantity=1),
        ],
        exclusions=exclusions,
    )


RAW: dict[str, list[dict[str, Any]]] = {
    "erp.lines": [
        {"id": "1", "order_id": "o1", "item": "p1", "amount": "5"},
        {"id": "2", "order_id": "o2", "item": "p2", "amount": "5"},
        {"id": "3", "order_id": "o2", "item": "twin", "amount": "1"},
        {"id": "4", "order_id": "o2", "item": None, "amount": "1"},
        {"id": "5", "order_id": "nowhere", "item": "p1", "amount": "1"},
    ],
    "erp.orders": [{"id": "o1", "currency": "EUR"}, {"id": "o2", "currency": "JPY"}],
    "erp.products": [
        {"id": "p1", "code": "bike", "gone": "N"},
        {"id": "p2", "code": "horse", "gone": "Y"},
        {"id": "twin", "code": "a", "gone": "N"},
        {"id": "twin", "code": "b", "gone": "N"},
    ],
}


def lines(engine: DuckDBEngine, declared: Plan, shared: bool = False) -> dict[str, tuple[Any, ...]]:
    tables = {name: raw_rows(engine, *rows) for name, rows in RAW.items()}
    own = {**tables, "erp.products": tables["erp.products"].limit(0)} if shared else tables
    feeds = Mapping(engine, declared, own.__getitem__, T, whole=tables.__getitem__ if shared else None)
    rows = engine.arrow(feeds.entity("sales_order_line").rows.order_by("source_row")).to_pylist()
    return {r["source_id"]: (r["currency"], r["amount_minor"], r["product_code"]) for r in rows}


def test_a_row_reads_columns_of_the_rows_it_points_at(engine: DuckDBEngine) -> None:
    found = lines(engine, plan())
    assert (found["1"], found["2"]) == (("EUR", 500, "bike"), ("JPY", 5, "horse"))


@pytest.mark.parametrize(("points", "key"), [("int32", "int64"), ("string", "int64"), ("int64", "string")])
def test_a_key_and_what_points_at_it_may_be_of_two_types(engine: DuckDBEngine, points: str, key: str) -> None:
    tables = {name: raw_rows(engine, *rows) for name, rows in RAW.items()}
    line, order = tables["erp.lines"], tables["erp.orders"]
    tables["erp.lines"] = engine.cached(line.filter(line.id == "1").mutate(order_id=ibis.literal(7).cast(points)))
    tables["erp.orders"] = engine.cached(order.filter(order.id == "o1").mutate(id=ibis.literal(7).cast(key)))
    rows = Mapping(engine, plan(), tables.__getitem__, T).entity("sales_order_line").rows
    assert engine.arrow(rows)["currency"].to_pylist() == ["EUR"]


def test_where_nobody_can_say_which_row_is_meant_the_value_is_missing_and_no_row_is_doubled(
    engine: DuckDBEngine,
) -> None:
    found = lines(engine, plan())
    assert (found["3"], found["4"]) == (("JPY", 1, None), ("JPY", 1, None))
    assert "5" not in found, "its currency is required, and its order is not there"
    assert len(found) == 4


@pytest.mark.parametrize(("exclusion", "code"), [(GONE, None), (WHOLE, "horse")])
def test_what_is_left_out_for_what_it_holds_does_not_come_back(
    engine: DuckDBEngine, exclusion: Exclusion, code: str | None
) -> None:
    found = lines(engine, plan(exclusion))
    assert (found["1"][2], found["2"][2]) == ("bike", code)


def test_rows_that_belong_to_no_customer_are_found_from_any_cohort(engine: DuckDBEngine) -> None:
    assert lines(engine, plan(), shared=True)["1"][2] == "bike"


def test_references_can_be_followed_further(engine: DuckDBEngine) -> None:
    declared = plan()
    rows = field_of(LINE, "product_code", "order_id->customer->segment", "copy")
    longer = declared.model_copy(
        update={"mapping": (*(r for r in declared.mapping if r.field != "product_code"), rows)}
    )
    tables = {
        **{name: raw_rows(engine, *given) for name, given in RAW.items()},
        "erp.orders": raw_rows(engine, {"id": "o1", "currency": "EUR", "customer": "c1"}),
        "erp.customers": raw_rows(engine, {"id": "c1", "segment": "shop"}),
    }
    made = Mapping(engine, longer, tables.__getitem__, T).entity("sales_order_line").rows
    assert engine.arrow(made)["product_code"].to_pylist() == ["shop"]
    assert lookups_of(longer, LINE) == ("order_id->currency", "order_id->customer->segment")
    assert place_of(longer, "erp.lines", "order_id->customer->segment") == ("erp.customers", "segment")
    assert place_of(longer, "erp.lines", "amount") == ("erp.lines", "amount")
