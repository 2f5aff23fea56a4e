"""The target's bills made for all subscriptions at once are those of the readable rules, row for row."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pytest
import told_twice
from held_rows import apart, held_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from random_contracts import contracts
from random_subscriptions import AS_OF, subscription, with_steps
from told_twice import Sold

from migration_assets.domain.bill import Bill
from migration_assets.domain.calendar import billing_period
from migration_assets.domain.money import exponent_of
from migration_assets.domain.target import terms as new
from migration_assets.domain.target.invoices import invoices_from
from migration_assets.domain.target.tax import NoTaxRate
from migration_assets.domain.target.terms import Rules, Subscription
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.runs import Bills, expanded
from migration_assets.stages.shadow.target.bills import target_bills

SEED = 20261126
# The cycle that holds T.
CYCLE = billing_period(datetime(2026, 6, 14, 22, tzinfo=AS_OF.tzinfo), 1, 0, "Europe/Berlin")
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
    sold = [subscription(rng) for _ in range(4_200)]
    subscriptions = apart(with_steps(rng, s) if n % 4 == 0 else s for n, s in enumerate(sold))
    assert differing(subscriptions, rules) == [], f"seed {seed}"


@settings(max_examples=12, deadline=None)
@given(st.lists(contracts(), min_size=1, max_size=50), st.sampled_from(RULES))
def test_contracts_of_every_kind_are_billed_as_the_readable_rules_say(sold: list[Sold], rules: Rules) -> None:
    assert differing(apart(told_twice.subscription(s) for s in sold), rules) == []


@pytest.mark.parametrize("rules", RULES, ids=named)
def test_prices_with_steps_and_packages_are_charged_as_the_readable_rules_say(rules: Rules) -> None:
    rng = random.Random(SEED)
    sold = [subscription(rng) for _ in range(200)]
    assert differing(apart(with_steps(rng, s) for s in sold), rules) == [], f"seed {SEED}"


def in_fractions(places: int) -> new.Subscription:
    """Prices and usage of so many decimals, a part of a cycle to the microsecond and a discount, on one invoice."""
    tail = Fraction(int("123456789"[: places - 1] + "1"), 10**places)
    base = new.SubscriptionItem("b", "base", 3, new.Price("flat", 123 + tail))
    added = replace(base, item_id="a", kind="add_on", starts_at=CYCLE.starts_at + timedelta(microseconds=1))
    meter = replace(base, item_id="m", kind="usage", price=new.Price("flat", tail))
    made = new.Subscription(
        subscription_id="s",
        currency="EUR",
        exponent=2,
        time_zone="Europe/Berlin",
        interval_months=1,
        anchor_at=CYCLE.starts_at,
        ends_at=None,
        service_country="DE",
        items=(base, added, meter),
        discounts=(new.Discount(CYCLE.starts_at, 3, Fraction("33.3333")),),
        usage=(new.MeteredUsage("m", CYCLE.starts_at, 1_234_567 + tail, Fraction(100), "bill"),),
        tax_rates=(new.TaxRate("DE", date(2000, 1, 1), Fraction(19)),),
    )
    return apart([made])[0]


@pytest.mark.parametrize("rules", RULES, ids=named)
def test_amounts_that_64_bits_cannot_hold_on_the_way_are_exact_all_the_same(rules: Rules) -> None:
    """Here the common denominator of an invoice has up to 25 digits."""
    assert differing([in_fractions(6)], rules) == []


def test_amounts_that_37_digits_cannot_hold_on_the_way_are_an_error_and_no_other_amount() -> None:
    with pytest.raises(duckdb.OutOfRangeException):
        differing([in_fractions(10)], Rules())


def test_neither_the_old_system_nor_the_readable_rules_are_known_here() -> None:
    """Two that agree because one asks the other prove nothing: only the choices that a plan declares are shared."""
    folder = Path(target_bills.__code__.co_filename).parent
    text = "\n".join(p.read_text(encoding="utf-8") for p in folder.glob("*.py"))
    known = set(re.findall(r"from (migration_assets\.\S+) import", text))
    allowed = {"domain.bill", "domain.target.terms", "engine.calendar", "engine.duckdb", "stages.shadow.runs"}
    # The words of canonical rows and of the catalog, and the form that answers about access have.
    allowed |= {"domain.canonical", "engine.schema", "plan.models", "plan.catalog_models", "stages.shadow.spans"}
    # Why a contract cannot be billed is said in the same words on both sides.
    allowed |= {"stages.shadow.reasons"}
    strangers = {m.removeprefix("migration_assets.") for m in known} - allowed
    assert {m for m in strangers if not m.startswith("stages.shadow.target.")} <= {"stages.shadow.target"}
    assert "import Rules" in text and "legacy" not in text
