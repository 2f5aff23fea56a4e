"""What a bill differs by is named by its cause, and the causes add up to the whole difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from told_twice import Part, Sold, legacy_bills, target_bills

from migration_assets.domain.bill import Bill
from migration_assets.domain.bill_parity import BillDifference, bill_differences
from migration_assets.domain.legacy import terms as old
from migration_assets.domain.target import terms as new

SINCE = datetime(2000, 1, 1, tzinfo=UTC)
OWN = new.Rules()
ROUNDED = replace(OWN, round_at="line", tax_at="line")
PRORATED = replace(ROUNDED, proration="30e_360")


def differences(sold: Sold, count: int, legacy: list[Bill] | None = None) -> tuple[BillDifference, ...]:
    steps = [
        ("rounding", target_bills(sold, SINCE, count, ROUNDED)),
        ("proration", target_bills(sold, SINCE, count, PRORATED)),
    ]
    before = legacy_bills(sold, SINCE, count, old.Rules()) if legacy is None else legacy
    return bill_differences(before, target_bills(sold, SINCE, count), steps)


def test_the_same_bills_differ_by_nothing() -> None:
    assert differences(Sold(date(2026, 1, 1)), 12) == ()


def test_a_line_that_comes_to_nothing_may_stand_on_one_side_alone() -> None:
    with_gift = Sold(date(2026, 1, 1), parts=(Part("base", "10"), Part("gift", "0", kind="add_on")))
    alone = Sold(date(2026, 1, 1), parts=(Part("base", "10"),))
    assert len(target_bills(with_gift, SINCE, 1)[0].lines) == 2 and len(legacy_bills(alone, SINCE, 1)[0].lines) == 1
    assert bill_differences(legacy_bills(alone, SINCE, 12), target_bills(with_gift, SINCE, 12), []) == ()


def test_rounding_and_proration_each_have_their_money() -> None:
    parts = (
        *(Part(f"i{n}", "0.125", kind="add_on") for n in range(3)),
        Part("late", "100", kind="add_on", first_day=date(2026, 1, 12)),
    )
    sold = Sold(date(2026, 1, 1), zone="UTC", parts=parts, tax_exempt=True)
    found = differences(sold, 2)
    # Cycle 0: 3 x 12.5 cents are 38 together and 39 by line. Cycle 1: the same, and 20/31 of 100.00 (6,452) by seconds
    # against 19/30 (6,333) by 30/360; rounded together 37.5 + 10,000 + 6,451.61 -> 16,489, by line 16,491.
    assert [(d.cycle, d.cause, d.difference_minor) for d in found] == [
        (0, "rounding", -1),
        (1, "rounding", -2),
        (1, "proration", 119),
    ]
    assert found[-1].line_kinds == ("proration",)
    whole = target_bills(sold, SINCE, 2)[1].total_minor - legacy_bills(sold, SINCE, 2)[1].total_minor
    assert sum(d.difference_minor for d in found if d.cycle == 1) == whole


def test_what_no_declared_rule_explains_is_unexplained() -> None:
    dearer = Sold(date(2026, 1, 1), parts=(Part("base", "101"),))
    (found,) = differences(dearer, 1, legacy=legacy_bills(Sold(date(2026, 1, 1)), SINCE, 1))
    # 1.00 more, and 19 % of it.
    assert (found.cause, found.difference_minor, found.line_kinds) == ("unexplained", 119, ("recurring",))


def test_a_bill_that_is_missing_or_on_another_date_is_unexplained() -> None:
    sold = Sold(date(2026, 1, 1))
    (missing,) = differences(sold, 2, legacy=legacy_bills(sold, SINCE, 1))
    assert (missing.cycle, missing.cause, missing.difference_minor) == (1, "unexplained", 11_900)
    (first,) = legacy_bills(sold, SINCE, 1)
    later = replace(first, issued_at=datetime(2026, 1, 5, tzinfo=UTC))
    (moved,) = differences(sold, 1, legacy=[later])
    assert (moved.cause, moved.difference_minor, moved.line_kinds) == ("unexplained", 0, ())
