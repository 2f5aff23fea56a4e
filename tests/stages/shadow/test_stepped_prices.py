"""Prices by tiers, volume and packages as both sides bill them at once, with the arithmetic written in."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from held_rows import apart, held_rows
from legacy_records import name_of, records_of
from random_sold import T
from spread_runs import bills_of
from test_comparison import billing, judge
from test_legacy_bills import forecast
from told_twice import Agreed, Part, Sold, Tiers, Used, subscription

from migration_assets.domain.calendar import midnight
from migration_assets.domain.legacy import terms as old
from migration_assets.domain.money import exponent_of
from migration_assets.domain.target import terms as new
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.target.bills import target_bills

AS_OF = midnight(T, "UTC")
ANCHOR = date(2026, 1, 1)
# 10 at 5.00, the next 10 at 4.00 and 2.50 once, the rest at 3.00 and 1.00 once.
TIERS: Tiers = ((10, "5"), (20, "4", "2.50"), (None, "3", "1.00"))
# What is told of a contract's next bills: subtotal of each.
Subtotals = list[int]


def both(*sold: Sold) -> list[Subtotals]:
    """Subtotals of the next three bills of each contract, which both sides tell alike, line by line."""
    rules = old.Rules(proration="actual_days")
    with DuckDBEngine() as engine:
        before = bills_of(engine, forecast(engine, records_of(sold), rules, 3, AS_OF))
    with DuckDBEngine() as engine:
        held = held_rows(engine, apart(subscription(s) for s in sold))
        bills = target_bills(engine, held, new.Rules("days", "half_up", "line", "line"), AS_OF, exponent_of, 3)
        after = bills_of(engine, bills)
    told = [[b.subtotal_minor for b in before[name_of(n)]] for n in range(len(sold))]
    assert told == [[b.subtotal_minor for b in after[f"s{n:06}"]] for n in range(len(sold))]
    return told


def having(quantity: int, model: str, tiers: Tiers = TIERS, **more: Any) -> Sold:
    return Sold(ANCHOR, zone="UTC", parts=(Part("base", "7", quantity, model=model, tiers=tiers, **more),))


def test_boundaries_are_in_the_lower_tier_and_nothing_costs_nothing() -> None:
    expected = {
        ("tiered", 0): 0,
        ("tiered", 1): 500,
        ("tiered", 10): 5_000,  # 10 x 5.00
        ("tiered", 11): 5_650,  # 10 x 5.00 + 1 x 4.00 + 2.50
        ("tiered", 20): 9_250,  # 10 x 5.00 + 10 x 4.00 + 2.50
        ("tiered", 21): 9_650,  # ... + 1 x 3.00 + 1.00
        ("volume", 0): 0,
        ("volume", 10): 5_000,  # 10 x 5.00
        ("volume", 11): 4_650,  # 11 x 4.00 + 2.50
        ("volume", 20): 8_250,  # 20 x 4.00 + 2.50
        ("volume", 21): 6_400,  # 21 x 3.00 + 1.00
    }
    found = both(*(having(quantity, model) for model, quantity in expected))
    assert {key: bills[0] for key, bills in zip(expected, found, strict=True)} == expected


def test_the_first_unit_pays_the_fee_of_its_tier_and_a_price_may_have_one_tier() -> None:
    fee: Tiers = ((None, "3", "40"),)
    found = both(*(having(quantity, model, fee) for model in ("tiered", "volume") for quantity in (0, 1, 2)))
    assert [bills[0] for bills in found] == [0, 4_300, 4_600] * 2


def test_a_package_begun_is_paid_and_none_is_not() -> None:
    found = both(*(having(quantity, "package", (), package=100) for quantity in (0, 1, 100, 101)))
    assert [bills[0] for bills in found] == [0, 700, 700, 1_400]


def test_changes_act_on_every_tier() -> None:
    # Bills are of 1 July, 1 August and 1 September; the change holds from August on. A KWD has 1,000 fils.
    day = date(2026, 8, 1)
    dearer = replace(having(12, "tiered"), changes=(Agreed("uplift", day, percent="10"),))
    more = replace(having(12, "tiered"), changes=(Agreed("ramp", day, quantity=21),))
    by_unit = replace(having(12, "tiered"), changes=(Agreed("ramp", day, "2", 12),))
    # Of a plan by the unit to one whose price has tiers, which is raised in September.
    raised = (
        Agreed("upgrade", day, "0", model="volume", tiers=TIERS),
        Agreed("uplift", date(2026, 9, 1), percent="10"),
    )
    swapped = Sold(ANCHOR, zone="UTC", parts=(Part("base", "1", 12),), changes=raised)
    fils = replace(having(12, "tiered"), currency="KWD")
    assert both(dearer, more, by_unit, swapped, fils) == [
        [6_050, 6_655, 6_655],  # 10 x 5.00 + 2 x 4.00 + 2.50 = 60.50; 10 x 5.50 + 2 x 4.40 + 2.75 = 66.55
        [6_050, 9_650, 9_650],  # 10 x 5.00 + 10 x 4.00 + 2.50 + 1 x 3.00 + 1.00 = 96.50
        [6_050, 2_400, 2_400],  # 12 x 2.00
        [1_200, 5_050, 5_555],  # 12 x 1.00; 12 x 4.00 + 2.50; 12 x 4.40 + 2.75
        [60_500, 60_500, 60_500],
    ]


def test_part_of_a_period_costs_its_share_of_what_all_units_come_to() -> None:
    extra = Part("extra", "0", 11, "add_on", "tiered", TIERS, first_day=date(2026, 7, 17))
    sold = Sold(ANCHOR, zone="UTC", parts=(Part("base", "0"), extra))
    # 56.50 a month; of July's 31 days 15: 27.3387 -> 27.34, on the bill of August.
    assert both(sold) == [[0, 5_650 + 2_734, 5_650]]


def test_usage_is_charged_by_the_tiers_that_billed_units_reach() -> None:
    def using(used: str, model: str, tiers: Tiers = TIERS, package: int = 1) -> Sold:
        parts = (Part("base", "0"), Part("calls", "7", 1, "usage", model, tiers, package))
        return Sold(ANCHOR, zone="UTC", parts=parts, usage=(Used("calls", date(2026, 6, 1), used, "100"),))

    found = both(
        using("110", "tiered"),  # 10 past what is included: 10 x 5.00
        using("110.5", "tiered"),  # 10 x 5.00 + 0.5 x 4.00 + 2.50
        using("110.5", "volume"),  # 10.5 x 4.00 + 2.50
        using("100", "volume"),  # nothing is past it
        using("200.25", "package", (), 50),  # 100.25 units are three packages of 50 at 7.00
    )
    assert [bills[0] for bills in found] == [5_000, 5_450, 4_450, 0, 2_100]


def test_numbers_that_64_bits_do_not_hold_are_exact_too() -> None:
    huge: Tiers = ((3, "1234567.0000000001"), (None, "98765432.1234567891", "0.0000000009"))
    (bills,) = both(having(1_000_000, "tiered", huge))
    # Three units at the first price, 999,997 at the second, and a fee; in cents, half up.
    exact = 3 * Decimal("1234567.0000000001") + 999_997 * Decimal("98765432.1234567891") + Decimal("0.0000000009")
    assert bills[0] == int((exact * 100).to_integral_value(rounding="ROUND_HALF_UP"))


@pytest.mark.parametrize(
    "spoilt",
    [
        {"up_to": 30},  # no tier is open any more: nothing says what unit 31 costs
        {"up_to": 10},  # two tiers end alike
        {"price": "another"},
        {"unreadable": "unit_price ", "unit_price": None},
    ],
)
def test_tiers_of_which_one_is_not_told_are_not_guessed_at(spoilt: dict[str, Any]) -> None:
    sold = having(12, "tiered")
    records = records_of([sold, sold])
    last = next(row for row in records["tiers"] if row["price"] == f"{name_of(0)}-base" and row["up_to"] is None)
    last.update(spoilt)
    with DuckDBEngine() as engine:
        made = forecast(engine, records, old.Rules(), 3, AS_OF)
        reasons = engine.arrow(made.unbillable).to_pylist()
        billed = engine.arrow(made.runs)["subscription_id"].to_pylist()
    assert (reasons, billed) == ([{"subscription_id": name_of(0), "reason": "price_model"}], [name_of(1)])


@pytest.mark.parametrize("lost", ["first", "priced", "named", "package"])
def test_steps_that_the_target_does_not_hold_are_not_guessed_at(lost: str) -> None:
    sold = having(12, "package", (), package=5) if lost == "package" else having(12, "tiered")
    with DuckDBEngine() as engine:
        held = held_rows(engine, apart(subscription(s) for s in (sold, sold)))
        mine, step, item = "s000000-base", held.price_step, held.subscription_item
        theirs = step.price_code == mine
        spoilt = {
            "first": step.filter(~(theirs & (step.over == 0))),
            "priced": step.mutate(unit_price=(theirs & (step.over == 10)).ifelse(None, step.unit_price)),
        }
        own = item.item_id == mine
        bent = {
            "named": item.mutate(price_code=own.ifelse(None, item.price_code)),
            "package": item.mutate(package_size=own.ifelse(None, item.package_size)),
        }
        held = replace(held, price_step=spoilt.get(lost, step), subscription_item=bent.get(lost, item))
        made = target_bills(engine, held, new.Rules(), AS_OF, exponent_of, 3)
        reasons = engine.arrow(made.unbillable).to_pylist()
        billed = set(engine.arrow(made.runs)["subscription_id"].to_pylist())
    assert (reasons, billed) == ([{"subscription_id": "s000000", "reason": "price_model"}], {"s000001"})


def test_a_boundary_that_the_target_has_elsewhere_is_money_that_nothing_explains() -> None:
    """I12: units up to 10 at 5.00 on one side, up to 11 on the other: of 12 units one costs a euro more."""
    later: Tiers = ((11, "5"), (20, "4", "2.50"), (None, "3", "1.00"))
    _, differences = judge([having(12, "tiered")], billing(), [having(12, "tiered", later)])
    assert len(differences) == 12
    assert {(d["cause"], d["status"], d["difference_minor"]) for d in differences} == {("unexplained", "unsigned", 119)}
    _, differences = judge([having(12, "tiered")], billing(), [having(12, "volume")])
    # 60.50 by its own tiers, 12 x 4.00 + 2.50 = 50.50 by volume; with 19 percent of tax 11.90 apart.
    assert {d["difference_minor"] for d in differences} == {-1190}
