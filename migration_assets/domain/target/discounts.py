"""Discounts of the new platform: off the recurring charges of as many cycles as remain, counted from T (I10)."""

from __future__ import annotations

from fractions import Fraction

from migration_assets.domain.target.cycles import Cycle
from migration_assets.domain.target.terms import Discount


def still_given(discount: Discount, cycle: Cycle, used_up: int) -> bool:
    """Whether a cycle gets it. `used_up`: how many cycles before this one started at or after both T and the
    discount's own start."""
    begun = discount.starts_at <= cycle.period.starts_at
    return begun and (discount.cycles_remaining is None or used_up < discount.cycles_remaining)


def reduction(discount: Discount, recurring: Fraction) -> Fraction:
    """Minor units off, exact; an amount is no more than the charges it is taken from."""
    if discount.percent is None:
        return min(Fraction(discount.amount_minor), recurring)
    return discount.percent * recurring / 100
