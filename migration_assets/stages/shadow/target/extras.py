"""Lines of the target that stand beside recurring charges: what was added in the cycle before, its usage, discounts.

Belongs here: in which cycles there are such lines, and their exact prices as a whole number `total` of `parts`, the
product of `minor` (price units of a minor unit) and what else divides them. Not here: rounding and tax.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
from ibis import _

from migration_assets.engine.calendar import days_30e_360, local_times
from migration_assets.stages.shadow.target.calendars import told
from migration_assets.stages.shadow.target.moments import preceded
from migration_assets.stages.shadow.target.scales import Scale

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.target.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.target.cycles import Billed

# Of instants, largest first: parts of a cycle are counted in the largest that measures all of them.
_TICKS = (3_600_000_000, 60_000_000, 1_000_000, 1)


def prorated(engine: DuckDBEngine, states: ir.Table, subs: ir.Table, billed: Billed, rules: Rules) -> ir.Table:
    """Items added during the cycle before a billed one, at the price of that cycle, for the rest of it.

    `states`: as `item_states` has them, with `added` where an item may be one of these. Columns: n, ordinal, item_id
    (key: all), starts_at, ends_at (what is owed), price (of a whole cycle), part of length.
    """
    added = states.filter(states.added & (states.since < states.starts) & (states.starts <= states["until"]))
    added = added.mutate(ordinal=added.starts).join(subs, "n").filter(_.ordinal < _["size"])
    paid = preceded(engine.cached(added), billed)
    paid = paid.filter((paid.paid_from < paid.starts_at) & (paid.starts_at < paid.paid_until))
    owed_until = ibis.least(paid.ends_at.fill_null(paid.paid_until), paid.paid_until)
    shared = _shared(engine, engine.cached(paid.mutate(owed_until=owed_until)), rules)
    return shared.select(
        "n",
        "ordinal",
        "item_id",
        "starts_at",
        "part",
        "length",
        ends_at="owed_until",
        price=shared.price * shared.quantity,
    )


def _shared(engine: DuckDBEngine, rows: ir.Table, rules: Rules) -> ir.Table:
    """With the part of the paid cycle that is owed, and the cycle's length, in one unit."""
    if rules.proration == "seconds":
        return _in_ticks(
            engine,
            rows.mutate(
                part=rows.owed_until.delta(rows.starts_at, unit="microsecond"),
                length=rows.paid_until.delta(rows.paid_from, unit="microsecond"),
            ),
        )
    for at in ("starts_at", "owed_until", "paid_from", "paid_until"):
        rows = told(engine, rows, local_times, at, f"{at}_day")
    day = {c: rows[f"{c}_day"].date() for c in ("starts_at", "owed_until", "paid_from", "paid_until")}
    if rules.proration == "30e_360":
        return rows.mutate(part=days_30e_360(day["starts_at"], day["owed_until"]), length=30 * rows.months)
    return rows.mutate(
        part=day["owed_until"].delta(day["starts_at"], unit="day"),
        length=day["paid_until"].delta(day["paid_from"], unit="day"),
    )


def _in_ticks(engine: DuckDBEngine, rows: ir.Table) -> ir.Table:
    """Lengths in microseconds told in the largest unit that measures all of them, so that totals keep few digits."""
    rows = engine.cached(rows)
    odd = rows.aggregate(**{f"t{t}": ((rows.part % t != 0) | (rows.length % t != 0)).any() for t in _TICKS})
    found = engine.arrow(odd).to_pylist()[0]
    tick = next(t for t in _TICKS if not found[f"t{t}"])
    # Whole numbers that divide without a rest: the float that a division goes over holds them all (below 2 ** 53).
    return rows.mutate(part=(rows.part // tick).cast("int64"), length=(rows.length // tick).cast("int64"))


def charged_usage(held: ir.Table, meters: ir.Table, scale: Scale) -> ir.Table:
    """Usage that costs something: what is past the allowance, or all of it where passing it ends a grace.

    `held`: rows of `metered`; `meters`: usage items with their price. Columns: those of `meters`, period_starts_at,
    units.
    """
    used = meters.join(held.select("item_id", "period_starts_at", "used", "included", "overage"), "item_id")
    past = used.filter((used.used > used.included) & used.overage.isin(["bill", "grace"]))
    units = (past.overage == "bill").ifelse(past.used - past.included, past.used)
    return past.select(*meters.columns, "period_starts_at", units=scale.whole_number(units, scale.units))


def metered(usage: ir.Table, billed: Billed) -> ir.Table:
    """Usage of the cycles that come before billed ones.

    `usage`: what is charged, with the columns of `billed.subscriptions` and `begun` (ordinal of its period). Columns:
    n, ordinal, item_id (key: all), starts_at, ends_at, price, units.
    """
    first = (usage.period_starts_at == usage.before_starts_at).fill_null(False)
    of = usage.mutate(ordinal=first.ifelse(0, usage.begun + 1))
    paid = preceded(of.filter(of.ordinal < of["size"]), billed)
    paid = paid.filter(paid.paid_from == paid.period_starts_at)
    return paid.select("n", "ordinal", "item_id", "price", "units", starts_at="paid_from", ends_at="paid_until")


def given(discounts: ir.Table) -> ir.Table:
    """Discounts with the billed cycles `since` to `until` (exclusive) that they are given in; key: n and discount_id.

    `discounts`: with `starts`, the first cycle at or after their start, and cycles_remaining, counted from T.
    """
    left = discounts.cycles_remaining.cast("int64")
    until = left.isnull().ifelse(discounts["size"], ibis.least(discounts.starts + left, discounts["size"]))
    return discounts.mutate(since=discounts.starts, until=until).filter(_.since < _.until)


def reductions(engine: DuckDBEngine, runs: ir.Table, discounts: ir.Table, scale: Scale, rules: Rules) -> ir.Table:
    """What discounts take off the runs that get them, as negative totals.

    `runs`: run_id (key), n, from_ordinal, minor, exact_base (recurring charges, of `minor` parts), base (rounded ones).
    `discounts`: as `given` has them. Columns: run_id, discount_id (key: both), total, percent_parts.
    """
    got = runs.join(discounts, "n").filter((_.since <= _.from_ordinal) & (_.from_ordinal < _.until))
    # Of charges that are rounded line by line, a discount sees the rounded ones.
    minor = scale.counted(got.minor)
    base = scale.counted(got.exact_base) if rules.round_at == "invoice" else scale.counted(got.base) * minor
    by_percent, step = got.kind == "percent", scale.counted(scale.discounts)
    off = by_percent.ifelse(
        base * scale.counted(engine.whole(scale.whole_number(got.percent, scale.percent), step, "down")),
        ibis.least(scale.counted(got.amount_minor) * minor, base),
    )
    parts = by_percent.ifelse(scale.counted(10 ** (scale.percent + 2) // scale.discounts), scale.counted(1))
    made = got.select("run_id", "discount_id", total=-off, percent_parts=parts)
    return made.filter(made.total != scale.counted(0))
