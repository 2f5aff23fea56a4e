"""Cycles that the old system bills from T on, of whole cohorts: which they are, and where one is unlike the one before.

A contract has one segment of cycles, or two with a pause between them. Within a segment, cycle numbers and days follow
from the segment's anchor, months and offset (the number that its first period has). Not here: amounts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.engine.calendar import add_months, cycles_begun, midnights

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.legacy.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine

# More cycles than years 1 to 9999 have months.
_NEVER = 1_000_000
_SEGMENT = (
    "contract_id",
    "part",
    "zone",
    "anchor",
    "months",
    "offset",
    "lo",
    "hi",
    "next_lo",
    "from_cycle",
    "until_cycle",
)
_TERMS = ("currency", "unit", "country", "tax_inclusive", "tax_exempt")
_KEY = ["contract_id", "part"]
_SCHEDULE = ("zone", "anchor", "months", "offset")


def segments(engine: DuckDBEngine, contracts: ir.Table, rules: Rules, cycles: int) -> ir.Table:
    """Segments of each contract, kept in the engine. Key: contract_id and part (0, or 1 after a pause).

    zone, anchor, months, offset; lo and hi: first cycle and the one after the last that are ever billed; next_lo: the
    first one of the next segment, null where there is none; from_cycle and until_cycle: those of them that are among
    the next `cycles` from T on (none where the second is not the greater); and the contract's terms.
    """
    steady = contracts.filter(contracts["paused_on"].isnull())
    steady = steady.mutate(part=0, offset=0, lo=0, hi=_ever(steady), next_lo=ibis.null("int64"))
    paused = _paused(engine, contracts)
    before = _windowed(paused.mutate(part=0, offset=0, lo=0, hi=ibis.least(paused["begun"], paused["over"])), cycles)
    after = engine.cached(_after_pause(before, rules, cycles))
    follows = after.filter(after["lo"] < after["hi"]).select("contract_id", next_lo="lo")
    before = before.left_join(follows, "contract_id")
    parts = (_windowed(steady, cycles), before, after.mutate(next_lo=ibis.null("int64")))
    return engine.cached(engine.union([_whole_numbers(p).select(*_SEGMENT, *_TERMS) for p in parts]))


def _whole_numbers(part: ir.Table) -> ir.Table:
    numbers = ("part", "offset", "lo", "hi", "next_lo", "from_cycle", "until_cycle")
    return part.mutate(**{n: part[n].cast("int64") for n in numbers})


def _ever(contracts: ir.Table) -> ir.Value:
    """How many periods from the anchor begin at all."""
    return cycles_begun(contracts["anchor"], contracts["months"], contracts["ends_on"]).coalesce(_NEVER)


def _paused(engine: DuckDBEngine, contracts: ir.Table) -> ir.Table:
    """Contracts with a pause. `begun`: periods that begin up to its first day; `over`: periods that begin at all."""
    paused = contracts.filter(contracts["paused_on"].notnull())
    begun = cycles_begun(paused["anchor"], paused["months"], paused["paused_on"])
    return engine.cached(paused.mutate(begun=begun.cast("int64"), over=_ever(paused).cast("int64")))


def _after_pause(before: ir.Table, rules: Rules, cycles: int) -> ir.Table:
    """Segments after a pause. What is over before the pause does not come back."""
    left = cycles - ibis.greatest(before["until_cycle"] - before["from_cycle"], 0)
    after = before.mutate(left=left)
    after = after.filter(after["resumes_on"].notnull() & (after["begun"] <= after["over"])).drop("from_cycle")
    after = _held_up(after) if rules.pause == "extends" else _left_out(after)
    hi = after["offset"] + cycles_begun(after["anchor"], after["months"], after["ends_on"])
    return _windowed(after.mutate(part=1, hi=hi.coalesce(_NEVER)), after["left"])


def _left_out(after: ir.Table) -> ir.Table:
    """The calendar goes on as if nothing had been; what begins in the pause is not billed."""
    resumed = _reached(after, after["resumes_on"])
    return after.mutate(offset=0, lo=ibis.greatest(after["begun"], resumed))


def _held_up(after: ir.Table) -> ir.Table:
    """Days left of the held period come first after the pause, and the next ones are counted from where they end. A
    pause before the first period holds none up."""
    until = add_months(after["anchor"], after["begun"] * after["months"])
    left = until.delta(after["paused_on"], unit="day")
    moved = (after["resumes_on"] + left.cast("int64").as_interval("D")).cast("date")
    held = after["begun"] > 0
    lo = held.ifelse(after["begun"], _reached(after, after["resumes_on"]))
    return after.mutate(anchor=held.ifelse(moved, after["anchor"]), offset=after["begun"], lo=lo)


def _reached(segment: ir.Table, day: ir.Value) -> ir.Value:
    """Number, within its segment's calendar, of the first cycle that begins on a day or later."""
    return cycles_begun(segment["anchor"], segment["months"], (day - ibis.interval(days=1)).cast("date"))


