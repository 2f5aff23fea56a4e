"""Calendar of the legacy ERP: days since 1970-01-01, billing periods, 30E/360. Only what the generator needs.

Deliberately its own code: the migration has another, and the two must agree without sharing a line.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from migration_assets.demo.columns import Ints

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- a calendar day, not an instant


def month_of(days: Ints) -> Ints:
    """Months since 1970-01."""
    return days.astype("M8[D]").astype("M8[M]").astype(np.int64)


def month_start(months: Ints) -> Ints:
    """First day of a month."""
    return months.astype("M8[M]").astype("M8[D]").astype(np.int64)


def day_of_month(days: Ints) -> Ints:
    """1 to 31."""
    return days - month_start(month_of(days)) + 1


def year_of(days: Ints) -> Ints:
    """Calendar year."""
    return month_of(days) // 12 + 1970


def last_day(days: Ints) -> Ints:
    """Last day of the month a day is in."""
    return month_start(month_of(days) + 1) - 1


def plus_months(anchor: Ints, months: Ints) -> Ints:
    """The anchor's day of month, `months` later, clamped to the end of that month."""
    target = month_of(anchor) + months
    return np.minimum(month_start(target) + day_of_month(anchor) - 1, month_start(target + 1) - 1)


def periods_elapsed(anchor: Ints, interval_months: Ints, today: Ints) -> Ints:
    """Index of the period that contains `today`; negative before the anchor."""
    guess = (month_of(today) - month_of(anchor)) // interval_months
    return guess - (plus_months(anchor, guess * interval_months) > today)


def days_360(start: Ints, end: Ints) -> Ints:
    """30E/360 days of [start, end)."""
    months = month_of(end) - month_of(start)
    return months * 30 + np.minimum(day_of_month(end), 30) - np.minimum(day_of_month(start), 30)


def day_number(moment: datetime) -> int:
    """Days since 1970-01-01 of a moment's own calendar day."""
    return (moment.replace(tzinfo=None) - EPOCH) // timedelta(days=1)


def local_day(moment: datetime, zone: str) -> int:
    """Calendar day of an instant in a zone, as days since 1970-01-01."""
    return day_number(moment.astimezone(ZoneInfo(zone)))
