"""Calendar arithmetic: months from an original anchor, half-open periods, local time to UTC.

Belongs here: pure functions on dates and datetimes. Not here: reading dates out of text, clocks, frames.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

InclusiveEnd = Literal["exclusive", "inclusive_day", "inclusive_second", "inclusive_millisecond"]
Overlap = Literal["earlier", "later"]

_Moment = TypeVar("_Moment", date, datetime)


class CalendarError(ValueError):
    """A local time that does not exist or is not unique, or a result outside years 1 to 9999. `reason` is a code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def add_months(anchor: _Moment, months: int) -> _Moment:
    """The anchor's day `months` months later, clamped to the month's end; time of day and zone are kept.

    Always count from the original anchor (invariant I1): adding to a clamped result loses the day for good.
    """
    year, month0 = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise CalendarError("out_of_range", f"{months} months from the anchor is outside years 1 to 9999")
    last = calendar.monthrange(year, month0 + 1)[1]
    return anchor.replace(year=year, month=month0 + 1, day=min(anchor.day, last))


@dataclass(frozen=True, order=True)
class Period:
    """Half-open `[starts_at, ends_at)`; both instants aware and the end never before the start."""

    starts_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        if self.starts_at.tzinfo is None or self.ends_at.tzinfo is None:
            raise ValueError("a period needs instants with a zone")
        if self.ends_at < self.starts_at:
            raise ValueError("a period cannot end before it starts")

    def contains(self, instant: datetime) -> bool:
        """The start belongs to the period, the end does not."""
        return self.starts_at <= instant < self.ends_at

    def overlaps(self, other: Period) -> bool:
        """Some instant belongs to both; an empty period overlaps nothing."""
        return max(self.starts_at, other.starts_at) < min(self.ends_at, other.ends_at)


def days_30e_360(first: date, until: date) -> int:
    """Days from `first` up to, not including, `until`, when every month has 30: the European 30/360 convention (ISDA
    2006, section 4.16(g)), in which the 31st counts as the 30th and February's last day is what it is."""
    months = (until.year - first.year) * 12 + until.month - first.month
    return months * 30 + min(until.day, 30) - min(first.day, 30)


def local_day(instant: datetime, zone: str) -> date:
    """The calendar day that clocks of the zone show at an instant."""
    return instant.astimezone(zone_of(zone)).date()


