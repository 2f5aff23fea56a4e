"""What items of the old system cost for one interval, and what scheduled changes make of them, of whole cohorts.

Belongs here: prices by the unit, and which prices are not known. Prices by tiers, volume or packages: `steps`. Not
here: which cycles there are, and lines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.legacy.changes import SWAPS, Changing, agreed, always
from migration_assets.stages.shadow.legacy.contracts import Records, readable
from migration_assets.stages.shadow.legacy.scales import integer, most, scale_of
from migration_assets.stages.shadow.legacy.steps import SteppedUsage, Steps, stepped_contracts, tiers_told, untold
from migration_assets.stages.shadow.reasons import NO_PRICE, PRICE_MODEL

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.legacy.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine

_STATE = ("contract_id", "item_id", "kind", "quantity", "price", "first_day", "last_day")
_SPAN = ("from_day", "until_day")


@dataclass(frozen=True)
class Priced:
    """Items as they stand from `from_day` up to, not including, `until_day`; and what is not known of their prices.

    `states`: contract_id, item_id, kind, quantity, price (whole, of 10**-places major units), first_day, last_day,
    from_day, until_day; no price is larger than `largest_price`, and none times its quantity than `largest`. What has
    tiers or packages is one of what all of it costs; what usage costs that is charged so: `stepped_usage`. `changes`:
    contract_id, day. `dated`: contract_id, first_day and last_day of what recurs. `unpriced`: contract_id, reason
    (`no_price`, `price_model`).
    """

    states: ir.Table
    changes: ir.Table
    dated: ir.Table
    unpriced: ir.Table
    places: int
    largest_price: int
    largest: int
    stepped_usage: SteppedUsage | None = None


def priced(engine: DuckDBEngine, records: Records, contracts: ir.Table, rules: Rules) -> Priced:
    """Prices of all items of contracts, after each change."""
    items = readable(records["items"])
    changes = engine.cached(agreed(engine, records, contracts))
    tiers = engine.cached(tiers_told(engine, records))
    steps = stepped_contracts(engine, items, changes)
    kept = rules.uplift_decimals if engine.count(changes.filter(changes["kind"] == "uplift").limit(1)) else 0
    amounts = [items["unit_price"], changes["new_price"]] + (
        [] if steps is None else [tiers["unit_price"], tiers["fee"]]
    )
    scale = scale_of(engine, amounts, at_least=kept)
    changing = Changing(engine, rules, scale, scale_of(engine, [changes["percent"]]))
    told = Priced(
        states=items,
        changes=changes.select("contract_id", day="first_day"),
        dated=items.filter(items["kind"] != "usage").select("contract_id", "first_day", "last_day"),
        unpriced=engine.cached(_unpriced(items, changes, tiers)),
        places=scale.places,
        largest_price=0,
        largest=0,
    )
    if steps is None:
        return _by_unit(changing, told, items, changes)
    plain = _by_unit(changing, told, *(rows.anti_join(steps, "contract_id") for rows in (items, changes)))
    theirs = (rows.semi_join(steps, "contract_id") for rows in (items, changes))
    return _with_steps(engine, plain, *Steps(changing, tiers).states(*theirs))


def _by_unit(changing: Changing, told: Priced, items: ir.Table, changes: ir.Table) -> Priced:
    """Items whose price is for each unit, at all times."""
    engine, scale = changing.engine, changing.scale
    made = items.mutate(price=scale.whole(items["unit_price"])).select(*_STATE)
    changed = changes.select("contract_id").distinct()
    versions = engine.cached(changing.states(made, changes, lambda rows, acting: _after(changing, rows, acting)))
    price = max(scale.largest_whole, most(engine, versions, "price"))
    quantity = max(most(engine, items, "quantity"), most(engine, versions, "quantity"))
    states = engine.union([always(made.anti_join(changed, "contract_id")), versions])
    return replace(told, states=states, largest_price=price, largest=price * quantity)


def _with_steps(engine: DuckDBEngine, plain: Priced, states: ir.Table, usage: SteppedUsage) -> Priced:
    largest = max(plain.largest_price, most(engine, states, "price"))
    # What has steps is one of what all of it costs; usage by the unit has a quantity that nothing is multiplied by.
    both = [rows.mutate(price=rows["price"].cast(integer(largest))) for rows in (plain.states, states)]
    return replace(
        plain,
        states=engine.union([rows.select(*_STATE, *_SPAN) for rows in both]),
        largest_price=largest,
        largest=max(plain.largest, largest * max(1, most(engine, states, "quantity"))),
        stepped_usage=usage,
    )


def _unpriced(items: ir.Table, changes: ir.Table, tiers: ir.Table) -> ir.Table:
    """Contracts with a price that the records do not say; one reason each."""
    own = items.select("contract_id", "model", "package", tiers="price")
    swapped = changes.filter(changes["kind"].isin(SWAPS))
    lost = swapped.filter(swapped["new_model"].isnull()).select("contract_id")
    lost = lost.union(changes.filter((changes["kind"] == "uplift") & changes["percent"].isnull()).select("contract_id"))
    led = swapped.select("contract_id", model="new_model", package="new_package", tiers="new_tiers")
    others = untold(own, tiers).union(untold(led, tiers))
    found = lost.mutate(reason=ibis.literal(NO_PRICE)).union(others.mutate(reason=ibis.literal(PRICE_MODEL)))
    return found.group_by("contract_id").aggregate(reason=found["reason"].min())


def _after(changing: Changing, items: ir.Table, changes: ir.Table) -> ir.Table:
    """The base item takes a new plan's price or what a ramp says; an uplift raises all that recurs."""
    new = changes.select("contract_id", "first_day", "percent", "new_quantity", "new_price", change="kind")
    both = items.join(new.rename(day="first_day"), "contract_id")
    is_base = both["kind"] == "base"
    raises = (both["change"] == "uplift") & (both["kind"] != "usage") & both["percent"].notnull()
    price = ibis.cases(
        (raises, changing.raised(both["price"], both["percent"])),
        (is_base & both["new_price"].notnull(), changing.scale.whole(both["new_price"])),
        else_=both["price"],
    )
    ramps = is_base & (both["change"] == "ramp")
    quantity = ramps.ifelse(both["new_quantity"], ibis.null("int64")).coalesce(both["quantity"])
    told = both.mutate(
        price=price.cast(both["price"].type()), quantity=quantity, from_day=both["day"], made=both["made"] + 1
    )
    return told.select(*_STATE, "made", "from_day")
