"""Prices of the target that have steps or packages, of whole cohorts: what each step adds to what is charged.

Belongs here: such prices told step by step, what scheduled changes make of them, and what they come to for a quantity.
Not here: prices by the unit (`items`), and what an invoice says. Subscriptions with such a price are few; nothing of
this is asked where there are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
from ibis import _

from migration_assets.stages.shadow.target.moments import BEFORE, NEVER
from migration_assets.stages.shadow.target.rows import BY_STEPS, PLAIN_MODELS, STEPPED_MODELS
from migration_assets.stages.shadow.target.scales import Scale

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.target.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.target.rows import TargetRows

_PRICE = ("model", "over", "package", "price", "fee")
_STATE = ("n", "item_id", "since", "until")


def stepped_subscriptions(engine: DuckDBEngine, held: TargetRows, subs: ir.Table, due: ir.Table) -> ir.Table | None:
    """n (key) of subscriptions of which a price has steps or packages, now or after a change; None where there are
    none. `due`: changes, with the `model` of the price they bring."""
    own = held.subscription_item.filter(_.price_model.isin(STEPPED_MODELS)).select("subscription_id")
    own = subs.semi_join(own, "subscription_id").select("n")
    found = engine.cached(own.union(due.filter(_.model.isin(STEPPED_MODELS)).select("n")).distinct())
    return found if engine.count(found) else None


@dataclass(frozen=True)
class SteppedPrices:
    """`items`, `steps`: as `TargetRows.subscription_item` and `price_step`. `few`: n of the subscriptions that are told
    here. `rules`: how prices are raised."""

    engine: DuckDBEngine
    items: ir.Table
    steps: ir.Table
    few: ir.Table
    scale: Scale
    rules: Rules

    def states(self, items: ir.Table, due: ir.Table) -> ir.Table:
        """Items that recur, as `item_states` tells others: each is one of what all of it costs. `items`, `due`: as
        there, of all subscriptions. Kept in the engine."""
        engine = self.engine
        recurring = engine.cached(items.filter(_.kind != "usage").semi_join(self.few, "n"))
        every = ibis.union(*self._versions(recurring, due.semi_join(self.few, "n"))).filter(_.since < _.until)
        each = self._charged(every, _.quantity, 1)
        whole = self._whole(each, _STATE).mutate(quantity=self.scale.counted(1))
        told = whole.join(recurring.drop("price", "quantity"), ["n", "item_id"])
        return engine.cached(told.select(*items.columns, "since", "until"))

    def usage(self, rows: ir.Table) -> ir.Table:
        """Usage that is charged, with items by steps as one of what all of it costs. `rows`: n, item_id, price,
        period_starts_at, units; as they are told here too."""
        key = ("n", "item_id", "period_starts_at")
        own = self.items.filter((_.kind == "usage") & _.price_model.isin(STEPPED_MODELS))
        priced = self._told(own, ("item_id",), "price_model").drop("price_code")
        mine = rows.semi_join(own, "item_id").drop("price").join(priced, "item_id")
        each = self._charged(mine.rename(since="period_starts_at"), _.units, 10**self.scale.units)
        whole = self._whole(each.rename(period_starts_at="since"), key).mutate(units=self.scale.counted(1))
        return ibis.union(rows.anti_join(own, "item_id"), whole.select(*rows.columns))

    def full_prices(self, rows: ir.Table) -> ir.Table:
        """What items cost as they stand: item_id (key), price. `rows`: some of `items`."""
        told = self._told(rows, ("item_id", "quantity"), "price_model")
        nought = ibis.literal(0, "int64")
        return self._whole(self._charged(told.mutate(n=nought, since=nought), _.quantity, 1), ("item_id",))

    def _whole(self, each: ir.Table, key: tuple[str, ...]) -> ir.Table:
        """What all steps of a price come to: the key and price."""
        whole = each.group_by(key).aggregate(
            price=_.added.sum(), at_once=_.at_once.argmax(_.over, where=_.at_once.notnull())
        )
        price = self.scale.counted(whole.price + whole.at_once.fill_null(self.scale.counted(0)))
        return whole.mutate(price=price).drop("at_once")

    def _told(self, priced: ir.Table, own: tuple[str, ...], model: str) -> ir.Table:
        """Prices step by step; a price without steps has one. `priced`: with unit_price, price_code, package_size and
        the column `model`; columns: `own`, price_code, model, over, package, price, fee."""
        scale, zero = self.scale, ibis.literal(0, "int64")
        priced = priced.mutate(model=priced[model].fill_null("flat"))
        plain = priced.filter(priced["model"].notin(BY_STEPS))
        steps = self.steps.rename(_over="over", _price="unit_price", _code="price_code")
        by_step = priced.filter(priced["model"].isin(BY_STEPS))
        by_step = by_step.join(steps, by_step.price_code == steps["_code"])
        whole = (
            by_step.mutate(over=_["_over"], price=_["_price"], package=zero + 1),
            plain.mutate(
                over=zero,
                price=plain.unit_price,
                package=ibis.greatest(plain.package_size.fill_null(1), 1),
                fee=ibis.literal(0).cast("decimal(38, 10)"),
            ),
        )
        columns = (*own, "price_code", "model", "over", "package")
        return ibis.union(
            *(
                rows.select(
                    *columns,
                    price=scale.whole_number(rows.price, scale.price),
                    fee=scale.whole_number(rows.fee, scale.price),
                )
                for rows in whole
            )
        )

    def _versions(self, recurring: ir.Table, due: ir.Table) -> list[ir.Table]:
        """Steps of items from one change to the next."""
        engine = self.engine
        held = self.items.semi_join(recurring, "item_id")
        told = self._told(held, ("item_id",), "price_model").drop("price_code")
        state = recurring.select("n", "item_id", "kind", "quantity").join(told, "item_id")
        state = engine.cached(state.mutate(since=ibis.literal(BEFORE, "int64")))
        due = engine.cached(due.rename(unit_price="new_price"))
        bringing = due.filter(_.model.notnull())
        brought = engine.cached(self._told(bringing, ("n", "rank"), "model").drop("price_code"))
        steps = engine.arrow(due.aggregate(most=due["rank"].max()))["most"][0].as_py()
        found: list[ir.Table] = []
        for rank in range(0 if steps is None else steps + 1):
            acting = due.filter(due["rank"] == rank)
            acting = acting.select(
                "n", act="kind", act_from="ordinal", act_percent="percent", act_quantity="quantity", act_model="model"
            )
            ended = state.left_join(acting, "n")
            found.append(ended.select(*state.columns, until=ended.act_from.fill_null(NEVER)))
            new = brought.filter(brought["rank"] == rank).drop("rank")
            state = engine.cached(self._changed(state.join(acting, "n"), new, state.columns))
        return [*found, state.mutate(until=ibis.literal(NEVER, "int64"))]

    def _changed(self, rows: ir.Table, new: ir.Table, columns: tuple[str, ...]) -> ir.Table:
        """Steps after one change: a new price takes the place of all steps of the base item, an uplift raises each."""
        base = rows.kind == "base"
        more = base & (rows.act == "ramp") & rows.act_quantity.notnull()
        rows = rows.mutate(quantity=more.ifelse(rows.act_quantity, rows.quantity), since=rows.act_from)
        replaced = base & rows.act.isin(["downgrade", "upgrade", "ramp"]) & rows.act_model.notnull()
        lifted = (rows.act == "uplift") & rows.act_percent.notnull()
        stay = rows.filter(~replaced).mutate(
            **{c: lifted.ifelse(self._uplifted(rows[c], rows.act_percent), rows[c]) for c in ("price", "fee")}
        )
        gone = rows.filter(replaced).drop(*_PRICE).distinct()
        return ibis.union(stay.select(*columns), gone.join(new, "n").select(*columns))

    def _uplifted(self, price: ir.NumericValue, percent: ir.NumericValue) -> ir.NumericValue:
        scale = self.scale
        hundred, finer = scale.power(scale.percent + 2), scale.power(scale.price - self.rules.price_decimals)
        return scale.counted(self.engine.whole(price * (hundred + percent), finer * hundred, "half_up")) * finer

    def _charged(self, rows: ir.Table, quantity: ir.Deferred, one: int) -> ir.Table:
        """Rows with `added`, what each step adds to the price of a quantity, and `at_once`, what all of it costs by the
        step where that is reached and decides alone: of those the last counts. Both of `one` times the price's unit."""
        scale, nothing = self.scale, self.scale.counted(0)
        rows = rows.mutate(_units=scale.counted(quantity.resolve(rows)), _over=scale.counted(rows.over) * one)
        order = ibis.window(group_by=["n", "item_id", "since"], order_by="over")
        rows = rows.mutate(_past=rows["_units"] - rows["_over"], _before=rows.price.lag().over(order))
        reached, fee = rows["_past"] > nothing, rows.fee * one
        dearer = rows["_past"] * (rows.price - rows["_before"].fill_null(nothing)) + fee
        packages = self.engine.whole(rows["_units"], scale.counted(rows.package) * one, "up")
        added = ibis.cases(
            (rows.model.isin(PLAIN_MODELS), rows["_units"] * rows.price),
            (rows.model == "package", scale.counted(packages) * rows.price * one),
            ((rows.model == "tiered") & reached, dearer),
            else_=nothing,
        )
        alone = (rows.model == "volume") & reached
        at_once = alone.ifelse(rows["_units"] * rows.price + fee, ibis.null(scale.kind))
        return rows.mutate(added=scale.counted(added), at_once=at_once)
