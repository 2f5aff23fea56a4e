"""Recurring revenue before and after, cohort by cohort."""

from __future__ import annotations

from urllib.parse import unquote

from migration_assets.wiring.charts import SHOWN_IN_PLACE
from migration_assets.wiring.recurring_views import recurring_shown


def test_each_cohort_and_currency_has_a_row_and_one_currency_is_drawn() -> None:
    told = recurring_shown({"a": {"EUR": (120000, 120000), "JPY": (500, 400)}, "b": {"EUR": (5000, 6000)}}, {})
    table = told["recurring revenue by cohort"].md_str
    assert "| a | 500 JPY | 400 JPY | -100 JPY |" in table
    assert "| b | 50.00 EUR | 60.00 EUR | 10.00 EUR |" in table
    drawn = unquote(told["recurring revenue of a year in EUR by cohort, and after the move where it differs"].md_str)
    assert ">1,200.00<" in drawn and "50.00 → 60.00" in drawn and "JPY" not in drawn


def test_without_recurring_revenue_nothing_is_told() -> None:
    assert recurring_shown({"a": {}}, {}) == {}


def test_a_plan_of_six_cohorts_is_drawn_in_its_place() -> None:
    each = {f"wave{n}_0{n}": {"EUR": (123456789 + n, 123456789 + n)} for n in range(6)}
    picture = recurring_shown(each, {})[
        "recurring revenue of a year in EUR by cohort, and after the move where it differs"
    ]
    assert len(picture.md_str) < SHOWN_IN_PLACE, len(picture.md_str)
