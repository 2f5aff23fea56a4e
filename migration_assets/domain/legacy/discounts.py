"""Discounts of the old system: off the sum of the recurring lines, for as many periods as were granted (I10).

Nothing is counted down here: the periods are counted from the discount's first day, so that what is left follows from
what was granted, and need not be believed. Each discount is taken off the recurring lines by itself; an amount never
takes more than they come to.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from migration_assets.domain.legacy.terms import Discount


def is_granted(discount: Discount, first_day: date, billed_before: Iterable[date]) -> bool:
    """Whether the period that begins on `first_day` gets it. `billed_before`: first days of all billed before it."""
    if first_day < discount.first_day:
        return False
    had = sum(day >= discount.first_day for day in billed_before)
    return discount.cycles is None or had < discount.cycles


def taken_off(discount: Discount, recurring: Fraction) -> Fraction:
    """Minor units off the recurring lines of a period, not yet rounded; never negative."""
    if discount.percent is not None:
        return recurring * discount.percent / 100
    return min(Fraction(discount.amount_minor), recurring)
