"""What each item of the target costs in which billed cycles: starts, ends and scheduled changes, for all at once.

Belongs here: the prices and quantities that hold in a cycle. Not here: what an invoice says. Scheduled changes are few,
so they are folded one after the other over the items of the few subscriptions that have any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
from ibis import _

from migration_assets.stages.shadow.target.moments import BEFORE, NEVER
from migration_assets.stages.shadow.target.scales import Scale

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.target.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.target.rows import TargetRows


def changes(held: TargetRows, subs: ir.Table, scale: Scale) -> ir.Table:
    """Scheduled changes of billed subscriptions in the order in which they act. `subs`: with n and what `placed` needs.

    Columns: n, rank (key: both), effective_at, kind, percent, price (whole numbers, absent where nothing is said),
    quantity, those of `subs`, and of the new price: new_price (as it is written), model, price_code, package_size.
    """
    agreed = held.scheduled_change.filter(_.kind != "cancel").join(subs, "subscription_id")
    plans = held.plan_price.rename(new_plan_code="plan_code", plan_price="unit_price")
    priced = agreed.left_join(plans, ["new_plan_code", "currency"])
    order = ibis.window(group_by="n", order_by=["effective_at", "scheduled_change_id"])
    by_plan = priced.kind.isin(["downgrade", "upgrade"])
    price = by_plan.ifelse(priced.plan_price.cast("decimal(38, 10)"), priced.new_unit_price.cast("decimal(38, 10)"))
    own = price.notnull().ifelse("flat", ibis.null("string"))
    return priced.mutate(
        rank=ibis.row_number().over(order),
        new_price=price,
        model=by_plan.ifelse(priced.price_model, own),
        price=scale.whole_number(price, scale.price),
        percent=scale.whole_number(priced.percent, scale.percent),
        quantity=scale.counted(priced.new_quantity),
    )


def item_states(engine: DuckDBEngine, items: ir.Table, due: ir.Table, scale: Scale, rules: Rules) -> ir.Table:
    """Items with the price and quantity that hold from cycle `since` until cycle `until`; from BEFORE to NEVER at most.

    `items`: n, item_id (key), kind, price, quantity, and more. `due`: changes, with the `ordinal` they act from.
    """
    forever = {"since": ibis.literal(BEFORE, "int64"), "until": ibis.literal(NEVER, "int64")}
    steps = engine.arrow(due.aggregate(most=due["rank"].max()))["most"][0].as_py()
    if steps is None:
        return items.mutate(**forever)
    states = [items.anti_join(due, "n").mutate(**forever)]
    state = engine.cached(items.semi_join(due, "n").mutate(since=forever["since"]))
    for rank in range(steps + 1):
        acting = due.filter(due["rank"] == rank).select(
            "n", act="kind", act_from="ordinal", act_percent="percent", act_price="price", act_quantity="quantity"
        )
        ended = state.left_join(acting, "n")
        states.append(ended.select(*state.columns, until=ended.act_from.fill_null(NEVER)))
        state = engine.cached(_changed(engine, state.join(acting, "n"), state.columns, scale, rules))
    states.append(state.mutate(until=forever["until"]))
    return ibis.union(*(s.select(*items.columns, "since", "until") for s in states)).filter(_.since < _.until)


def _changed(engine: DuckDBEngine, rows: ir.Table, columns: tuple[str, ...], scale: Scale, rules: Rules) -> ir.Table:
    """Items after one change; only an uplift touches anything but the base item, and nothing touches usage."""
    base, ramp = rows.kind == "base", rows["act"] == "ramp"
    uplifted = (rows["act"] == "uplift") & (rows.kind != "usage") & rows.act_percent.notnull()
    replaced = base & rows["act"].isin(["downgrade", "upgrade", "ramp"]) & rows.act_price.notnull()
    price = ibis.cases(
        (uplifted, _uplifted(engine, rows.price, rows.act_percent, scale, rules)),
        (replaced, rows.act_price),
        else_=rows.price,
    )
    more = base & ramp & rows.act_quantity.notnull()
    changed = {"price": price, "quantity": more.ifelse(rows.act_quantity, rows.quantity), "since": rows.act_from}
    return rows.select(**{c: changed.get(c, rows[c]) for c in columns})


def _uplifted(
    engine: DuckDBEngine, price: ir.DecimalValue, percent: ir.DecimalValue, scale: Scale, rules: Rules
) -> ir.DecimalValue:
    hundred, finer = scale.power(scale.percent + 2), scale.power(scale.price - rules.price_decimals)
    return scale.counted(engine.whole(price * (hundred + percent), finer * hundred, "half_up")) * finer
