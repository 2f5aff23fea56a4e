"""The two rule sets, written apart, bill the same wherever a plan declares the same rules for both."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from random_contracts import ROUNDINGS, contracts, counted, seen_at
from told_twice import Sold, legacy_bills, target_bills

from migration_assets.domain.legacy import terms as old
from migration_assets.domain.target import terms as new


@settings(max_examples=400, deadline=None)
@given(contracts(), st.sampled_from(("line", "invoice")), st.sampled_from(ROUNDINGS), st.booleans())
def test_the_next_twelve_bills_agree(sold: Sold, level: str, rounding: str, extends: bool) -> None:
    as_of = seen_at(sold)
    before = old.Rules("actual_days", rounding, level, level, "extends" if extends else "skips")  # type: ignore[arg-type]
    after = new.Rules("days", rounding, level, level, "extend" if extends else "skip")  # type: ignore[arg-type]
    sold = counted(sold, before)
    assert legacy_bills(sold, as_of, 12, before) == target_bills(sold, as_of, 12, after)


@settings(max_examples=200, deadline=None)
@given(contracts())
def test_30_360_is_the_same_on_both_sides_and_lines_add_up(sold: Sold) -> None:
    as_of, sold = seen_at(sold), counted(sold, old.Rules())
    bills = target_bills(sold, as_of, 12, new.Rules("30e_360", "half_up", "line", "line"))
    assert bills == legacy_bills(sold, as_of, 12)
    for bill in bills:
        assert bill.total_minor == sum(line.amount_minor + line.tax_minor for line in bill.lines)
