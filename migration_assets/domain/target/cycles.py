"""Billing cycles of the new platform, as half-open periods of instants.

Cycle k starts k intervals after the anchor in the contract's own clock, clamped to the month's end, whatever the clock
did in between (I1, I7). A pause stops the cycle it falls into and gives the rest of it back when service resumes, from
where the cycles are counted anew (I9). What ends, or is cancelled at period end, has no cycle after that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from migration_assets.domain.calendar import Period, billing_period, boundary, cycles_begun, zone_of
from migration_assets.domain.target.terms import Rules, Subscription


@dataclass(frozen=True, order=True)
class Cycle:
    """`number` counts from the anchor; `period` is what the cycle's price pays for, without any pause that stops it."""

    number: int
    period: Period


def cycles(subscription: Subscription, rules: Rules) -> Iterator[Cycle]:
    """Every cycle that is billed, in order, without end while the subscription renews."""
    stop = _no_cycle_from(subscription)
    for cycle in _counted(subscription, rules):
        if stop is not None and cycle.period.starts_at >= stop:
            return
        if not _starts_while_paused(subscription, cycle.period.starts_at):
            yield cycle
        elif subscription.resumes_at is None:
            return


def _no_cycle_from(subscription: Subscription) -> datetime | None:
    """The earliest instant from which on nothing is billed any more."""
    ends = [c.effective_at for c in subscription.scheduled_changes if c.kind == "cancel"]
    ends += [subscription.ends_at] if subscription.ends_at is not None else []
    if subscription.cancel_at_period_end and subscription.current_period_ends_at is not None:
        ends.append(subscription.current_period_ends_at)
    return min(ends, default=None)


def _counted(subscription: Subscription, rules: Rules) -> Iterator[Cycle]:
    months, zone = subscription.interval_months, subscription.time_zone
    stopped = _stopped_cycle(subscription) if rules.pause == "extend" else None
    if stopped is None:
        yield from (Cycle(k, p) for k in count() for p in [billing_period(subscription.anchor_at, months, k, zone)])
        return
    for k in range(stopped):
        period = billing_period(subscription.anchor_at, months, k, zone)
        yield Cycle(k, period)
    paid = billing_period(subscription.anchor_at, months, stopped, zone)
    yield Cycle(stopped, paid)
    if subscription.paused_at is None or subscription.resumes_at is None:
        return
    again = _moved(paid.ends_at, subscription.paused_at, subscription.resumes_at, zone)
    for k in count():
        period = billing_period(again, months, k, zone)
        yield Cycle(stopped + 1 + k, period)


def _stopped_cycle(subscription: Subscription) -> int | None:
    """Number of the cycle in which the pause starts."""
    if subscription.paused_at is None or subscription.paused_at < subscription.anchor_at:
        return None
    zone = subscription.time_zone
    begun = cycles_begun(
        _clock(subscription.anchor_at, zone), subscription.interval_months, _clock(subscription.paused_at, zone)
    )
    return begun - 1


def _moved(end: datetime, paused_at: datetime, resumes_at: datetime, zone: str) -> datetime:
    """The end, later by the pause as the contract's clock shows it: a pause over a change of the clock moves no end
    from midnight to one o'clock."""
    pause = _clock(resumes_at, zone) - _clock(paused_at, zone)
    return boundary(_clock(end, zone) + pause, zone)


def _clock(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(zone_of(zone)).replace(tzinfo=None)


def _starts_while_paused(subscription: Subscription, start: datetime) -> bool:
    if subscription.paused_at is None or start <= subscription.paused_at:
        return False
    return subscription.resumes_at is None or start < subscription.resumes_at
