"""What is at stake in a merge: a year's money, each currency for itself; and what follows from it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from migration_assets.domain.stakes import PER_YEAR, at_stake, needs_two, rank_of


def test_a_contract_and_its_invoices_are_the_same_money_and_count_once() -> None:
    assert at_stake({"EUR": 1200}, {"EUR": 900, "JPY": 5}) == {"EUR": 1200, "JPY": 5}
    assert at_stake({}, {"EUR": 0, "USD": -300}) == {}, "credits alone put nothing at stake"


def test_a_year_is_a_whole_number_of_every_interval() -> None:
    assert PER_YEAR == {"month": 12, "quarter": 4, "year": 1}


def test_the_largest_stake_ranks_and_currencies_are_never_added() -> None:
    assert rank_of({"EUR": 10_000, "USD": 9_900}) == Decimal(100)
    assert rank_of({"JPY": 10_000}) == Decimal(10_000), "without rates each currency counts by its own major units"
    assert rank_of({"JPY": 10_000}, {"JPY": Decimal("0.006")}) == Decimal(60)
    assert rank_of({"EUR": 10_000, "JPY": 30_000}, {"JPY": Decimal("0.006"), "EUR": Decimal(1)}) == Decimal(180)
    assert rank_of({}) == 0


@pytest.mark.parametrize(
    ("stakes", "four_eyes", "two"),
    [
        ({}, False, False),
        ({"EUR": 10**9}, False, False),
        ({}, True, True),
        ({"EUR": 9_999}, {"EUR": 10_000}, False),
        ({"EUR": 10_000}, {"EUR": 10_000}, True),
        ({"EUR": 1, "USD": 10_000}, {"EUR": 10_000, "USD": 10_000}, True),
        # Nobody said how much of it is little.
        ({"JPY": 1}, {"EUR": 10_000}, True),
        ({}, {"EUR": 10_000}, False),
    ],
)
def test_a_second_person_is_asked_from_what_the_plan_says(
    stakes: dict[str, int], four_eyes: bool | dict[str, int], two: bool
) -> None:
    assert needs_two(stakes, four_eyes) is two
