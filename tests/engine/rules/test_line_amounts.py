"""Amounts of lines, and amounts finer than their currency: exact, or rounded as the plan says and each one noted."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_world import clean, cleaner, frame, mapped

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.mapping import FieldRule
from migration_assets.engine.rules import get
from migration_assets.engine.rules.outcome import Rounded

CENTS = {"currency": "USD", "rounding": "half_up"}


def noted(
    engine: DuckDBEngine, rule: str, columns: dict[str, list[str | None]], **arguments: Any
) -> tuple[list[int | None], list[tuple[Any, ...]]]:
    """Amounts in row order, and what was noted: row, action, reason, old and new value."""
    field = FieldRule("credit_limit_minor", rule, tuple(columns), arguments)
    made = mapped(engine, frame(**columns), [field])
    rows = engine.arrow(made.rows.order_by("source_row")).to_pylist()
    notes = engine.arrow(made.notes.order_by("source_row")).to_pylist()
    told = [tuple(n[c] for c in ("source_row", "action", "reason", "old_value", "new_value")) for n in notes]
    return [r["credit_limit_minor"] for r in rows], told


def test_each_amount_that_is_rounded_is_noted_with_what_it_was_in_minor_units(engine: DuckDBEngine) -> None:
    amounts = {"a": ["880.3484", "78.81", "-0.005", None, "1.0050"]}
    values, notes = noted(engine, "money", amounts, unit="major", **CENTS)
    assert values == [88035, 7881, -1, None, 101]
    assert notes == [
        (1, "rounded", "half_up, USD", "88034.84", "88035"),
        (3, "rounded", "half_up, USD", "-0.5", "-1"),
        (5, "rounded", "half_up, USD", "100.50", "101"),
    ]


def test_without_a_rounding_rule_nothing_is_rounded(engine: DuckDBEngine) -> None:
    values, notes = noted(engine, "money", {"a": ["880.3484"]}, unit="major", currency="USD")
    assert (values, notes) == ([None], [(1, "set_aside", "not_whole_minor_units", "880.3484", None)])


def test_rounding_follows_the_currency_of_the_row(engine: DuckDBEngine) -> None:
    values, notes = noted(
        engine, "money", {"a": ["1.2345", "1.2345"], "c": ["KWD", "JPY"]}, unit="major", rounding="half_even"
    )
    assert values == [1234, 1]
    assert [n[2:4] for n in notes] == [("half_even, KWD", "1234.5"), ("half_even, JPY", "1.2345")]


def test_a_grouped_amount_that_is_whole_was_not_rounded(engine: DuckDBEngine) -> None:
    values, notes = noted(
        engine, "money", {"a": ["1.234,50"]}, unit="major", decimal_separator=",", grouping_separator=".", **CENTS
    )
    assert (values, notes) == ([123450], [])


@pytest.mark.parametrize(
    ("texts", "arguments", "amount"),
    [
        (("4", "218.454", "0.02"), {"discount": "share"}, "856.33968"),
        (("4", "218.454", "2"), {"discount": "percent"}, "856.33968"),
        (("3", "1.10"), {}, "3.30"),
        (("-1", "9.99", "1"), {"discount": "share"}, "0"),
        (("1.000", "2,5"), {"decimal_separator": ",", "grouping_separator": "."}, "2500"),
    ],
)
def test_a_line_is_quantity_times_price_less_discount(
    texts: tuple[str, ...], arguments: dict[str, Any], amount: str
) -> None:
    assert clean("exact_line_amount", *texts, **arguments) == (Decimal(amount), None)


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        (("1", None, "0"), "not_a_number"),
        (("1", "2.00", None), "not_a_number"),
        (("1", "2.00", "ten"), "not_a_number"),
        (("1", "0.00000001", "0.5"), "not_exact"),
        (("99999999999999999999", "99", "0"), "out_of_range"),
    ],
)
def test_a_line_that_lacks_a_part_or_has_too_many_decimals_is_an_error(
    texts: tuple[str | None, ...], error: str
) -> None:
    assert clean("exact_line_amount", *texts, discount="share") == (None, error)
    assert clean("line_amount", *texts, discount="share", **CENTS) == (None, error)


def test_the_currency_of_a_line_may_be_a_column() -> None:
    assert clean("line_amount", "2", "10", "JPY") == (20, None)
    assert clean("line_amount", "2", "10", " ") == (None, "currency_missing")
    assert clean("line_amount", "2", "10", "QQQ") == (None, "unknown_currency")
    assert clean("line_amount", "1", "0.005", "USD") == (None, "not_whole_minor_units")


def test_columns_and_arguments_have_to_fit() -> None:
    assert get("exact_line_amount").problems(2, {"discount": "share"}) == ["discount: share means 3 columns, not 2"]
    assert get("line_amount").problems(3, {"discount": "share", "currency": "USD"}) == []
    (said,) = get("line_amount").problems(3, {"discount": "share"})
    assert "a currency column mean 4 columns" in said


cents = st.decimals("-99999", "99999", places=4)
shares = st.decimals("0", "1", places=2)


@given(quantity=st.integers(0, 999), price=cents, share=shares)
def test_the_rounded_amount_and_its_note_are_the_exact_one(quantity: int, price: Decimal, share: Decimal) -> None:
    texts = (str(quantity), f"{price:f}", f"{share:f}")
    rule = cleaner("line_amount", {"discount": "share", **CENTS})
    exact = quantity * price * (1 - share)
    (minor, error) = rule.clean(texts)
    assert (minor, error) == (int((exact * 100).to_integral_value(ROUND_HALF_UP)), None)
    assert clean("exact_line_amount", *texts, discount="share").value == exact
    assert rule.rounded is not None
    found = rule.rounded(texts, minor)
    assert found is None if exact * 100 == minor else isinstance(found, Rounded) and Decimal(found.exact) == exact * 100
