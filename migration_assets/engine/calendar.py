"""Calendar arithmetic on whole columns: the same answers as `domain.calendar`, which is tested row for row.

Months and days are expressions. What depends on a time zone goes through Python once for each distinct pair of zone and
time, because engines do not agree about casts between zones.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from migration_assets.domain.calendar import boundary, midnight, zone_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_INSTANT = pa.timestamp("us", tz="UTC")
_LOCAL = pa.timestamp("us")


def add_months(anchor: ir.Value, months: ir.IntegerValue) -> ir.Value:
    """The anchor's day so many months later, clamped to the month's end; of a date or a local time."""
    later = anchor.cast("timestamp") + months.as_interval("M")
    return later.cast("date") if anchor.type().is_date() else later


def cycles_begun(anchor: ir.Value, months: ir.IntegerValue, moment: ir.Value) -> ir.IntegerValue:
    """How many periods from the anchor have begun by a moment, that of the moment included; 0 before the anchor."""
    elapsed = (moment.year() - anchor.year()) * 12 + moment.month() - anchor.month()
    guess = (elapsed.cast("int64") - elapsed.cast("int64") % months) // months
    guess = guess.cast("int64")
    begun = guess + (add_months(anchor, guess * months) <= moment).cast("int64")
    return (moment < anchor).ifelse(0, begun)


def days_30e_360(first: ir.DateValue, until: ir.DateValue) -> ir.IntegerValue:
    """30E/360 days from `first` up to, not including, `until`."""
    months = (until.year() - first.year()).cast("int64") * 12 + until.month() - first.month()
    capped = ibis.least(until.day().cast("int64"), 30) - ibis.least(first.day().cast("int64"), 30)
    return months * 30 + capped


def midnights(engine: DuckDBEngine, days: ir.Table) -> ir.Table:
    """The instant at which each local day begins. `days`: zone, day. Columns: zone, day, instant; key: zone and day."""
    return _mapped(engine, days.select("zone", "day").distinct(), "instant", _INSTANT, lambda z, d: midnight(d, z))


def boundaries(engine: DuckDBEngine, times: ir.Table) -> ir.Table:
    """The instant of each local time, as `domain.calendar.boundary` has it. `times`: zone, local (a timestamp without
    zone). Columns: zone, local, instant; key: zone and local."""
    return _mapped(engine, times.select("zone", "local").distinct(), "instant", _INSTANT, lambda z, t: boundary(t, z))


def local_times(engine: DuckDBEngine, instants: ir.Table) -> ir.Table:
    """What clocks of a zone show at each instant. `instants`: zone, instant. Columns: zone, instant, local."""

    def shown(zone: str, instant: datetime) -> datetime:
        return instant.astimezone(zone_of(zone)).replace(tzinfo=None)

    return _mapped(engine, instants.select("zone", "instant").distinct(), "local", _LOCAL, shown)


def _mapped(
    engine: DuckDBEngine, pairs: ir.Table, name: str, kind: pa.DataType, made: Callable[[str, Any], datetime]
) -> ir.Table:
    """Pairs of zone and time with a third column. Pairs with a missing part have none; CalendarError names a zone."""
    asked = pairs.filter(pairs["zone"].notnull() & pairs[pairs.columns[1]].notnull())
    known = engine.arrow(asked)
    zones, times = known.column(0).to_pylist(), known.column(1).to_pylist()
    answers = [made(zone, time) for zone, time in zip(zones, times, strict=True)]
    return engine.table(known.append_column(name, pa.array(answers, kind)))
