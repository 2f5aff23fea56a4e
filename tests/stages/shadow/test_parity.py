"""Where two series of bills differ, found for whole cohorts, is what the readable comparison finds bill by bill."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from held_rows import apart, held_rows
from legacy_records import METERED, records_of, tables
from random_sold import T, random_sold
from spread_runs import bills_of
from told_twice import Coupon, Part, Sold, subscription

from migration_assets.domain import bill_parity
from migration_assets.domain.bill import Bill
from migration_assets.domain.calendar import midnight
from migration_assets.domain.legacy import terms as old
from migration_assets.domain.money import exponent_of
from migration_assets.domain.target import terms as new
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.exchange import exchanged
from migration_assets.stages.shadow.legacy.bills import legacy_bills
from migration_assets.stages.shadow.parity import bill_differences, differing, of
from migration_assets.stages.shadow.runs import Bills
from migration_assets.stages.shadow.target.bills import target_bills

SEED = 20261128
AS_OF = midnight(T, "UTC")
STEADY = Sold(anchor=date(2026, 1, 31), parts=(Part("base", "10.00"), Part("seats", "10.00", quantity=3)))
OLD = old.Rules()


class Sides:
    """Both sides' bills of the same facts, the target's under the old system's ids."""

    def __init__(self, engine: DuckDBEngine, facts: Sequence[Sold], changed: Sequence[Sold] | None = None) -> None:
        self.engine = engine
        records = records_of(facts)
        metered = engine.table(pa.Table.from_pylist(records.get("metered", []), METERED))
        self.legacy = legacy_bills(engine, tables(engine, records), OLD, AS_OF, exponent_of, metered=metered)
        self.held = held_rows(engine, apart(subscription(s) for s in changed or facts))
        self.target = self.under(new.Rules())

    def under(self, rules: new.Rules) -> Bills:
        bills = target_bills(self.engine, self.held, rules, AS_OF, exponent_of)
        runs, lines, lost = (self.renamed(t) for t in (bills.runs, bills.lines, bills.unbillable))
        return Bills(bills.schedules, runs, lines.mutate(item_id=lines["item_id"].re_replace("^s[0-9]+-", "")), lost)

    def renamed(self, rows: Any) -> Any:
        return self.engine.cached(rows.mutate(subscription_id=rows["subscription_id"].replace("s", "c")))

    def steps(self) -> list[tuple[str, Bills]]:
        return [(name, self.under(rules)) for name, rules in exchanged(new.Rules(), OLD)]


def by_person(sides: Sides) -> set[tuple[Any, ...]]:
    """Differences as the readable comparison finds them."""
    engine = sides.engine

    def every(bills: Bills) -> list[Bill]:
        return [b for of_one in bills_of(engine, bills).values() for b in of_one]

    found = bill_parity.bill_differences(
        every(sides.legacy), every(sides.target), [(name, every(b)) for name, b in sides.steps()]
    )
    return {
        (d.subscription_id, d.cycle, d.cause, d.currency, d.difference_minor, frozenset(d.line_kinds)) for d in found
    }


def at_scale(sides: Sides) -> set[tuple[Any, ...]]:
    """Differences of those that differ, as they are found for whole cohorts."""
    engine = sides.engine
    few = differing(engine, sides.legacy, sides.target)
    made = bill_differences(
        engine, of(sides.legacy, few), of(sides.target, few), [(name, of(b, few)) for name, b in sides.steps()]
    )
    return {
        (
            r["subscription_id"],
            r["cycle"],
            r["cause"],
            r["currency"],
            r["difference_minor"],
            frozenset(r["line_kinds"].split()),
        )
        for r in engine.arrow(made).to_pylist()
    }


@pytest.mark.parametrize("seed", range(SEED, SEED + 3))
def test_differences_of_random_contracts_are_those_the_readable_comparison_finds(seed: int) -> None:
    rng = random.Random(seed)
    facts = [random_sold(rng) for _ in range(120)]
    with DuckDBEngine() as engine:
        sides = Sides(engine, facts)
        found = at_scale(sides)
        assert found == by_person(sides), f"seed {seed}"
        # Where the facts are told both sides alike, a difference is due to rules in which they differ. Of coupons the
        # random facts do not say how often they were given before T, and pauses may end before they begin.
        plain = {f"c{n:06}" for n, s in enumerate(facts) if not s.coupons and s.paused_on is None}
        assert {d[2] for d in found if d[0] in plain} == {"proration", "round_at", "tax_at"}


def test_contracts_billed_alike_are_not_looked_at_again() -> None:
    with DuckDBEngine() as engine:
        sides = Sides(engine, [STEADY, replace(STEADY, parts=(Part("base", "10.00"),))])
        assert engine.arrow(differing(engine, sides.legacy, sides.target)).to_pylist() == []


@pytest.mark.parametrize(
    ("changed", "kinds", "money"),
    [
        (replace(STEADY, parts=(Part("base", "10.01"), *STEADY.parts[1:])), "recurring", {1}),
        (replace(STEADY, coupons=(Coupon(date(2026, 6, 30), 2, percent="10"),)), "discount", {-476}),
        # There the 30th of June begins after T, and so do the twelve bills.
        (replace(STEADY, zone="America/New_York"), "recurring", {-4760, 0, 4760}),
        (replace(STEADY, currency="USD"), "", {0}),
    ],
)
def test_a_mistake_of_the_move_is_unexplained_with_its_money(changed: Sold, kinds: str, money: set[int]) -> None:
    with DuckDBEngine() as engine:
        sides = Sides(engine, [STEADY], [changed])
        found = at_scale(sides)
        assert found == by_person(sides)
        assert {d[2] for d in found} == {"unexplained"}
        assert {d[4] for d in found} == money and all(set(d[5]) <= {kinds} for d in found)


def test_who_is_billed_by_one_side_only_is_found_with_the_whole_of_their_bills() -> None:
    gone = replace(STEADY, last_day=T - timedelta(days=60))
    with DuckDBEngine() as engine:
        sides = Sides(engine, [STEADY], [gone])
        found = at_scale(sides)
        assert found == by_person(sides)
        assert len(found) == 12 and {d[4] for d in found} == {-4760}
        made = bill_differences(engine, sides.legacy, sides.target, [])
        assert set(engine.arrow(made.select("billed_by"))["billed_by"].to_pylist()) == {"legacy"}
