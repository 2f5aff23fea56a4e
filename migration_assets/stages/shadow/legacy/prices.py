"""What items of the old system cost for one interval, and what scheduled changes make of them, of whole cohorts.

Changes of one contract act in order of day and id. Not here: which cycles there are, and lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.legacy.contracts import Records, readable, record
from migration_assets.stages.shadow.legacy.scales import WIDE, Scale, exactly, most, scale_of
from migration_assets.stages.shadow.reasons import NO_PRICE, PRICE_MODEL

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.legacy.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine

_SWAPS = ("downgrade", "upgrade")
_BY_UNIT = ("flat", "per_seat")
_EVER = (date(1, 1, 1), date(9999, 12, 31))
_STATE = ("contract_id", "item_id", "kind", "quantity", "price", "first_day", "last_day")


@dataclass(frozen=True)
class Priced:
    """Items as they stand from `from_day` up to, not including, `until_day`; and what is not known of their prices.

    `states`: contract_id, item_id, kind, quantity, price (whole, of 10**-places major units), first_day, last_day,
    from_day, until_day; no price is larger than `largest_price`, and none times its quantity than `largest`. `changes`:
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


def priced(engine: DuckDBEngine, records: Records, contracts: ir.Table, rules: Rules) -> Priced:
    """Prices of all items of contracts, after each change."""
    items = readable(records["items"])
    changes = engine.cached(_ranked(_resolved(engine, records, contracts)))
    kept = rules.uplift_decimals if engine.count(changes.filter(changes["kind"] == "uplift").limit(1)) else 0
    scale = scale_of(engine, [items["unit_price"], changes["new_price"]], at_least=kept)
    told = items.mutate(price=scale.whole(items["unit_price"])).select(*_STATE)
    changed = changes.select("contract_id").distinct()
    versions = engine.cached(_Made(engine, rules, scale, scale_of(engine, [changes["percent"]])).states(told, changes))
    states = engine.union([_always(told.anti_join(changed, "contract_id")), versions])
    price = max(scale.largest_whole, most(engine, versions, "price"))
    quantity = max(most(engine, items, "quantity"), most(engine, versions, "quantity"))
    return Priced(
        states=states,
        changes=changes.select("contract_id", day="first_day"),
        dated=items.filter(items["kind"] != "usage").select("contract_id", "first_day", "last_day"),
        unpriced=engine.cached(_unpriced(items, changes)),
        places=scale.places,
        largest_price=price,
        largest=price * quantity,
    )


def _always(items: ir.Table) -> ir.Table:
    return items.mutate(from_day=ibis.literal(_EVER[0]), until_day=ibis.literal(_EVER[1]))


def _unpriced(items: ir.Table, changes: ir.Table) -> ir.Table:
    """Contracts with a price that the records do not say; one reason each."""
    other = items.filter((items["kind"] != "usage") & items["model"].notin(_BY_UNIT))
    swapped = changes.filter(changes["kind"].isin(_SWAPS))
    unknown = swapped["new_price"].isnull()
    lost = swapped.filter(unknown).select("contract_id")
    lost = lost.union(changes.filter((changes["kind"] == "uplift") & changes["percent"].isnull()).select("contract_id"))
    others = other.select("contract_id").union(
        swapped.filter(~unknown & swapped["new_model"].notin(_BY_UNIT)).select("contract_id")
    )
    found = lost.mutate(reason=ibis.literal(NO_PRICE)).union(others.mutate(reason=ibis.literal(PRICE_MODEL)))
    return found.group_by("contract_id").aggregate(reason=found["reason"].min())


