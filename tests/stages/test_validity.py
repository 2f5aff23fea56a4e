"""Each rule for a single row rejects the row that just breaks it, spares the one that just does not, and never judges
what is missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migration_assets.domain.canonical import ENTITIES
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.validity import RULES, broken_rule

Canonical = Callable[..., Any]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SMALLEST = Decimal("0.00000001")

# Entity, the fields of a period that must end after it starts.
PERIODS = [
    ("subscription", "starts_at", "ends_at"),
    ("subscription", "current_period_starts_at", "current_period_ends_at"),
    ("subscription_item", "starts_at", "ends_at"),
    ("discount", "starts_at", "ends_at"),
    ("commitment", "starts_at", "ends_at"),
    ("entitlement_override", "starts_at", "ends_at"),
    ("usage_balance", "period_starts_at", "period_ends_at"),
]
# Entity, a field that must not be negative, the value nearest to zero that is.
AMOUNTS = [
    ("subscription_item", "quantity", -1),
    ("opportunity_line", "quantity", -1),
    ("sales_order_line", "quantity", -1),
    ("entitlement_override", "limit_units", -SMALLEST),
    ("usage_balance", "used_units", -SMALLEST),
]


def verdicts(
    engine: DuckDBEngine, canonical: Canonical, entity: str, *rows: dict[str, Any]
) -> list[tuple[str | None, str | None]]:
    """Name and reason of the rule that each row breaks, in the order of the rows."""
    key = ENTITIES[entity].key.name
    table = canonical(entity, *({key: f"e.t:{n}", **row} for n, row in enumerate(rows)))
    found = broken_rule(entity, table)
    assert found is not None
    judged = table.select("source_row", name=found[0], reason=found[1]).order_by("source_row")
    return [(r["name"], r["reason"]) for r in engine.arrow(judged).to_pylist()]


def names(engine: DuckDBEngine, canonical: Canonical, entity: str, *rows: dict[str, Any]) -> list[str | None]:
    return [name for name, _ in verdicts(engine, canonical, entity, *rows)]


def test_every_rule_is_tried_here() -> None:
    tried = [*((e, f"{end} is not after {start}") for e, start, end in PERIODS)]
    tried += [(e, f"{field} is below zero") for e, field, _ in AMOUNTS]
    assert sorted(tried) == sorted((entity, rule.reason) for entity, rules in RULES.items() for rule in rules)


@pytest.mark.parametrize(("entity", "start", "end"), PERIODS)
def test_a_period_ends_after_it_starts_if_only_by_a_microsecond(
    engine: DuckDBEngine, canonical: Canonical, entity: str, start: str, end: str
) -> None:
    ends = [NOON - TICK, NOON, NOON + TICK]
    broken = ("inverted_period", f"{end} is not after {start}")
    found = verdicts(engine, canonical, entity, *({start: NOON, end: moment} for moment in ends))
    assert found == [broken, broken, (None, None)]


@pytest.mark.parametrize(("entity", "field", "below"), AMOUNTS)
def test_an_amount_of_zero_passes_and_the_nearest_one_below_it_does_not(
    engine: DuckDBEngine, canonical: Canonical, entity: str, field: str, below: Any
) -> None:
    found = verdicts(engine, canonical, entity, {field: below}, {field: 0 * below}, {field: -below})
    assert found == [(f"negative_{field}", f"{field} is below zero"), (None, None), (None, None)]


@pytest.mark.parametrize(("entity", "start", "end"), PERIODS)
def test_a_period_of_which_an_end_is_missing_breaks_nothing(
    engine: DuckDBEngine, canonical: Canonical, entity: str, start: str, end: str
) -> None:
    rows: list[dict[str, Any]] = [{start: None, end: NOON}, {start: NOON, end: None}, {start: None, end: None}]
    assert names(engine, canonical, entity, *rows) == [None, None, None]


@pytest.mark.parametrize(("entity", "field", "below"), AMOUNTS)
def test_a_missing_amount_breaks_nothing_and_hides_nothing(
    engine: DuckDBEngine, canonical: Canonical, entity: str, field: str, below: Any
) -> None:
    periods = [(start, end) for e, start, end in PERIODS if e == entity]
    inverted = {name: NOON for period in periods for name in period}
    found = names(engine, canonical, entity, {field: None}, {field: None, **inverted})
    assert found == [None, "inverted_period" if periods else None]


@pytest.mark.parametrize(
    ("entity", "broken", "first"),
    [
        ("subscription_item", {"quantity": -1, "starts_at": NOON, "ends_at": NOON}, "quantity is below zero"),
        (
            "entitlement_override",
            {"limit_units": Decimal(-1), "starts_at": NOON, "ends_at": NOON},
            "ends_at is not after starts_at",
        ),
        (
            "usage_balance",
            {"used_units": Decimal(-1), "period_starts_at": NOON, "period_ends_at": NOON},
            "period_ends_at is not after period_starts_at",
        ),
        (
            "subscription",
            dict.fromkeys(("starts_at", "ends_at", "current_period_starts_at", "current_period_ends_at"), NOON),
            "ends_at is not after starts_at",
        ),
    ],
)
def test_a_row_that_breaks_two_rules_is_rejected_under_the_first(
    engine: DuckDBEngine, canonical: Canonical, entity: str, broken: dict[str, Any], first: str
) -> None:
    [(name, reason)] = verdicts(engine, canonical, entity, broken)
    assert reason == first
    assert name == next(r.name for r in RULES[entity] if r.reason == first)


@given(st.lists(st.tuples(*[st.none() | st.integers(-2, 2)] * 3), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_row_is_judged_by_itself_whatever_stands_beside_it(
    engine: DuckDBEngine, canonical: Canonical, drawn: list[tuple[int | None, int | None, int | None]]
) -> None:
    def at(ticks: int | None) -> datetime | None:
        return None if ticks is None else NOON + ticks * TICK

    def expected(quantity: int | None, start: int | None, end: int | None) -> str | None:
        if quantity is not None and quantity < 0:
            return "negative_quantity"
        return "inverted_period" if start is not None and end is not None and end <= start else None

    rows = [{"quantity": q, "starts_at": at(start), "ends_at": at(end)} for q, start, end in drawn]
    assert names(engine, canonical, "subscription_item", *rows) == [expected(*row) for row in drawn]


@pytest.mark.parametrize("entity", ["customer", "invoice", "invoice_line", "payment"])
def test_parties_and_issued_documents_are_kept_as_they_were(canonical: Canonical, entity: str) -> None:
    assert broken_rule(entity, canonical(entity, {ENTITIES[entity].key.name: "e.t:1"})) is None
