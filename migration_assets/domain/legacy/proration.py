"""Parts of a period in the old system: an item that came in the middle of one is billed for the rest of it.

The part stands on the invoice of the next period, for the days from the item's first day to the end of the period it
came in, over the basis that the plan declares (I4): 30E/360 days over 30 for each month of the interval, or actual days
over the actual days of that period.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

from migration_assets.domain.calendar import days_30e_360
from migration_assets.domain.legacy.periods import BillingPeriod
from migration_assets.domain.legacy.terms import Contract, Item, Rules


def came_within(item: Item, period: BillingPeriod) -> bool:
    """Whether the item came after the period had begun and before it ended."""
    return item.first_day is not None and period.first_day < item.first_day < period.until


def owed_until(item: Item, period: BillingPeriod) -> date:
    """The day up to which, not including, the part is owed: the period's end, or the day after the item's
    last one where it came and went within one period."""
    return period.until if item.last_day is None else min(item.last_day + timedelta(days=1), period.until)


def share_of(contract: Contract, first_day: date, until: date, period: BillingPeriod, rules: Rules) -> Fraction:
    """Share of the period's price that is owed for the days from `first_day` up to, not including, `until`."""
    if rules.proration == "30e_360":
        return Fraction(days_30e_360(first_day, until), 30 * contract.months)
    return Fraction((until - first_day).days, (period.until - period.first_day).days)
