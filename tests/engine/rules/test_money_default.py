"""An amount that stands in for a blank one: only where the plan says so, and never unnoticed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from migration_assets.domain.errors import BadInput
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.mapping import FeedSpec, FieldRule, map_feed
from migration_assets.engine.rules import REGISTRY

NEW = [{"field": "tenure", "op": "eq", "value": "0"}]
T = datetime(2026, 1, 1, tzinfo=UTC)


def billed(engine: DuckDBEngine, total: str | None, tenure: str, **arguments: Any) -> tuple[Any, list[tuple[str, str]]]:
    """Billed to date of one contract, and what was noted: action and reason."""
    given: Mapping[str, Any] = {"unit": "major", "currency": "USD"} | arguments
    fixed = tuple(FieldRule(f, "constant", (), {"value": v}) for f, v in
                  (("plan_code", "a"), ("status", "active"), ("currency", "USD"), ("interval", "month")))  # fmt: skip
    spec = FeedSpec("s", "subscription", "x", "t", ("id",), (
        *fixed,
        FieldRule("customer_id", "reference", ("id",), {"table": "x.t"}),
        FieldRule("starts_at", "as_of"),
        FieldRule("billed_to_date_minor", "money", ("total",), given),
    ))  # fmt: skip
    schema = pa.schema([("_row", pa.int64()), ("id", pa.string()), ("total", pa.string()), ("tenure", pa.string())])
    source = engine.table(pa.Table.from_pylist([{"_row": 1, "id": "1", "total": total, "tenure": tenure}], schema))
    mapped = map_feed(engine, spec, source, T)
    (row,) = engine.arrow(mapped.rows).to_pylist()
    notes = engine.arrow(mapped.notes).to_pylist()
    return row["billed_to_date_minor"], [(n["action"], n["reason"]) for n in notes]


@pytest.mark.parametrize("blank", [None, "", " ", "\u00a0"])
def test_a_blank_amount_is_the_default_where_the_condition_holds(engine: DuckDBEngine, blank: str | None) -> None:
    assert billed(engine, blank, "0", default="1.50", default_if=NEW) == (150, [("defaulted", "blank")])


def test_a_blank_amount_elsewhere_is_an_error(engine: DuckDBEngine) -> None:
    assert billed(engine, " ", "7", default="0", default_if=NEW) == (None, [("set_aside", "blank_not_allowed")])


def test_an_amount_that_is_there_is_kept(engine: DuckDBEngine) -> None:
    assert billed(engine, "29.85", "0", default="0", default_if=NEW) == (2985, [])


def test_an_amount_that_cannot_be_read_is_no_blank(engine: DuckDBEngine) -> None:
    assert billed(engine, "n/a", "0", default="0", default_if=NEW) == (None, [("set_aside", "not_a_number")])


def test_without_a_default_a_blank_stays_missing(engine: DuckDBEngine) -> None:
    assert billed(engine, " ", "0") == (None, [])


def test_a_default_in_other_separators_is_still_a_plain_number(engine: DuckDBEngine) -> None:
    made = billed(engine, "", "0", default="1.50", decimal_separator=",", grouping_separator=".")
    assert made == (150, [("defaulted", "blank")])


def test_a_default_that_does_not_fit_its_currency_is_told(engine: DuckDBEngine) -> None:
    with pytest.raises(BadInput, match="the default of billed_to_date_minor is no amount"):
        billed(engine, "", "0", default="0.001")


@pytest.mark.parametrize(
    ("columns", "arguments"),
    [
        (1, {"unit": "major", "currency": "USD", "default_if": NEW}),
        (2, {"unit": "major", "default": "0"}),
        (1, {"unit": "major", "currency": "USD", "default": "free"}),
    ],
)
def test_a_default_that_cannot_work_is_told_before_any_data(columns: int, arguments: dict[str, Any]) -> None:
    assert REGISTRY["money"].problems(columns, arguments)
