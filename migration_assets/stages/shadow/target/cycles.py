"""Which cycles of the target are billed from T on, for all subscriptions at once.

Belongs here: pauses, ends, and which calendar a subscription is billed by: one, or two where a pause parts them. Its
billed cycles are counted by `ordinal`, 0 for the first that starts at or after T. Not here: what a cycle costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
from ibis import _

from migration_assets.engine.calendar import add_months, boundaries, cycles_begun, local_times
from migration_assets.stages.shadow.target.calendars import KEY, Calendars, calendars, told

if TYPE_CHECKING:
    from datetime import datetime

    import ibis.expr.types as ir

    from migration_assets.domain.target.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine

_BEFORE = ("before_starts_at", "before_ends_at")


@dataclass(frozen=True)
class Billed:
    """`subscriptions`: n (key), size (billed cycles, at least 1), first_at (start of the first one), last_at (no
    billed cycle starts later), before_starts_at, before_ends_at (the cycle that came before the first one, if any).
    `stretches`: n, ordinal (key: both; of the first cycle in it), until (exclusive), schedule_id. `cycles`: as
    `Calendars` has them."""

    subscriptions: ir.Table
    stretches: ir.Table
    cycles: ir.Table


def billed_cycles(engine: DuckDBEngine, subs: ir.Table, rules: Rules, as_of: datetime, cycles: int) -> Billed:
    """The first `cycles` cycles from T on of every subscription that has any.

    `subs`: n (key), time_zone, anchor_at, months, stop_at (no cycle starts from then on), paused_at, resumes_at.
    """
    since = ibis.literal(as_of).cast("timestamp('UTC', 6)")
    rests = subs.paused_at.notnull()
    if rules.pause == "skip":
        # A pause without length skips nothing.
        rests &= subs.resumes_at.isnull() | (subs.paused_at < subs.resumes_at)
    going = subs.filter(~rests).mutate(offset=ibis.literal(0, "int64"), from_at=since)
    paused = engine.cached(_paused(engine, subs.filter(rests), rules))
    old, new = _until_pause(paused, since), _from_resume(paused, since)
    keys = ibis.union(*(part.select(*KEY) for part in (going, old, new)), distinct=True)
    made = calendars(engine, keys, cycles)
    plain = engine.cached(_counted(going, made, cycles).filter(_.size > 0))
    parted = engine.cached(_parted(paused, _counted(old, made, cycles), _counted(new, made, cycles), cycles))
    return Billed(_subscriptions(plain, parted), _stretches(plain, parted), made.cycles)


def _counted(rows: ir.Table, made: Calendars, cycles: int) -> ir.Table:
    """Each row with its schedule and how many of the schedule's cycles start before the row's `stop_at`."""
    found = rows.join(made.schedules, KEY)
    within = found.filter((found.stop_at > found.first_at) & (found.stop_at <= found.last_at))
    started = within.select("n", "schedule_id", "stop_at").join(made.cycles, "schedule_id")
    counts = started.group_by("n").aggregate(started=(_.starts_at < _.stop_at).sum())
    placed = found.left_join(counts, "n")
    size = ibis.cases(
        (placed.stop_at.isnull() | (placed.stop_at > placed.last_at), cycles),
        (placed.stop_at <= placed.first_at, 0),
        else_=placed.started,
    )
    return placed.select("n", "schedule_id", "first_at", "last_at", *_BEFORE, size=size.cast("int64"))


def _paused(engine: DuckDBEngine, subs: ir.Table, rules: Rules) -> ir.Table:
    """Subscriptions with a pause, the cycle it starts in (held_starts_at, held_ends_at; absent when before the anchor),
    and the anchor and cycle number that cycles are counted from afterwards (again_at, again_offset)."""
    clocks = subs.select("n", *KEY[:3], "stop_at", "paused_at", "resumes_at")
    for column, name in (("anchor_at", "anchor"), ("paused_at", "pause"), ("resumes_at", "resume")):
        clocks = told(engine, clocks, local_times, column, name)
    begun = engine.cached(clocks.mutate(begun=cycles_begun(clocks.anchor, clocks.months, clocks.pause)))
    held = _held(engine, begun, rules)
    if rules.pause == "skip":
        return held.mutate(again_at=held.anchor_at, again_offset=ibis.literal(0, "int64"))
    moved = told(engine, held, local_times, "held_ends_at", "paid_until")
    moved = engine.cached(moved.mutate(again=moved.paid_until + (moved.resume - moved.pause)))
    moved = told(engine, moved, boundaries, "again", "moved_at")
    stopped = moved.held_ends_at.notnull()
    return moved.mutate(
        again_at=stopped.ifelse(moved.moved_at, moved.anchor_at), again_offset=stopped.ifelse(moved.begun, 0)
    )


def _held(engine: DuckDBEngine, begun: ir.Table, rules: Rules) -> ir.Table:
    """With the last cycle that starts by the pause: by the contract's clock where the pause stops it, else by time."""
    rows = engine.cached(begun.mutate(**{f"local_{k}": _local(begun, k) for k in (-1, 0, 1)}))
    for k in (-1, 0, 1):
        rows = told(engine, rows, boundaries, f"local_{k}", f"at_{k}")
    one_more = (rows.at_0 <= rows.paused_at) & (rules.pause == "skip")
    there = rows.paused_at >= rows.anchor_at
    return engine.cached(
        rows.mutate(
            held_starts_at=there.ifelse(one_more.ifelse(rows.at_0, rows["at_-1"]), None),
            held_ends_at=there.ifelse(one_more.ifelse(rows.at_1, rows.at_0), None),
        )
    )