def _windowed(segment: ir.Table, left: int | ir.Value) -> ir.Table:
    """With the cycles from T on, so many at most."""
    first = ibis.greatest(segment["lo"], segment["offset"] + _reached(segment, segment["starts_on"]))
    told = segment.mutate(from_cycle=first.cast("int64"))
    return told.mutate(until_cycle=ibis.least(told["hi"], told["from_cycle"] + left))


def windows(segments: ir.Table) -> ir.Table:
    """Segments with a cycle among the next ones."""
    return segments.filter(segments["from_cycle"] < segments["until_cycle"])


def first_reached(segment: ir.Table, day: ir.Value) -> ir.Value:
    """Number of the first cycle of a segment that begins on a day or later; its lowest one at least."""
    return ibis.greatest(segment["lo"], segment["offset"] + _reached(segment, day))


def day_of(segment: ir.Table, cycle: ir.Value) -> ir.Value:
    """The local day on which a cycle begins."""
    return add_months(segment["anchor"], (cycle - segment["offset"]) * segment["months"])


def containing(segment: ir.Table, day: ir.Value) -> ir.Value:
    """Number of the period of a segment's calendar that a day is in, billed or not."""
    return segment["offset"] + cycles_begun(segment["anchor"], segment["months"], day) - 1


def following(segment: ir.Table, cycle: ir.Value) -> ir.Value:
    """The cycle that is billed next after one of a segment; null where none is."""
    return (cycle + 1 < segment["hi"]).ifelse(cycle + 1, segment["next_lo"])


def on_days(days: ir.Table, windows: ir.Table) -> ir.Table:
    """Where something changes on a day: contract_id, part, cycle. `days`: contract_id, day."""
    met = windows.join(days, "contract_id")
    return _within(met.mutate(cycle=met["offset"] + _reached(met, met["day"])))


def at_cycles(cycles: ir.Table, windows: ir.Table) -> ir.Table:
    """Where something changes with a cycle: contract_id, part, cycle. `cycles`: contract_id, cycle."""
    return _within(windows.join(cycles, "contract_id"))


def _within(met: ir.Table) -> ir.Table:
    inside = met.filter((met["from_cycle"] < met["cycle"]) & (met["cycle"] < met["until_cycle"]))
    return inside.select("contract_id", "part", cycle=inside["cycle"].cast("int64"))


def runs(engine: DuckDBEngine, windows: ir.Table, changes: ir.Table) -> ir.Table:
    """Windows parted where something changes: their columns, from_cycle and until_cycle being those of each run.

    `changes`: contract_id, part, cycle.
    """
    found = engine.cached(changes.distinct())
    untouched = windows.anti_join(found, _KEY)
    touched = engine.cached(windows.semi_join(found, _KEY))
    met = found.semi_join(touched, _KEY)
    starts = engine.union([touched.select(*_KEY, cycle="from_cycle"), met.select(*_KEY, "cycle")])
    parted = starts.mutate(until=starts["cycle"].lead().over(ibis.window(group_by=_KEY, order_by="cycle")))
    parted = touched.join(parted, _KEY)
    until = parted["until"].coalesce(parted["until_cycle"])
    parted = parted.mutate(from_cycle=parted["cycle"], until_cycle=until).select(*windows.columns)
    return engine.union([untouched, parted])


def scheduled(engine: DuckDBEngine, windows: ir.Table) -> ir.Table:
    """Windows with schedule_id, the number of their schedule among all different ones."""
    windows = engine.cached(windows)
    schedules = windows.select(*_SCHEDULE).distinct()
    number = ibis.row_number().over(ibis.window(order_by=list(_SCHEDULE)))
    return windows.join(engine.cached(schedules.mutate(schedule_id=number.cast("int64"))), list(_SCHEDULE))


def calendared(engine: DuckDBEngine, windows: ir.Table) -> ir.Table:
    """Every billed cycle of every schedule once: schedule_id, cycle, starts_at, ends_at. Kept in the engine.

    `windows` with their schedule_id.
    """
    spans = windows.select("schedule_id", *_SCHEDULE, "from_cycle", "until_cycle").distinct()
    each = spans.mutate(cycle=ibis.range(spans["from_cycle"], spans["until_cycle"]).unnest())
    each = each.drop("from_cycle", "until_cycle").distinct()
    days = engine.cached(
        each.select(
            "schedule_id", "zone", "cycle", first=day_of(each, each["cycle"]), until=day_of(each, each["cycle"] + 1)
        )
    )
    both = [days.select("zone", day="first"), days.select("zone", day="until")]
    instants = midnights(engine, engine.union(both))
    told = days.join(instants.select("zone", first="day", starts_at="instant"), ["zone", "first"])
    told = told.join(instants.select("zone", until="day", ends_at="instant"), ["zone", "until"])
    return engine.cached(told.select("schedule_id", "cycle", "starts_at", "ends_at"))
