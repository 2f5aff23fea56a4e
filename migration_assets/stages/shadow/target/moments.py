"""Instants as ordinals of billed cycles: how many billed cycles of a subscription start before one.

What starts at an instant is there from the cycle of that ordinal on, and what ends then is there until it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    from collections.abc import Iterable

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.target.cycles import Billed

# Ordinal of the cycle that came before the first billed one, and one that comes after all of them.
BEFORE, NEVER = -1, 1_000


def ordinals(engine: DuckDBEngine, billed: Billed, moments: Iterable[ir.Table]) -> ir.Table:
    """How many billed cycles start before each moment. `moments`: tables of n and at. Columns: n, at (key: both),
    ordinal."""
    asked = ibis.union(*(m.select("n", "at") for m in moments)).distinct()
    started = asked.join(billed.stretches, "n").join(billed.cycles, "schedule_id")
    before = (started.starts_at < started["at"]) & (started.position < started["until"] - started.ordinal)
    return engine.cached(started.group_by("n", "at").aggregate(ordinal=before.sum().cast("int64")))


def at_once(rows: ir.Table, at: str, absent: int) -> ir.IntegerValue:
    """The ordinal of a moment outside the billed cycles, NEVER for one after them; absent for one that has to be looked
    up. `rows`: with first_at and last_at."""
    moment = rows[at]
    ordinal = ibis.cases((moment.isnull(), absent), (moment <= rows.first_at, 0), (moment > rows.last_at, NEVER))
    return ordinal.cast("int64")


def unplaced(rows: ir.Table, at: str, name: str) -> ir.Table:
    """Moments that have to be looked up, as `ordinals` takes them."""
    return rows.filter(rows[name].isnull()).select("n", at=at)


def placed(rows: ir.Table, known: ir.Table, at: str, name: str) -> ir.Table:
    """Rows whose ordinals in column `name`, of the moments in `at`, are looked up where `at_once` did not know them."""
    answers = known.select(_n="n", _at="at", _ordinal="ordinal")
    found = rows.left_join(answers, [rows.n == answers["_n"], rows[at] == answers["_at"]])
    return found.mutate(**{name: found[name].fill_null(found["_ordinal"])}).drop("_n", "_at", "_ordinal")


def preceded(rows: ir.Table, billed: Billed) -> ir.Table:
    """Rows with paid_from and paid_until: the cycle that came before the one of `ordinal`, absent where none did.

    `rows`: n, ordinal, and the columns of `billed.subscriptions`.
    """
    stretch = billed.stretches.select("schedule_id", _n="n", _first="ordinal", _until="until")
    cycle = billed.cycles.select(_schedule="schedule_id", _position="position", _from="starts_at", _to="ends_at")
    last = rows["ordinal"] - 1
    within = [rows.n == stretch["_n"], stretch["_first"] <= last, last < stretch["_until"]]
    found = rows.left_join(stretch, within)
    position = found["ordinal"] - 1 - found["_first"]
    found = found.left_join(cycle, [found.schedule_id == cycle["_schedule"], position == cycle["_position"]])
    first = found["ordinal"] == 0
    return found.mutate(
        paid_from=first.ifelse(found.before_starts_at, found["_from"]),
        paid_until=first.ifelse(found.before_ends_at, found["_to"]),
    ).select(*rows.columns, "paid_from", "paid_until")
