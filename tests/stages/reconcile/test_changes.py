"""Values that a rule defaulted, set aside or rounded are counted by rule, and no value is shown."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.notes import NOTE_COLUMNS
from migration_assets.stages.reconcile.changes import changed_values


def note(source_id: str, action: str, **changes: Any) -> dict[str, Any]:
    given = {
        "entity": "subscription", "feed": "f", "source_system": "erp", "source_table": "contracts",
        "source_id": source_id, "source_row": 1, "field": "billed_to_date_minor", "rule": "money", "action": action,
        "reason": "blank", "old_value": "Wanda", "new_value": "0",
    }  # fmt: skip
    return {**given, **changes}


def changed(engine: DuckDBEngine, *notes: dict[str, Any]) -> list[dict[str, Any]]:
    types = {"string": pa.string(), "int64": pa.int64()}
    schema = pa.schema([(n, types[t]) for n, t in NOTE_COLUMNS.items()])
    return changed_values(engine, engine.table(pa.Table.from_pylist(list(notes), schema=schema)))


def test_rows_are_counted_by_table_field_action_rule_and_reason(engine: DuckDBEngine) -> None:
    found = changed(engine, note("1", "defaulted"), note("2", "defaulted"), note("2", "set_aside", reason=None))
    common = {"table": "erp.contracts", "field": "subscription.billed_to_date_minor", "rule": "money"}
    assert found == [
        {**common, "action": "defaulted", "reason": "blank", "rows": 2, "rounded_minor": 0},
        {**common, "action": "set_aside", "reason": "", "rows": 1, "rounded_minor": 0},
    ]


def test_what_rounding_made_of_a_total_is_stated_exactly_by_field_and_currency(engine: DuckDBEngine) -> None:
    found = changed(
        engine,
        note("1", "rounded", reason="half_up, USD", old_value="88034.84", new_value="88035"),
        note("2", "rounded", reason="half_up, USD", old_value="7042.79", new_value="7043"),
        note("2", "rounded", reason="half_up, USD", old_value="7042.79", new_value="7043"),
        note("3", "rounded", reason="half_up, EUR", old_value="-0.5", new_value="-1"),
    )
    assert [(r["reason"], r["rows"], r["rounded_minor"]) for r in found] == [
        ("half_up, EUR", 1, "-0.5"),
        ("half_up, USD", 2, "0.37"),
    ]


def test_a_row_noted_twice_for_the_same_is_one_row(engine: DuckDBEngine) -> None:
    assert [r["rows"] for r in changed(engine, note("1", "defaulted"), note("1", "defaulted"))] == [1]


def test_cleaning_and_rejecting_are_told_elsewhere(engine: DuckDBEngine) -> None:
    assert changed(engine, note("1", "cleaned"), note("2", "rejected")) == []


def test_no_value_is_told(engine: DuckDBEngine) -> None:
    assert "Wanda" not in str(changed(engine, note("1", "defaulted")))
