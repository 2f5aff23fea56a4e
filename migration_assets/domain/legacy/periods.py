"""Which periods the old system bills, as local days.

Period k begins on the anchor's day k intervals later, clamped to the month's end and always counted from the anchor
itself (I1). A period is billed in advance, on its first day; none begins in a pause, before the trial is over (the
anchor is the day after it, I8) or after the contract's last day (I9).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count

from migration_assets.domain.calendar import add_months, cycles_begun
from migration_assets.domain.legacy.terms import Contract, Rules


@dataclass(frozen=True, order=True)
class BillingPeriod:
    """Days from `first_day` up to, not including, `until`, as its invoice says: a pause that comes later holds the
    period up and does not change what was printed. `index` counts from the anchor."""

    index: int
    first_day: date
    until: date


def periods(contract: Contract, rules: Rules) -> Iterator[BillingPeriod]:
    """Every period that is billed, in order, without end while the contract renews."""
    for period in _in_calendar(contract, rules):
        if _is_over(contract, period.first_day):
            return
        if not _begins_in_pause(contract, period.first_day):
            yield period
        elif contract.resumes_on is None:
            return


def begun_by(contract: Contract, day: date) -> int:
    """Number of ordinary periods that have begun by the end of a day."""
    return cycles_begun(contract.anchor, contract.months, day)


def _in_calendar(contract: Contract, rules: Rules) -> Iterator[BillingPeriod]:
    """All periods as the calendar has them. After a pause that extends they are counted from where the days that were
    left of the held period are over."""
    held = _held_period(contract) if rules.pause == "extends" else None
    anchor, offset = contract.anchor, 0
    for index in count():
        first = add_months(anchor, (index - offset) * contract.months)
        until = add_months(anchor, (index - offset + 1) * contract.months)
        yield BillingPeriod(index, first, until)
        if index == held:
            if contract.resumes_on is None or contract.paused_on is None:
                return
            anchor, offset = contract.resumes_on + (until - contract.paused_on), index + 1


def _held_period(contract: Contract) -> int | None:
    """Index of the period in which the pause begins; a pause before the first period holds none."""
    if contract.paused_on is None:
        return None
    begun = begun_by(contract, contract.paused_on)
    return begun - 1 if begun else None


def _is_over(contract: Contract, day: date) -> bool:
    """After the last day, or from the day of a scheduled cancellation on."""
    ended = contract.last_day is not None and day > contract.last_day
    return ended or any(c.kind == "cancel" and c.first_day <= day for c in contract.changes)


def _begins_in_pause(contract: Contract, day: date) -> bool:
    """A period that begins on the pause's first day was billed when that day began, before anybody paused."""
    if contract.paused_on is None or day <= contract.paused_on:
        return False
    return contract.resumes_on is None or day < contract.resumes_on


def running(contract: Contract, rules: Rules, today: date) -> tuple[date, date] | None:
    """First day of the period that a day of the contract's calendar is in, and the first one after it, as the old
    system writes it down; None where the rules do not say.

    Before the first period it is the time since the contract began. While a pause lasts that holds a period up, its
    invoice is what stands; when that is over before the pause, the contract ends within a period, or the pause ends
    before it begins, nothing is said.
    """
    if today < contract.first_day or (contract.last_day is not None and contract.last_day < today):
        return None
    calendar = _running(contract, rules, today)
    if calendar is None:
        return None
    first, until = calendar
    cut_off = contract.last_day is not None and contract.last_day + timedelta(days=1) < until
    return None if until <= today or cut_off else (first, until)


def _running(contract: Contract, rules: Rules, today: date) -> tuple[date, date] | None:
    if today < contract.anchor:
        return contract.first_day, contract.anchor
    held = _held_period(contract) if rules.pause == "extends" else None
    if held is None or contract.paused_on is None or today < contract.paused_on:
        return _counted(contract.anchor, contract.months, today)
    first, until = _counted(contract.anchor, contract.months, contract.paused_on)
    if contract.resumes_on is None or today < contract.resumes_on:
        return first, until
    if contract.resumes_on < contract.paused_on:
        return None
    moved = contract.resumes_on + (until - contract.paused_on)
    return (first, moved) if today < moved else _counted(moved, contract.months, today)


def _counted(anchor: date, months: int, day: date) -> tuple[date, date]:
    """The period that a day is in, counted from an anchor that is not after it."""
    begun = cycles_begun(anchor, months, day)
    return add_months(anchor, (begun - 1) * months), add_months(anchor, begun * months)
