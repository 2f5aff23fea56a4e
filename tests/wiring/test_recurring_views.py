"""Recurring revenue before and after, cohort by cohort."""

from __future__ import annotations

from urllib.parse import unquote

from migration_assets.wiring.charts import SHOWN_IN_PLACE
from migration_assets.wiring.recurring_views import recurring_shown


def test_currencies_are_summed_over_cohorts_and_one_of_them_is_drawn_by_cohort() -> None:
    told = recurring_shown(
        {
            "a": {"EUR": (120000, 120000, 110000, 110000), "JPY": (500, 400, 500, 300)},
            "b": {"EUR": (5000, 6000, 5000, 5500)},
        },
        {},
    )
    table = told["recurring revenue of all cohorts"].md_str
    assert "| JPY | 500 JPY | 400 JPY | -100 JPY | 500 JPY | 300 JPY | -200 JPY |" in table
    assert "| EUR | 1,250.00 EUR | 1,260.00 EUR | 10.00 EUR | 1,150.00 EUR | 1,155.00 EUR | 5.00 EUR |" in table
    drawn = unquote(told["recurring revenue of a year by cohort before discounts, in whole EUR"].md_str)
    assert ">a: 1,200<" in drawn and ">b: 50 → 60<" in drawn and "JPY" not in drawn


def test_without_recurring_revenue_nothing_is_told() -> None:
    assert recurring_shown({"a": {}}, {}) == {}


def test_a_plan_of_seven_cohorts_is_drawn_in_its_place() -> None:
    each = {f"wave{n}_0{n}": {"EUR": (123456789 + n,) * 4} for n in range(6)}
    each["unassigned"] = {"EUR": (123456789, 0, 123456789, 0)}
    picture = recurring_shown(each, {})["recurring revenue of a year by cohort before discounts, in whole EUR"]
    assert len(picture.md_str) < SHOWN_IN_PLACE, len(picture.md_str)
