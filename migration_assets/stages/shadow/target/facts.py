"""What is known of each subscription of the target, with the billed cycles in which it holds, and what parts cycles.

Belongs here: placing rows among billed cycles. Not here: amounts of invoices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
from ibis import _

from migration_assets.stages.shadow.target import extras as extra
from migration_assets.stages.shadow.target.items import changes, item_states
from migration_assets.stages.shadow.target.moments import BEFORE, NEVER, at_once, ordinals, placed, unplaced
from migration_assets.stages.shadow.target.runs import bit
from migration_assets.stages.shadow.target.scales import Scale
from migration_assets.stages.shadow.target.steps import SteppedPrices, stepped_subscriptions

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.target.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.target.cycles import Billed
    from migration_assets.stages.shadow.target.rows import TargetRows

_CYCLES = ("n", "size", "first_at", "last_at", "before_starts_at", "before_ends_at", "time_zone", "months")


@dataclass(frozen=True)
class Facts:
    """`states`: items as `item_states` has them. `prorated`, `metered`, `discounts`: as target_extras has them."""

    states: ir.Table
    prorated: ir.Table
    metered: ir.Table
    discounts: ir.Table


def priced_facts(
    engine: DuckDBEngine, held: TargetRows, subs: ir.Table, billed: Billed, scale: Scale, rules: Rules
) -> Facts:
    """All that bills are made from. `subs`: subscriptions with n, subscription_id and the columns of `billed`'s."""
    cycles = subs.select(*_CYCLES)
    items = engine.cached(_items(held, subs, scale))
    due = engine.cached(_due(held, subs, scale))
    discounts = engine.cached(_discounts(held, subs))
    stepped = stepped_subscriptions(engine, held, subs, due)
    few = (
        None
        if stepped is None
        else SteppedPrices(engine, held.subscription_item, held.price_step, stepped, scale, rules)
    )
    usage = engine.cached(_usage(held, items, cycles, scale, few))
    known = ordinals(
        engine,
        billed,
        (
            unplaced(items, "starts_at", "starts"),
            unplaced(items, "ends_at", "ends"),
            unplaced(due, "effective_at", "ordinal"),
            unplaced(discounts, "starts_at", "starts"),
            unplaced(usage, "period_starts_at", "begun"),
        ),
    )
    items = placed(placed(items, known, "starts_at", "starts"), known, "ends_at", "ends")
    due = engine.cached(placed(due, known, "effective_at", "ordinal"))
    if few is None:
        states = item_states(engine, items, due, scale, rules)
    else:
        others = item_states(engine, items.anti_join(few.few, "n"), due, scale, rules)
        states = ibis.union(others, few.states(items, due))
    return Facts(
        states,
        engine.cached(extra.prorated(engine, states, cycles, billed, rules)),
        engine.cached(extra.metered(placed(usage, known, "period_starts_at", "begun"), billed)),
        engine.cached(extra.given(placed(discounts, known, "starts_at", "starts"))),
    )


def _items(held: TargetRows, subs: ir.Table, scale: Scale) -> ir.Table:
    """Items by whole numbers. `added`: the item may have been added during a cycle before a billed one."""
    rows = scale.priced(held.subscription_item, "unit_price", "price").join(
        subs.select("subscription_id", "n", "first_at", "last_at", "before_starts_at"), "subscription_id"
    )
    later = (rows.starts_at > rows.before_starts_at) | (rows.starts_at > rows.first_at)
    return rows.select(
        "n",
        "item_id",
        "kind",
        "starts_at",
        "ends_at",
        "price",
        quantity=scale.counted(rows.quantity),
        starts=at_once(rows, "starts_at", BEFORE),
        ends=at_once(rows, "ends_at", NEVER),
        added=later.fill_null(False) & (rows.kind != "usage"),
    )


def _due(held: TargetRows, subs: ir.Table, scale: Scale) -> ir.Table:
    rows = changes(
        held, subs.select("subscription_id", "currency", "n", "first_at", "last_at", "before_starts_at"), scale
    )
    before = (rows.effective_at <= rows.before_starts_at).fill_null(False)
    return rows.mutate(ordinal=before.ifelse(BEFORE, at_once(rows, "effective_at", NEVER)))


def _discounts(held: TargetRows, subs: ir.Table) -> ir.Table:
    rows = held.discount.join(subs.select("subscription_id", "n", "size", "first_at", "last_at"), "subscription_id")
    return rows.mutate(starts=at_once(rows, "starts_at", BEFORE)).drop("subscription_id", "first_at", "last_at")


def _usage(held: TargetRows, items: ir.Table, cycles: ir.Table, scale: Scale, few: SteppedPrices | None) -> ir.Table:
    meters = items.filter(items.kind == "usage").select("n", "item_id", "price")
    charged = extra.charged_usage(held.metered, meters, scale)
    rows = (charged if few is None else few.usage(charged)).join(cycles, "n")
    return rows.mutate(begun=at_once(rows, "period_starts_at", NEVER))


def charge_marks(engine: DuckDBEngine, facts: Facts, subs: ir.Table, billed: Billed, rates: ir.Table) -> ir.Table:
    """Cycles in which recurring charges, their tax or the calendar change: n, bits; any number of rows for each n."""
    parted = billed.stretches.filter(billed.stretches.ordinal > 0)
    return ibis.union(
        _edges(facts.states), parted.select("n", bits=bit(parted.ordinal)), _tax_turns(engine, subs, billed, rates)
    )


def extra_marks(facts: Facts) -> ir.Table:
    """Cycles in which other lines begin or end: n, bits; any number of rows for each n."""
    past = ibis.union(facts.prorated.select("n", "ordinal"), facts.metered.select("n", "ordinal"))
    given = facts.discounts
    return ibis.union(
        past.select("n", bits=bit(past.ordinal) | bit(past.ordinal + 1)),
        given.select("n", bits=bit(given.since) | bit(given["until"])),
    )


def _edges(states: ir.Table) -> ir.Table:
    """Cycles in which an item, its price or its quantity begins or ends."""
    spans = states.filter(states.kind != "usage").select(
        "n", first=ibis.greatest(states.since, states.starts), end=ibis.least(states["until"], states.ends)
    )
    cut = spans.filter((_["first"] < _.end) & ((_["first"] > 0) | (_.end < NEVER)))
    return cut.select("n", bits=bit(cut["first"]) | bit(cut.end))


def _tax_turns(engine: DuckDBEngine, subs: ir.Table, billed: Billed, rates: ir.Table) -> ir.Table:
    """Cycles from whose day on another rate holds in the country of a subscription."""
    span = billed.cycles.aggregate(first=_.day.min(), last=_.day.max())
    turning = rates.cross_join(span).filter((_.valid_from > _["first"]) & (_.valid_from <= _["last"]))
    days = turning.select("valid_from").distinct().cross_join(billed.cycles)
    turns = days.group_by("schedule_id", "valid_from").aggregate(turn=(_.day < _.valid_from).sum().cast("int64"))
    taxed = subs.filter(~subs.tax_exempt).select("n", "country")
    met = taxed.join(turning.select("country", "valid_from"), "country").join(billed.stretches, "n")
    met = met.join(engine.cached(turns), ["schedule_id", "valid_from"])
    return met.filter(met.turn < met["until"] - met.ordinal).select("n", bits=bit(met.ordinal + met.turn))
