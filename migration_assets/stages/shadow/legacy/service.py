"""When contracts of the old system give access, and to which products, of whole cohorts.

A contract gives access on its days, but not in a pause, not from a cancellation on, and while past due only up to the
last day of grace. Within that an item counts on its own days; agreed changes act on base items from their day on, in
the order of day and id. Not here: what a product grants.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.legacy.contracts import Records
from migration_assets.stages.shadow.legacy.days import Window, day_after, placed
from migration_assets.stages.shadow.legacy.unknown import past_due, read, running

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# What no product is called: a change leads there, and nobody says to which.
NO_PRODUCT = ""
_SWAPS = ("downgrade", "upgrade")


def stretches(
    engine: DuckDBEngine,
    records: Records,
    contracts: ir.Table,
    products: Collection[str],
    window: Window,
    instants: ir.Table,
    halted: bool = False,
) -> ir.Table:
    """For how long each item gives access in the window, kept in the engine; one row for each unbroken time and state.

    customer_id, region, contract_id, item_id, product, quantity, add_on, starts_at, ends_at. Only of some products, and
    of NO_PRODUCT. `contracts`: those that can be read, with customer_id and region. `instants`: of all their zones.
    `halted`: as if nothing were paused and no grace over.
    """
    spells = _spells(engine, records, _unhalted(running(contracts)) if halted else running(contracts), window)
    items = _items(engine, records, window)
    items = items.filter(items["product"].isin([*products, NO_PRODUCT]))
    both = spells.join(items, "contract_id")
    told = both.select(
        "customer_id",
        "region",
        "contract_id",
        "item_id",
        "product",
        "quantity",
        "add_on",
        "zone",
        from_day=ibis.greatest(both["from_day"], both["own_from_day"]),
        until_day=ibis.least(both["until_day"], both["own_until_day"]),
    )
    return engine.cached(placed(told, instants))


def _unhalted(contracts: ir.Table) -> ir.Table:
    none = ibis.null("date")
    return contracts.mutate(paused_on=none, resumes_on=none, grace_last_day=none)


def _spells(engine: DuckDBEngine, records: Records, contracts: ir.Table, window: Window) -> ir.Table:
    """Unbroken times in which contracts give access: contract_id, customer_id, region, zone, from_day, until_day."""
    known = contracts.left_join(_cancelled(engine, records), "contract_id").drop("contract_id_right")
    grace = past_due(known).ifelse(known["grace_last_day"], ibis.null("date"))
    starts = window.begins(known["first_day"])
    ends = window.ends(day_after(known["last_day"]), known["cancelled_on"], day_after(grace))
    known = known.mutate(starts_on=starts, ends_on=ends)
    # One that would end before it begins is none.
    paused = known["paused_on"].notnull() & (known["resumes_on"].isnull() | (known["paused_on"] < known["resumes_on"]))
    held_up = paused.ifelse(known["paused_on"], ibis.null("date"))
    before = known.mutate(from_day=known["starts_on"], until_day=ibis.least(known["ends_on"], window.ends(held_up)))
    after = known.filter(paused & known["resumes_on"].notnull())
    back = ibis.greatest(after["starts_on"], window.begins(after["resumes_on"]))
    after = after.mutate(from_day=back, until_day=after["ends_on"])
    return engine.union([_spell(before), _spell(after)])


def _spell(contracts: ir.Table) -> ir.Table:
    lasting = contracts.filter(contracts["from_day"] < contracts["until_day"])
    return lasting.select("contract_id", "customer_id", "region", "zone", "from_day", "until_day")


def _cancelled(engine: DuckDBEngine, records: Records) -> ir.Table:
    """The day from which a contract is cancelled by a change: contract_id, cancelled_on."""
    changes = read(engine, records, "changes")
    cancels = changes.filter(changes["kind"] == "cancel")
    return cancels.group_by("contract_id").aggregate(cancelled_on=cancels["first_day"].min())


def _items(engine: DuckDBEngine, records: Records, window: Window) -> ir.Table:
    """Items between changes: contract_id, item_id, product, quantity, add_on, own_from_day, own_until_day."""
    items, states = read(engine, records, "items"), _states(engine, records, window)
    # An equality on both, so that the engine finds the few that are changed by it.
    states = states.mutate(of_kind=ibis.literal("base"))
    told = items.left_join(states, [items["contract_id"] == states["changed"], items["kind"] == states["of_kind"]])
    return told.select(
        "contract_id",
        "item_id",
        product=told["new_product"].coalesce(told["product"]),
        quantity=told["new_quantity"].coalesce(told["quantity"]),
        add_on=told["kind"] != "base",
        own_from_day=ibis.greatest(window.begins(told["first_day"]), window.begins(told["from_day"])),
        own_until_day=window.ends(day_after(told["last_day"]), told["until_day"]),
    )


def _states(engine: DuckDBEngine, records: Records, window: Window) -> ir.Table:
    """What changes make of base items, from each to the next and before the first: changed (a contract), new_product,
    new_quantity (null: as it was), from_day and until_day (null: always)."""
    changes = _swaps_and_ramps(engine, records, window)
    order = ibis.window(group_by="changed", order_by=["from_day", "change_id"])
    changes = changes.mutate(place=ibis.row_number().over(order), until_day=changes["from_day"].lead().over(order))
    changes = engine.cached(changes)
    after = _latest(_latest(changes, changes, "new_product"), changes, "new_quantity")
    first = changes.group_by("changed").aggregate(until_day=changes["from_day"].min())
    before = first.select(
        "changed",
        "until_day",
        from_day=ibis.null("date"),
        new_product=ibis.null("string"),
        new_quantity=ibis.null("int64"),
    )
    return engine.cached(engine.union([after.select(*before.columns), before]))


def _latest(states: ir.Table, changes: ir.Table, column: str) -> ir.Table:
    """States with what the latest change up to each of them says of one column."""
    so_far = ibis.cumulative_window(group_by="changed", order_by="place")
    saying = states[column].notnull().ifelse(states["place"], ibis.null("int64"))
    marked = states.mutate(latest=saying.max().over(so_far)).drop(column)
    said = changes.select(column, latest="place", of="changed")
    return marked.left_join(said, [marked["changed"] == said["of"], "latest"]).drop("of", "latest", "latest_right")


def _swaps_and_ramps(engine: DuckDBEngine, records: Records, window: Window) -> ir.Table:
    """Changes to another product or quantity: changed (a contract), change_id, from_day, new_product, new_quantity."""
    changes, plans = read(engine, records, "changes"), read(engine, records, "plans")
    products = plans.group_by("plan").aggregate(least=plans["product"].min(), most=plans["product"].max())
    products = products.filter(products["least"] == products["most"]).select("plan", plan_product="least")
    changes = changes.filter(changes["kind"].isin([*_SWAPS, "ramp"]) & (changes["first_day"] <= window.last))
    told = changes.left_join(products, changes["new_plan"] == products["plan"])
    swaps = told["kind"].isin(_SWAPS)
    told = told.select(
        "change_id",
        changed="contract_id",
        from_day="first_day",
        new_product=swaps.ifelse(told["plan_product"].coalesce(ibis.literal(NO_PRODUCT)), ibis.null("string")),
        new_quantity=swaps.ifelse(ibis.null("int64"), told["new_quantity"]),
    )
    return told.filter(told["new_product"].notnull() | told["new_quantity"].notnull())
