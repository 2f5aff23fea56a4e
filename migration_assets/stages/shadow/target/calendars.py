"""Calendars of billing cycles in the target: one for all subscriptions that share an anchor, a zone and an interval.

Belongs here: when cycles start and end, and on which side of T. Not here: who is billed by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
from ibis import _

from migration_assets.engine.calendar import add_months, boundaries, cycles_begun, local_times

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

KEY = ("time_zone", "anchor_at", "months", "offset", "from_at")
# Where a clock is set back or jumps, the first cycle at or after an instant is one off from what the clock shows; one
# more is needed for the cycle before it.
_SPARE = 2


@dataclass(frozen=True)
class Calendars:
    """`schedules`: schedule_id and KEY (each a key), first_at and last_at (starts of its first and last cycle),
    before_starts_at, before_ends_at (the cycle before its first, if any). `cycles`: schedule_id, position (key: both;
    from 0), cycle, starts_at, ends_at, day (the local day it starts on)."""

    schedules: ir.Table
    cycles: ir.Table


def calendars(engine: DuckDBEngine, keys: ir.Table, cycles: int) -> Calendars:
    """The first `cycles` cycles of each key that start at or after its `from_at`. `keys`: distinct KEY.

    Cycle numbers count from `offset` at the anchor.
    """
    with engine.passing() as lasting:
        schedules = engine.cached(keys.mutate(schedule_id=ibis.row_number().over()))
        placed = _placed(engine, schedules, cycles)
        now, before = placed.filter(placed.position >= 0), placed.filter(placed.position == -1)
        ends = now.group_by("schedule_id").aggregate(first_at=_.starts_at.min(), last_at=_.starts_at.max())
        before = before.select("schedule_id", before_starts_at="starts_at", before_ends_at="ends_at")
        known = schedules.join(ends, "schedule_id").left_join(before, "schedule_id").drop("schedule_id_right")
        days = told(engine, now, local_times, "starts_at", "day").mutate(day=_.day.date())
        made = Calendars(engine.cached(known), engine.cached(days.drop("time_zone")))
        lasting += [made.schedules, made.cycles]
    return made


def _placed(engine: DuckDBEngine, schedules: ir.Table, cycles: int) -> ir.Table:
    """Cycles from the one before the first at or after `from_at` on, by `position`, 0 for that first one."""
    with engine.passing() as lasting:
        around = _around(engine, schedules, cycles)
        first = around.filter(around.starts_at >= around.from_at).group_by("schedule_id").aggregate(first=_.index.min())
        placed = around.join(first, "schedule_id").mutate(position=_.index - _.first)
        placed = placed.filter(placed.position.between(-1, cycles - 1))
        kept = placed.select("schedule_id", "time_zone", "position", "cycle", "starts_at", "ends_at")
        lasting.append(engine.cached(kept))
    return lasting[0]


def _around(engine: DuckDBEngine, schedules: ir.Table, cycles: int) -> ir.Table:
    """Cycles of each schedule from shortly before its `from_at` on, by `index` from its anchor."""
    clocks = told(engine, schedules, local_times, "anchor_at", "anchor")
    clocks = engine.cached(told(engine, clocks, local_times, "from_at", "since"))
    begun = clocks.mutate(begun=cycles_begun(clocks.anchor, clocks.months, clocks.since))
    since = ibis.greatest(begun.begun - _SPARE, 0)
    rows = begun.mutate(index=ibis.range(since, begun.begun + cycles + _SPARE).unnest())
    rows = rows.select(
        "schedule_id",
        "time_zone",
        "from_at",
        "index",
        starts=add_months(rows.anchor, rows["index"] * rows.months),
        ends=add_months(rows.anchor, (rows["index"] + 1) * rows.months),
        cycle=rows["index"] + rows.offset,
    )
    rows = engine.cached(rows)
    return engine.cached(
        told(engine, told(engine, rows, boundaries, "starts", "starts_at"), boundaries, "ends", "ends_at")
    )


def told(
    engine: DuckDBEngine,
    rows: ir.Table,
    asked: Callable[[DuckDBEngine, ir.Table], ir.Table],
    at: str,
    name: str,
) -> ir.Table:
    """The rows with one more column: what the calendar answers for their zone and the time in `at`."""
    column = "local" if asked is boundaries else "instant"
    known = asked(engine, rows.select(zone="time_zone", **{column: at}))
    answers = known.select(_zone=known[0], _at=known[1], **{name: known[2]})
    found = rows.left_join(answers, [rows["time_zone"] == answers["_zone"], rows[at] == answers["_at"]])
    return found.drop("_zone", "_at")