def _resolved(engine: DuckDBEngine, records: Records, contracts: ir.Table) -> ir.Table:
    """Changes with the price they bring: of the list for a new plan, their own for a ramp."""
    changes = readable(record(engine, records, "changes"))
    changes = changes.filter(changes["kind"].isin((*_SWAPS, "ramp", "uplift")))
    mine = contracts.select("contract_id", "currency", "months")
    told = changes.join(mine, "contract_id").left_join(
        _listed(engine, records), [("new_plan", "plan"), "currency", "months"]
    )
    swaps = told["kind"].isin(_SWAPS)
    ramps = (told["kind"] == "ramp").ifelse(told["new_unit_price"], ibis.null("decimal(38, 10)"))
    return told.select(
        "contract_id",
        "change_id",
        "kind",
        "first_day",
        "percent",
        new_quantity=told["new_quantity"],
        new_price=swaps.ifelse(told["list_price"], ramps),
        new_model=told["list_model"],
    )


def _listed(engine: DuckDBEngine, records: Records) -> ir.Table:
    """Plans where the price list says one price of theirs: plan, currency, months, list_model, list_price."""
    prices, plans = (readable(record(engine, records, name)) for name in ("prices", "plans"))
    prices = prices.join(plans.select("plan", "product", "months"), ["product", "months"])
    told = prices.select("plan", "currency", "months", list_model="model", list_price="unit_price").distinct()
    alone = told.group_by("plan", "currency", "months").having(told.count() == 1)
    return alone.aggregate(list_model=told["list_model"].min(), list_price=told["list_price"].min())


def _ranked(changes: ir.Table) -> ir.Table:
    order = ibis.window(group_by="contract_id", order_by=["first_day", "change_id"])
    return changes.mutate(rank=ibis.row_number().over(order).cast("int64"))


@dataclass(frozen=True)
class _Made:
    """Changes made one after another. `scale` of prices, `percents` of percentages."""

    engine: DuckDBEngine
    rules: Rules
    scale: Scale
    percents: Scale

    def states(self, items: ir.Table, changes: ir.Table) -> ir.Table:
        """Items of contracts with changes, between each change and the next."""
        most = self.engine.arrow(changes.aggregate(most=changes["rank"].max())).column(0)[0].as_py()
        first = items.semi_join(changes, "contract_id").mutate(made=0, from_day=ibis.literal(_EVER[0]))
        versions = [self.engine.cached(first.mutate(made=first["made"].cast("int64")))]
        for rank in range(0 if most is None else most + 1):
            versions.append(self.engine.cached(self._after(versions[-1], changes.filter(changes["rank"] == rank))))
        every = self.engine.union(versions)
        nexts = changes.select("contract_id", made="rank", until_day="first_day")
        told = every.left_join(nexts, ["contract_id", "made"])
        return told.select(*_STATE, "from_day", until_day=told["until_day"].coalesce(ibis.literal(_EVER[1])))

    def _after(self, items: ir.Table, changes: ir.Table) -> ir.Table:
        """The base item takes a new plan's price or what a ramp says; an uplift raises all that recurs."""
        new = changes.select("contract_id", "first_day", "percent", "new_quantity", "new_price", change="kind")
        both = items.join(new.rename(day="first_day"), "contract_id")
        is_base = both["kind"] == "base"
        raises = (both["change"] == "uplift") & (both["kind"] != "usage") & both["percent"].notnull()
        price = ibis.cases(
            (raises, self._raised(both["price"], both["percent"])),
            (is_base & both["new_price"].notnull(), self.scale.whole(both["new_price"])),
            else_=both["price"],
        )
        ramps = is_base & (both["change"] == "ramp")
        quantity = ramps.ifelse(both["new_quantity"], ibis.null("int64")).coalesce(both["quantity"])
        told = both.mutate(
            price=price.cast(both["price"].type()), quantity=quantity, from_day=both["day"], made=both["made"] + 1
        )
        return told.select(*_STATE, "made", "from_day")

    def _raised(self, price: ir.Value, percent: ir.Value) -> ir.Value:
        """Rounded half up to the decimals the old system keeps."""
        kept, places = self.rules.uplift_decimals, self.scale.places
        hundred = 100 * 10**self.percents.places
        total = price.cast(WIDE) * (self.percents.whole(percent) + hundred) * 10**kept
        raised = self.engine.whole(total, exactly(hundred * 10**places), "half_up")
        return raised.cast(WIDE) * 10 ** (places - kept)
