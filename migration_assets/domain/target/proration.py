"""Parts of a cycle in the new platform: what is added in the middle of one is charged for the rest of it.

The part is on the invoice of the next cycle, for the time from when the item starts to the end of the cycle it starts
in: elapsed seconds over the seconds of the cycle, days of the contract's calendar over its days, or days by 30E/360
over 30 for each month of the interval (I4).
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

from migration_assets.domain.calendar import Period, days_30e_360, local_day
from migration_assets.domain.target.cycles import Cycle
from migration_assets.domain.target.terms import Rules, Subscription, SubscriptionItem

_MICROSECOND = timedelta(microseconds=1)


def added_during(item: SubscriptionItem, cycle: Cycle) -> Period | None:
    """From when the item was added to when it or the cycle ends, if it was added within the cycle."""
    starts_at = item.starts_at
    if starts_at is None or not cycle.period.starts_at < starts_at < cycle.period.ends_at:
        return None
    return Period(starts_at, min(item.ends_at or cycle.period.ends_at, cycle.period.ends_at))


def share(owed: Period, paid: Period, subscription: Subscription, rules: Rules) -> Fraction:
    """Share of a paid cycle that a part of it takes."""
    part = _length(owed, rules, subscription.time_zone)
    if rules.proration == "30e_360":
        return Fraction(part, 30 * subscription.interval_months)
    return Fraction(part, _length(paid, rules, subscription.time_zone))


def _length(period: Period, rules: Rules, time_zone: str) -> int:
    if rules.proration == "seconds":
        return (period.ends_at - period.starts_at) // _MICROSECOND
    first, until = local_day(period.starts_at, time_zone), local_day(period.ends_at, time_zone)
    return days_30e_360(first, until) if rules.proration == "30e_360" else (until - first).days
