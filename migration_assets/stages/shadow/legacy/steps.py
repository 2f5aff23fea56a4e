"""What items of the old system cost whose price has tiers, goes by volume or by packages, of whole cohorts.

A price is told in pieces, one for each tier, which changes act on one by one; what all of them come to is the price of
an item. Belongs here: the pieces, and what they come to. Contracts with such a price are few, so that all of theirs is
counted in long numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.legacy.changes import SWAPS, Changing, always
from migration_assets.stages.shadow.legacy.contracts import Records, record
from migration_assets.stages.shadow.legacy.scales import WIDE, Scale

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

BY_UNIT = ("flat", "per_seat")
BY_TIERS = ("tiered", "volume")
_ITEM = ("contract_id", "item_id", "row", "kind", "first_day", "last_day")
_PIECE = ("model", "above", "up_to", "package", "price", "fee")
_SPAN = ("from_day", "until_day")
_NO_BOUND = 2**62


def stepped_contracts(engine: DuckDBEngine, items: ir.Table, changes: ir.Table) -> ir.Table | None:
    """Contracts with a price that is not for each unit, now or after a change: contract_id (key). None: there are
    none."""
    led = changes.filter(changes["kind"].isin(SWAPS) & changes["new_model"].notin(BY_UNIT))
    found = items.filter(items["model"].notin(BY_UNIT)).select("contract_id").union(led.select("contract_id"))
    found = engine.cached(found.distinct())
    return found if engine.count(found) else None


def tiers_told(engine: DuckDBEngine, records: Records) -> ir.Table:
    """Tiers of every price of which all are known: price, above (units below the tier; both together the key), up_to
    (none: all the rest), unit_price, fee.

    The last tier of a price is open, no two end alike, and each can be read.
    """
    every = record(engine, records, "tiers").mutate(fee=lambda t: t["fee"].fill_null(0).cast("decimal(38, 10)"))
    open_end = every["up_to"].isnull()
    sums = every.group_by("price").aggregate(
        lost=(every["unreadable"] != "").sum(),
        open=open_end.sum(),
        ends=every["up_to"].nunique(),
        tiers=every.count(),
        least=every["up_to"].min(),
    )
    whole = (sums["lost"] == 0) & (sums["open"] == 1) & (sums["ends"] + 1 == sums["tiers"])
    known = every.semi_join(sums.filter(whole & (sums["least"].fill_null(1) > 0)), "price")
    order = ibis.window(group_by="price", order_by=known["up_to"].fill_null(_NO_BOUND))
    above = known["up_to"].lag().over(order).fill_null(0).cast("int64")
    return known.select("price", "up_to", "unit_price", "fee", above=above)


def untold(prices: ir.Table, tiers: ir.Table) -> ir.Table:
    """contract_id of prices by tiers or packages of which a part is not told. `prices`: contract_id, model, tiers (what
    they are named by), package."""
    tiered = prices.filter(prices["model"].isin(BY_TIERS)).anti_join(tiers, [("tiers", "price")])
    packages = prices.filter((prices["model"] == "package") & (prices["package"].fill_null(0) < 1))
    return tiered.select("contract_id").union(packages.select("contract_id"))


@dataclass(frozen=True)
class Steps:
    """Items of contracts with a price by steps. `tiers`: as `tiers_told` has them."""

    changing: Changing
    tiers: ir.Table

    def states(self, items: ir.Table, changes: ir.Table) -> tuple[ir.Table, SteppedUsage]:
        """Items of these contracts between each change and the next, as `Priced.states` and kept in the engine, and
        their usage that is charged by steps."""
        engine = self.changing.engine
        own = items.select(*_ITEM, "quantity", "model", "unit_price", "package", tiers="price")
        pieces = engine.cached(self._pieces(own, (*_ITEM, "quantity")))
        led = changes.filter(changes["new_model"].notnull())
        led = led.select(
            "contract_id", "rank", model="new_model", unit_price="new_price", package="new_package", tiers="new_tiers"
        )
        new = engine.cached(self._pieces(led, ("contract_id", "rank")))
        changed = self.changing.states(pieces, changes, lambda rows, acting: self._after(rows, acting, new))
        every = engine.cached(engine.union([always(pieces.anti_join(changes, "contract_id")), changed]))
        used = every.filter(every["kind"] == "usage")
        by_unit = used.filter(used["model"].isin(BY_UNIT)).select(*_ITEM, "quantity", *_SPAN, "price")
        stepped = used.filter(used["model"].notin(BY_UNIT)).select("contract_id", "item_id", "row", *_PIECE, *_SPAN)
        recurring = every.filter(every["kind"] != "usage")
        amount = recurring.mutate(amount=self.cost(recurring, recurring["quantity"].cast(WIDE)))
        whole = amount.group_by(*_ITEM, *_SPAN).aggregate(price=amount["amount"].sum().cast(WIDE))
        whole = whole.mutate(quantity=ibis.literal(1, "int64")).select(*_ITEM, "quantity", *_SPAN, "price")
        return engine.cached(engine.union([whole, by_unit])), SteppedUsage(self, engine.cached(stepped))

    def full_prices(self, items: ir.Table) -> ir.Table:
        """What items cost as they stand, before any change: row (key), total, not rounded."""
        own = items.select("row", "quantity", "model", "unit_price", "package", tiers="price")
        pieces = self._pieces(own, ("row", "quantity"))
        cost = pieces.mutate(total=self.cost(pieces, pieces["quantity"].cast(WIDE)))
        return cost.group_by("row").aggregate(total=cost["total"].sum().cast(WIDE))

    def _pieces(self, priced: ir.Table, own: tuple[str, ...]) -> ir.Table:
        """Prices in pieces. `priced`: with model, unit_price, tiers, package; columns: `own` and those of a piece."""
        scale, nothing = self.changing.scale, ibis.literal(0, "int64")
        tiered = priced.drop("unit_price").join(self.tiers.rename(tiers="price"), "tiers")
        tiered = tiered.filter(tiered["model"].isin(BY_TIERS)).mutate(package=nothing + 1)
        others = priced.filter(priced["model"].notin(BY_TIERS))
        others = others.mutate(
            above=nothing,
            up_to=ibis.null("int64"),
            package=ibis.greatest(others["package"].fill_null(1), 1),
            fee=ibis.literal(0).cast("decimal(38, 10)"),
        )
        return self.changing.engine.union(
            [
                rows.select(
                    *own,
                    "model",
                    "above",
                    "up_to",
                    "package",
                    price=scale.whole(rows["unit_price"]).cast(WIDE),
                    fee=scale.whole(rows["fee"]).cast(WIDE),
                )
                for rows in (tiered, others)
            ]
        )

    def _after(self, pieces: ir.Table, changes: ir.Table, new: ir.Table) -> ir.Table:
        """The base item takes all pieces of a new plan's price, or the one price that a ramp says; an uplift raises
        each price and fee of all that recurs."""
        acting = changes.select(
            "contract_id", "rank", "percent", "new_quantity", "new_model", change="kind", day="first_day"
        )
        both = pieces.join(acting, "contract_id")
        is_base = both["kind"] == "base"
        ramps = is_base & (both["change"] == "ramp")
        quantity = ramps.ifelse(both["new_quantity"], ibis.null("int64")).coalesce(both["quantity"])
        both = both.mutate(quantity=quantity, from_day=both["day"], made=both["made"] + 1)
        replaced = is_base & both["new_model"].notnull()
        raises = (both["change"] == "uplift") & (both["kind"] != "usage") & both["percent"].notnull()
        more = {
            c: raises.ifelse(self.changing.raised(both[c], both["percent"]), both[c]).cast(WIDE)
            for c in ("price", "fee")
        }
        kept = both.mutate(**more).filter(~replaced).select(*pieces.columns)
        swapped = both.filter(replaced).drop(*_PIECE).distinct().join(new, ["contract_id", "rank"])
        return self.changing.engine.union([kept, swapped.select(*pieces.columns)])

    def cost(self, pieces: ir.Table, quantity: ir.Value, one: int = 1) -> ir.Value:
        """What a quantity costs in each piece, so that all pieces of a price add up; the quantity, and so the cost, is
        told in parts of which `one` make a whole. A quantity that exactly meets a boundary is in the lower tier."""
        above = pieces["above"].cast(WIDE) * one
        up_to = (pieces["up_to"].cast(WIDE) * one).coalesce(quantity)
        price, fee = pieces["price"], pieces["fee"] * one
        reached = quantity > above
        packages = self.changing.engine.whole(quantity, pieces["package"].cast(WIDE) * one, "up")
        return ibis.cases(
            ((pieces["model"] == "tiered") & ~reached, 0),
            (pieces["model"] == "tiered", (ibis.least(quantity, up_to) - above) * price + fee),
            ((pieces["model"] == "volume") & (~reached | (quantity > up_to)), 0),
            (pieces["model"] == "volume", quantity * price + fee),
            (pieces["model"] == "package", packages.cast(WIDE) * price * one),
            else_=quantity * price,
        ).cast(WIDE)


@dataclass(frozen=True)
class SteppedUsage:
    """Metered items whose price has steps. `pieces`: contract_id, item_id, row, the piece, from_day, until_day."""

    steps: Steps
    pieces: ir.Table

    def costs(self, counted: ir.Table, units: Scale) -> ir.Table:
        """What is billed of them: contract_id, item_id, day, from_day, until_day, amount (of 10**-places of prices and
        of `units` together). `counted`: contract_id, item_id, units and day."""
        met = counted.join(self.pieces, ["contract_id", "item_id"])
        met = met.mutate(amount=self.steps.cost(met, units.whole(met["units"]).cast(WIDE), 10**units.places))
        whole = met.group_by("contract_id", "item_id", "day", *_SPAN, "row").aggregate(amount=met["amount"].sum())
        return whole.mutate(amount=whole["amount"].cast(WIDE)).drop("row")
