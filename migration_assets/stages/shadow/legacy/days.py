"""Local days as instants, within the time that is looked at: whatever lies before or after it is cut off.

Days are told as half-open periods of days; the first that counts no more follows from a last one that still does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.domain.calendar import midnight

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_DAY = timedelta(days=1)
# No local day is further from the day in UTC.
_APART = timedelta(days=2)


@dataclass(frozen=True)
class Window:
    """From `since` up to, not including, `until`."""

    since: datetime
    until: datetime

    @property
    def first(self) -> date:
        """A day that has begun by the start, wherever it is."""
        return (self.since - _APART).date()

    @property
    def last(self) -> date:
        """A day that does not begin before the end, wherever it is."""
        return (self.until + _APART).date()

    def begins(self, day: ir.Value) -> ir.DateValue:
        """The day from which something counts, none meaning that it always did."""
        return self._within(day.coalesce(ibis.literal(self.first)))

    def ends(self, *days: ir.Value) -> ir.DateValue:
        """The earliest of the days from which something counts no more; none of them: it always does."""
        return self._within(ibis.least(*days, ibis.literal(self.last)))

    def _within(self, day: ir.Value) -> ir.DateValue:
        return ibis.least(ibis.greatest(day, ibis.literal(self.first)), ibis.literal(self.last))

    def instants(self, engine: DuckDBEngine, zones: Iterable[str]) -> ir.Table:
        """When each of the window's days begins in each zone, cut to the window: zone, day (key: both), instant."""
        days = [self.first + _DAY * n for n in range((self.last - self.first).days + 1)]
        pairs = [(zone, day) for zone in zones for day in days]
        cut = [min(max(midnight(day, zone), self.since), self.until) for zone, day in pairs]
        columns = {
            "zone": pa.array([zone for zone, _ in pairs], pa.string()),
            "day": pa.array([day for _, day in pairs], pa.date32()),
            "instant": pa.array(cut, pa.timestamp("us", tz="UTC")),
        }
        return engine.table(pa.table(columns))


def placed(spells: ir.Table, instants: ir.Table) -> ir.Table:
    """Spells with starts_at and ends_at in place of their zone, from_day and until_day; those that last."""
    start = instants.select(_zone="zone", _day="day", starts_at="instant")
    end = instants.select(_zone="zone", _day="day", ends_at="instant")
    told = spells.filter(spells["from_day"] < spells["until_day"])
    told = told.join(start, [told["zone"] == start["_zone"], told["from_day"] == start["_day"]]).drop("_zone", "_day")
    told = told.join(end, [told["zone"] == end["_zone"], told["until_day"] == end["_day"]]).drop("_zone", "_day")
    return told.filter(told["starts_at"] < told["ends_at"]).drop("zone", "from_day", "until_day")


def day_after(day: ir.DateValue) -> ir.DateValue:
    """The first day that counts no more after a last one that does."""
    return (day + ibis.interval(days=1)).cast("date")
