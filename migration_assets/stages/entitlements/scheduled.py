"""What a base item is from when to when, by the changes that are agreed for its contract (I31).

Belongs here: which product and how many units an item stands for at every instant. Not here: what that grants, and what
it costs. The target reads only the entitlements it holds, so they have to hold the time after an agreed change as well.

An upgrade or downgrade makes the base item the product of the new plan, a ramp changes its quantity; neither touches
what the other sets. An uplift changes prices alone. A cancel ends everything of the contract. Whatever else stands on a
row, such as a quantity beside a new plan, is not acted on, as bills of neither side act on it. Of changes that take
effect at one instant the one with the higher id comes last, as in bills. Whether one lies before T is not asked: it has
been acted on then, and saying so again changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

_SWAPS = ("downgrade", "upgrade")


def agreed_ends(changes: ir.Table) -> ir.Table:
    """When contracts end by a scheduled cancel: subscription_id (key), cancel_at; of several the first."""
    cancels = changes.filter(changes["kind"] == "cancel")
    return cancels.group_by("subscription_id").aggregate(cancel_at=cancels["effective_at"].min())


def contract_states(changes: ir.Table, plans: ir.Table) -> ir.Table:
    """What base items of contracts with changes are, between each change and the next.

    One row from the start (`since` missing) and one for each change that acts; `until` is missing for the last. Of
    changes at one instant all but the last hold for no time. product_code and quantity are missing as long as no change
    has set them. Contracts whose items stay what they are make no row.
    """
    acting = _acting(changes, plans)
    order = ibis.window(group_by="subscription_id", order_by=["effective_at", "scheduled_change_id"])
    placed = acting.mutate(place=ibis.row_number().over(order), until=acting["effective_at"].lead().over(order))
    so_far = ibis.cumulative_window(group_by="subscription_id", order_by="place")
    after = placed.select(
        "subscription_id",
        "until",
        since="effective_at",
        **{c: _latest(placed, c).over(so_far) for c in ("product_code", "quantity")},
    )
    first = acting.group_by("subscription_id").aggregate(until=acting["effective_at"].min())
    before = first.mutate(**{c: ibis.null(after[c].type()) for c in ("since", "product_code", "quantity")})
    return after.union(before.select(*after.columns))


def _acting(changes: ir.Table, plans: ir.Table) -> ir.Table:
    """Changes that make items something else: scheduled_change_id (key), subscription_id, effective_at, product_code,
    quantity."""
    offered = plans.select(_plan="plan_code", product_code="product_code")
    told = changes.left_join(offered, changes["new_plan_code"] == offered["_plan"])
    swaps, ramps = told["kind"].isin(_SWAPS), told["kind"] == "ramp"
    made = told.select(
        "scheduled_change_id",
        "subscription_id",
        "effective_at",
        product_code=swaps.ifelse(told["product_code"], ibis.null("string")),
        quantity=ramps.ifelse(told["new_quantity"], ibis.null("int64")),
    )
    return made.filter(made["product_code"].notnull() | made["quantity"].notnull())


def _latest(placed: ir.Table, column: str) -> ir.Value:
    """What the latest change says that says anything of the column."""
    said = placed[column].notnull().ifelse(placed["place"], ibis.null("int64"))
    return placed[column].argmax(said)


def items_over_time(items: ir.Table, states: ir.Table) -> ir.Table:
    """Base items of the contracts that `states` are about, a row for each state: their own columns, since and until."""
    theirs = states.select(
        _of="subscription_id", since="since", until="until", _product="product_code", _quantity="quantity"
    )
    base = items.filter(items["kind"] == "base")
    met = base.inner_join(theirs, base["subscription_id"] == theirs["_of"])
    return met.mutate(
        product_code=ibis.coalesce(met["_product"], met["product_code"]),
        quantity=ibis.coalesce(met["_quantity"], met["quantity"]),
    ).drop("_of", "_product", "_quantity")


def items_unchanged(items: ir.Table, states: ir.Table) -> ir.Table:
    """All other items, in the same shape."""
    changed = items.filter(items["kind"] == "base").semi_join(states, "subscription_id")
    kept = items.anti_join(changed, "item_id")
    return kept.mutate(**{c: ibis.null(states[c].type()) for c in ("since", "until")})
