"""Local times of the old system as instants: each pair of zone and time is asked for once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import ibis

from migration_assets.engine.calendar import boundaries

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# Times outside have no instant in every zone, or are none of a contract.
_FIRST, _LAST = datetime(1900, 1, 1), datetime(9000, 1, 1)  # noqa: DTZ001 -- local times have no zone


def placed(engine: DuckDBEngine, rows: ir.Table, columns: Sequence[str]) -> ir.Table:
    """The same rows, each of the columns an instant now; null where it was, or lies outside all calendars.

    `rows`: zone (a known one, or null), and the columns as local times without a zone.
    """
    pairs = engine.union([rows.select("zone", local=rows[c]) for c in columns]).distinct()
    at = boundaries(engine, pairs.filter(pairs["local"].between(ibis.literal(_FIRST), ibis.literal(_LAST))))
    told = rows
    for column in columns:
        known = at.select(_zone="zone", _local="local", _instant="instant")
        met = told.left_join(known, [told["zone"] == known["_zone"], told[column] == known["_local"]])
        told = met.mutate(**{column: met["_instant"]}).drop("_zone", "_local", "_instant")
    return engine.cached(told)


def local(day: ir.DateValue) -> ir.TimestampValue:
    """A local day as the local time at which it begins."""
    return day.cast("timestamp(6)")


def day_after(day: ir.DateValue) -> ir.TimestampValue:
    """The half-open end of an inclusive last day (I7)."""
    return (day + ibis.interval(days=1)).cast("timestamp(6)")
