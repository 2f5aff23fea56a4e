"""Predicates are compared as the column's own type, and a missing value holds for nothing but is_null."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from migration_assets.domain.errors import BadInput
from migration_assets.domain.predicates import Predicate
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.predicates import holds

ROWS = pa.table(
    {
        "n": pa.array([1, 2, None], pa.int64()),
        "s": ["10", "9", None],
        "d": pa.array([Decimal("1.50"), Decimal("2.00"), None], pa.decimal128(12, 2)),
        "b": [True, False, None],
        "day": pa.array([dt.date(2024, 1, 1), dt.date(2024, 2, 1), None]),
        "at": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 2, 1, tzinfo=dt.UTC), None]),
        "wall": pa.array([dt.datetime(2024, 1, 1), dt.datetime(2024, 2, 1), None]),  # noqa: DTZ001 - a naive column
    }
)


def answers(engine: DuckDBEngine, *predicates: Predicate) -> list[Any]:
    table = engine.table(ROWS)
    return engine.arrow(table.select("n", holds=holds(table, predicates)).order_by("n"))["holds"].to_pylist()


@pytest.mark.parametrize(
    ("field", "op", "value", "wanted"),
    [
        ("n", "eq", 1, [True, False, False]),
        ("n", "eq", "1", [True, False, False]),
        ("n", "ne", 1, [False, True, False]),
        ("n", "not_in", (1, 5), [False, True, False]),
        ("n", "in", ("1", 2), [True, True, False]),
        ("n", "is_null", None, [False, False, True]),
        ("n", "not_null", None, [True, True, False]),
        ("s", "lt", "9", [True, False, False]),
        ("s", "eq", 10, [True, False, False]),
        ("d", "eq", "1.5", [True, False, False]),
        ("d", "ge", 2, [False, True, False]),
        ("b", "eq", True, [True, False, False]),
        ("b", "eq", "FALSE", [False, True, False]),
        ("day", "gt", "2024-01-15", [False, True, False]),
        ("at", "le", "2024-01-01T01:00:00+01:00", [True, False, False]),
        ("wall", "eq", "2024-02-01 00:00:00", [False, True, False]),
    ],
)
def test_one_predicate(engine: DuckDBEngine, field: str, op: Any, value: Any, wanted: list[bool]) -> None:
    assert answers(engine, Predicate(field=field, op=op, value=value)) == wanted


def test_all_have_to_hold_and_none_always_does(engine: DuckDBEngine) -> None:
    both = [Predicate(field="n", op="ge", value=1), Predicate(field="b", op="eq", value=False)]
    assert answers(engine, *both) == [False, True, False]
    assert answers(engine) == [True, True, True]


def test_text_from_a_plan_stays_text(engine: DuckDBEngine) -> None:
    assert answers(engine, Predicate(field="s", op="eq", value="' OR 1=1; DROP TABLE x; --")) == [False, False, False]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("nope", 1, "there is no such column"),
        ("n", "x", "'x' is not a int64"),
        ("day", "30.2.2024", "is not a date"),
        ("b", "maybe", "is not a boolean"),
        ("wall", "2024-01-01T00:00:00Z", "is not a timestamp"),
        ("d", "1,5", "is not a decimal"),
    ],
)
def test_what_cannot_be_meant_is_bad_input(engine: DuckDBEngine, field: str, value: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        answers(engine, Predicate(field=field, op="eq", value=value))