def midnight(day: date, zone: str) -> datetime:
    """The instant at which a local day begins."""
    return boundary(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 -- a local time, told with its zone


def cycles_begun(anchor: _Moment, months: int, moment: _Moment) -> int:
    """How many periods counted from the anchor have begun by then, that of the moment included; 0 before the anchor."""
    if moment < anchor:
        return 0
    elapsed = (moment.year - anchor.year) * 12 + moment.month - anchor.month
    guess = elapsed // months
    return guess + (add_months(anchor, guess * months) <= moment)


def billing_period(anchor: datetime, months: int, index: int, zone: str = "UTC") -> Period:
    """Period `index` (0 is the first) of `months` months each, counted from the original anchor in local time."""
    if months < 1:
        raise ValueError("a billing period lasts at least one month")
    local = anchor.astimezone(zone_of(zone)).replace(tzinfo=None)
    return Period(
        boundary(add_months(local, months * index), zone),
        boundary(add_months(local, months * (index + 1)), zone),
    )


def boundary(local: datetime, zone: str) -> datetime:
    """The instant of a computed local boundary, which has to be somewhere even where the clock jumps over it.

    In a gap: the first instant after it. In an overlap: the earlier one. For values that were *given*, use
    `local_to_utc`, which does not guess.
    """
    info = zone_of(zone)
    try:
        return _gap_end(local, info) if _in_gap(local, info) else local.replace(tzinfo=info, fold=0).astimezone(UTC)
    except OverflowError:
        raise CalendarError("out_of_range", "the instant is outside years 1 to 9999") from None


def day_after(moment: datetime, zone: str) -> datetime:
    """Where the local day after the moment's begins: the half-open end of an inclusive last day.

    A naive moment is local already; an aware one is first told in the zone's clock.
    """
    try:
        local = moment if moment.tzinfo is None else moment.astimezone(zone_of(zone)).replace(tzinfo=None)
    except OverflowError:
        raise CalendarError("out_of_range", "the instant is outside years 1 to 9999") from None
    return boundary(half_open(local, "inclusive_day"), zone)


def _gap_end(local: datetime, info: ZoneInfo) -> datetime:
    before = local.replace(tzinfo=info, fold=0).utcoffset() or timedelta(0)
    after = local.replace(tzinfo=info, fold=1).utcoffset() or timedelta(0)
    # In a gap fold=0 has the offset from before the jump, fold=1 the one from after it (PEP 495). The jump lies
    # between the two readings; instants there are whole seconds in every zone.
    low = (local - max(before, after)).replace(tzinfo=UTC, microsecond=0) - timedelta(seconds=1)
    high = (local - min(before, after)).replace(tzinfo=UTC, microsecond=0)
    return _change(low, high, info)


def _in_gap(local: datetime, info: ZoneInfo) -> bool:
    back = local.replace(tzinfo=info).astimezone(UTC).astimezone(info).replace(tzinfo=None)
    return back != local


@cache
def zone_names() -> frozenset[str]:
    """Every IANA zone this machine knows."""
    return frozenset(available_timezones()) - {"localtime", "posixrules", "Factory"}


def is_zone(name: str) -> bool:
    """Whether the name is an IANA zone, spelled exactly."""
    return name in zone_names()


@cache
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of that name; CalendarError when there is none."""
    if not is_zone(name):
        raise CalendarError("unknown_time_zone", f"{name!r} is not an IANA time zone")
    return ZoneInfo(name)


def local_to_utc(local: datetime, zone: str, overlap: Overlap | None = None) -> datetime:
    """The instant at which clocks of the zone show this naive local time.

    A time the clocks jump over raises CalendarError `local_time_in_gap`. One they show twice is the earlier or the
    later instant as told, and `local_time_ambiguous` when nothing was told.
    """
    if local.tzinfo is not None:
        raise ValueError("a local time carries no zone")
    info = zone_of(zone)
    local = local.replace(fold=0)
    try:
        return _resolve(local, info, overlap)
    except OverflowError:
        raise CalendarError("out_of_range", "the instant is outside years 1 to 9999") from None


def _resolve(local: datetime, info: ZoneInfo, overlap: Overlap | None) -> datetime:
    first = local.replace(tzinfo=info)
    second = first.replace(fold=1)
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if _in_gap(local, info):
        raise CalendarError("local_time_in_gap", "clocks jump over this local time")
    if overlap is None:
        raise CalendarError("local_time_ambiguous", "clocks show this local time twice")
    return (first if overlap == "earlier" else second).astimezone(UTC)


def half_open(end: datetime, kind: InclusiveEnd) -> datetime:
    """The exclusive end of a period whose last moment is `end`, in the clock that `end` is told in.

    `inclusive_day`: the whole day of `end` belongs to the period, whatever its time of day. `inclusive_second` and
    `inclusive_millisecond`: that second or millisecond does. Apply it once per value (invariant I7).
    """
    try:
        if kind == "inclusive_day":
            return datetime(end.year, end.month, end.day, tzinfo=end.tzinfo) + timedelta(days=1)
        if kind == "inclusive_second":
            return end.replace(microsecond=0) + timedelta(seconds=1)
        if kind == "inclusive_millisecond":
            return end.replace(microsecond=end.microsecond // 1000 * 1000) + timedelta(milliseconds=1)
    except OverflowError:
        raise CalendarError("out_of_range", "the end is outside years 1 to 9999") from None
    return end


@dataclass(frozen=True)
class LocalSpan:
    """Local times from `starts_at` on have this offset; None: clocks never or twice show them."""

    starts_at: datetime
    offset: timedelta | None


def local_spans(zone: str, first: datetime, last: datetime) -> tuple[LocalSpan, ...]:
    """Offsets of every local time from `first` to `last`, both naive; the first span starts at or before `first`.

    For millions of local times at once: the spans of a few years are a handful.
    """
    info, step = zone_of(zone), timedelta(hours=6)
    # Whole seconds, as changes are: halving the time between two of them has to end on one.
    at = (first - timedelta(days=2)).replace(microsecond=0, tzinfo=UTC)
    spans = [LocalSpan(at.replace(tzinfo=None) - timedelta(days=1), _offset(at, info))]
    while at < (last + timedelta(days=2)).replace(tzinfo=UTC):
        before, after = _offset(at, info), _offset(at + step, info)
        if before != after:
            change = _change(at, at + step, info).replace(tzinfo=None)
            spans.append(LocalSpan(change + min(before, after), None))
            spans.append(LocalSpan(change + max(before, after), after))
        at += step
    return tuple(spans)


def _offset(instant: datetime, info: ZoneInfo) -> timedelta:
    return instant.astimezone(info).utcoffset() or timedelta(0)


def _change(low: datetime, high: datetime, info: ZoneInfo) -> datetime:
    """The first whole second with the offset of `high`."""
    after = _offset(high, info)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (low, middle) if _offset(middle, info) == after else (middle, high)
    return high
