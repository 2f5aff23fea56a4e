"""What the new platform has counted, and which units it charges, in arrears, once their cycle is over (I11, I13)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from migration_assets.domain.calendar import Period
from migration_assets.domain.target.terms import MeteredUsage


@dataclass(frozen=True)
class UsageEvent:
    """Row of usage_events. Events with one idempotency key are one event, however often it arrives."""

    event_id: str
    occurred_at: datetime
    recorded_at: datetime
    units: Fraction
    idempotency_key: str | None = None


def counted(carried: Fraction, events: Iterable[UsageEvent], cycle: Period, as_of: datetime) -> Fraction:
    """Units used in a cycle: what was carried over at T, and every event of the cycle that was recorded after T, once.

    What happened before T and arrived after it was not in what was carried, so it counts; a new cycle starts at zero.
    """
    new = (e for e in events if e.recorded_at > as_of and cycle.contains(e.occurred_at))
    distinct = {e.idempotency_key or e.event_id: e.units for e in new}
    return (carried if cycle.contains(as_of) else Fraction(0)) + sum(distinct.values(), Fraction(0))


def charged_units(usage: MeteredUsage) -> Fraction:
    """Units that cost something: those past what is included, or all of them where passing it ends a grace.

    Nothing is charged where there is no limit, and nothing where use stops at it.
    """
    if usage.included is None or usage.used <= usage.included:
        return Fraction(0)
    match usage.overage:
        case "bill":
            return usage.used - usage.included
        case "grace":
            return usage.used
        case _:
            return Fraction(0)
