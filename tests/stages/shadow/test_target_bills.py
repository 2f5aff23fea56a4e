"""The target's bills made for all subscriptions at once are those of the readable rules, row for row."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import pytest
import told_twice
from held_rows import apart, held_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from random_contracts import contracts
from random_subscriptions import AS_OF, subscription
from told_twice import Sold

from migration_assets.domain.bill import Bill
from migration_assets.domain.money import exponent_of
from migration_assets.domain.target.invoices import invoices_from
from migration_assets.domain.target.tax import NoTaxRate
from migration_assets.domain.target.terms import Rules, Subscription
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.runs import Bills, expanded
from migration_assets.stages.shadow.target_bills import target_bills

SEED = 20261126
Row = tuple[Any, ...]


def readable(s: Subscription, rules: Rules, as_of: datetime, cycles: int = 12) -> list[Bill] | None:
    try:
        return list(islice(invoices_from(s, rules, as_of), cycles))
    except NoTaxRate:
        return None


def told(bills: Sequence[Bill]) -> tuple[list[Row], list[Row]]:
    """Cycles and lines of bills."""
    cycles = [(b.subscription_id, b.cycle, b.covers.starts_at, b.covers.ends_at, b.currency) for b in bills]
    lines = [
        (
            b.subscription_id,
            b.cycle,
            n,
            i.kind,
            i.item_id,
            i.covers.starts_at,
            i.covers.ends_at,
            i.amount_minor,
            i.tax_minor,
        )
        for b in bills
        for n, i in enumerate(b.lines)
    ]
    return cycles, lines


def found(engine: DuckDBEngine, bills: Bills) -> tuple[list[Row], list[Row]]:
    runs, schedules = bills.runs, bills.schedules
    each = runs.join(schedules, "schedule_id")
    each = each.filter((each.from_cycle <= each.cycle) & (each.cycle < each.until_cycle))
    cycles = engine.arrow(each.select("subscription_id", "cycle", "starts_at", "ends_at", "currency"))
    lines = engine.arrow(expanded(schedules, runs, bills.lines).drop("currency", "cycle_starts_at", "cycle_ends_at"))
    return tuple(sorted(zip(*(c.to_pylist() for c in t.columns), strict=True)) for t in (cycles, lines))  # type: ignore[return-value]


def differing(subscriptions: Sequence[Subscription], rules: Rules, as_of: datetime = AS_OF) -> list[str]:
    """Subscriptions whose bills differ between the two ways, with what differs."""
    expected = {s.subscription_id: readable(s, rules, as_of) for s in subscriptions}
    with DuckDBEngine() as engine:
        bills = target_bills(engine, held_rows(engine, subscriptions), rules, as_of, exponent_of)
        answers = found(engine, bills)
        lost = sorted(tuple(r.values()) for r in engine.arrow(bills.unbillable).to_pylist())
    wanted = [told([b for bills in expected.values() for b in bills or ()])[k] for k in (0, 1)]
    untaxed = sorted((s, "no_tax_rate") for s, b in expected.items() if b is None)
    pairs = [*zip(wanted, answers, strict=True), (untaxed, lost)]
    return [f"{sorted(set(w) ^ set(a))[:6]}" for w, a in pairs if sorted(w) != list(a)]


RULES = (
    Rules(),
    Rules("days", "half_even", "line", "line"),
    Rules("30e_360", "down", "invoice", "line", "skip", 2),
    Rules("seconds", "up", "line", "invoice", "skip", 0),
    Rules("days", "half_down", "invoice", "invoice", "extend", 6),
)


def named(rules: Rules) -> str:
    return "-".join(str(v) for v in vars(rules).values())


@pytest.mark.parametrize("rules", RULES, ids=named)
def test_bills_are_those_of_the_readable_rules(rules: Rules) -> None:
    rng = random.Random(SEED)
    subscriptions = apart(subscription(rng) for _ in range(400))
    assert differing(subscriptions, rules) == [], f"seed {SEED}"


@pytest.mark.slow
@pytest.mark.parametrize("rules", RULES, ids=named)
def test_five_times_4200_random_subscriptions_are_billed_as_the_readable_rules_say(rules: Rules) -> None:
    seed = SEED + RULES.index(rules) + 1
    rng = random.Random(seed)
    subscriptions = apart(subscription(rng) for _ in range(4_200))
    assert differing(subscriptions, rules) == [], f"seed {seed}"


@settings(max_examples=12, deadline=None)
@given(st.lists(contracts(), min_size=1, max_size=50), st.sampled_from(RULES))
def test_contracts_of_every_kind_are_billed_as_the_readable_rules_say(sold: list[Sold], rules: Rules) -> None:
    """Those whose prices have steps are said to be unbillable; none is guessed."""
    made = apart(told_twice.subscription(s) for s in sold)
    plain = [all(i.kind == "usage" or i.price.model in ("flat", "per_seat") for i in s.items) for s in made]
    with DuckDBEngine() as engine:
        bills = target_bills(engine, held_rows(engine, made), rules, AS_OF, exponent_of)
        lost = engine.arrow(bills.unbillable).to_pylist()
    stepped = [s.subscription_id for s, ok in zip(made, plain, strict=True) if not ok]
    assert sorted(r["subscription_id"] for r in lost if r["reason"] == "price_model") == stepped
    assert differing([s for s, ok in zip(made, plain, strict=True) if ok], rules) == []