def _local(begun: ir.Table, more: int) -> ir.Value:
    """When, by the contract's clock, the cycle starts that comes `more` after the first one not begun by the pause."""
    return add_months(begun.anchor, (begun.begun + more) * begun.months)


def _until_pause(paused: ir.Table, since: ir.Value) -> ir.Table:
    held = paused.filter(paused.held_ends_at.notnull())
    stop = ibis.least(held.stop_at.fill_null(held.held_ends_at), held.held_ends_at)
    return held.select("n", *KEY[:3], offset=ibis.literal(0, "int64"), from_at=since, stop_at=stop)


def _from_resume(paused: ir.Table, since: ir.Value) -> ir.Table:
    back = paused.filter(paused.resumes_at.notnull())
    return back.select(
        "n",
        "time_zone",
        "months",
        "stop_at",
        anchor_at=back.again_at,
        offset=back.again_offset,
        from_at=ibis.greatest(back.resumes_at, since),
    )


def _parted(paused: ir.Table, old: ir.Table, new: ir.Table, cycles: int) -> ir.Table:
    """Paused subscriptions with what both calendars give them. A cycle came before the first one after the pause if it
    was not paused itself; else the one the pause starts in did."""
    both = paused.select("n", "paused_at", "resumes_at", "held_starts_at", "held_ends_at").left_join(old, "n")
    both = both.drop("n_right").rename(old_id="schedule_id", old_size="size")
    both = both.left_join(new.rename(lambda c: c if c == "n" else f"new_{c}"), "n")
    old_size = both.old_size.fill_null(0)
    new_size = ibis.least(both.new_size.fill_null(0), cycles - old_size)
    kept = (both.new_before_starts_at >= both.resumes_at) | (both.new_before_starts_at <= both.paused_at)
    after = {
        "before_starts_at": kept.fill_null(False).ifelse(both.new_before_starts_at, both.held_starts_at),
        "before_ends_at": kept.fill_null(False).ifelse(both.new_before_ends_at, both.held_ends_at),
        "first_at": both.new_first_at,
    }
    some = old_size > 0
    found = both.select(
        "n",
        "old_id",
        new_id=both.new_schedule_id,
        old_size=old_size,
        new_size=new_size,
        size=old_size + new_size,
        last_at=ibis.greatest(both.last_at.fill_null(both.new_last_at), both.new_last_at.fill_null(both.last_at)),
        **{column: some.ifelse(both[column], value) for column, value in after.items()},
    )
    return found.filter(found["size"] > 0)


def _subscriptions(plain: ir.Table, parted: ir.Table) -> ir.Table:
    columns = ("n", "size", "first_at", "last_at", *_BEFORE)
    return ibis.union(plain.select(*columns), parted.select(*columns))


def _stretches(plain: ir.Table, parted: ir.Table) -> ir.Table:
    none = ibis.literal(0, "int64")
    old, new = parted.filter(_.old_size > 0), parted.filter(_.new_size > 0)
    return ibis.union(
        plain.select("n", "schedule_id", ordinal=none, until=plain["size"]),
        old.select("n", schedule_id=old.old_id, ordinal=none, until=old.old_size),
        new.select("n", schedule_id=new.new_id, ordinal=new.old_size, until=new["size"]),
    )
