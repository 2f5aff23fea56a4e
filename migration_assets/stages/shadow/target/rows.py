"""What the target holds of subscriptions, as the tables that its bills are made from at scale.

Belongs here: their columns, which are the canonical model's, and which subscriptions cannot be billed from them. Not
here: where the rows come from, and what is billed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.reasons import INVERTED_DAYS, NO_PRICE, PRICE_MODEL, UNREADABLE, Reason

if TYPE_CHECKING:
    from datetime import datetime

    import ibis.expr.types as ir

MONTHS = {"month": 1, "quarter": 3, "year": 12}
PLAIN_MODELS = ("flat", "per_seat")


@dataclass(frozen=True)
class TargetRows:
    """Tables of the target; instants are UTC, unit prices, percents and units exact decimals of at most ten places.

    `subscription`: subscription_id (key), currency, interval, anchor_at, ends_at, current_period_ends_at,
    cancel_at_period_end, paused_at, resumes_at, time_zone, service_country, tax_inclusive, tax_exempt.
    `subscription_item`: item_id (key), subscription_id, kind, quantity, unit_price, price_model, starts_at, ends_at.
    `discount`: discount_id (key), subscription_id, kind, percent, amount_minor, cycles_remaining, starts_at.
    `scheduled_change`: scheduled_change_id (key), subscription_id, kind, effective_at, new_plan_code, new_quantity,
    new_unit_price, percent.
    `plan_price`: plan_code, currency (key: both), unit_price, price_model of the plan's base product.
    `metered`: item_id, period_starts_at (key: both), subscription_id, used, included (absent: unlimited), overage.
    `tax_rate`: country, valid_from (key: both), percent.
    """

    subscription: ir.Table
    subscription_item: ir.Table
    discount: ir.Table
    scheduled_change: ir.Table
    plan_price: ir.Table
    metered: ir.Table
    tax_rate: ir.Table


def incomplete(held: TargetRows, as_of: datetime) -> ir.Table:
    """Subscriptions not over by T whose rows do not say what is billed: subscription_id, reason; a row for each reason.

    `unreadable`: a part is missing; `inverted_days`: an item or a pause ends before it starts; `price_model`:
    quantities become amounts in a way that is not known here; `no_price`: a change leads to a plan without a price.
    """
    sub, item = held.subscription, held.subscription_item
    charged = item.kind != "usage"
    found = (
        _reason(sub, sub.anchor_at.isnull() | sub.time_zone.isnull() | ~sub.interval.isin(list(MONTHS)), UNREADABLE),
        _reason(sub, sub.resumes_at < sub.paused_at, INVERTED_DAYS),
        _reason(item, item.unit_price.isnull() | (charged & item.quantity.isnull()), UNREADABLE),
        _reason(item, item.ends_at < item.starts_at, INVERTED_DAYS),
        _reason(item, charged & ~item.price_model.fill_null("").isin(PLAIN_MODELS), PRICE_MODEL),
        _reason(held.discount, _says_too_little(held.discount), UNREADABLE),
        _plans(held),
    )
    over = sub.filter(sub.ends_at <= ibis.literal(as_of).cast("timestamp('UTC', 6)"))
    return ibis.union(*found, distinct=True).anti_join(over, "subscription_id")


def _reason(rows: ir.Table, where: ir.BooleanValue, reason: Reason) -> ir.Table:
    return rows.filter(where).select("subscription_id", reason=ibis.literal(reason))


def _says_too_little(discount: ir.Table) -> ir.BooleanValue:
    off = (discount.kind == "percent").ifelse(discount.percent.isnull(), discount.amount_minor.isnull())
    return off | discount.starts_at.isnull()


def _plans(held: TargetRows) -> ir.Table:
    """Changes to a plan whose price is not there, or is of a model that is not known."""
    change = held.scheduled_change
    led = change.filter(change.kind.isin(["downgrade", "upgrade"]) & change.new_plan_code.notnull())
    led = led.join(held.subscription.select("subscription_id", "currency"), "subscription_id")
    plans = held.plan_price.select("currency", "unit_price", "price_model", new_plan_code="plan_code")
    priced = led.left_join(plans, ["new_plan_code", "currency"])
    bad = priced.filter(priced.unit_price.isnull() | ~priced.price_model.isin(PLAIN_MODELS))
    return bad.select("subscription_id", reason=bad.unit_price.isnull().ifelse(NO_PRICE, PRICE_MODEL))
