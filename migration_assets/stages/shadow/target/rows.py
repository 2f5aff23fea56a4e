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
# Prices that say what a unit costs step by step.
BY_STEPS = ("tiered", "volume")
STEPPED_MODELS = (*BY_STEPS, "package")
# What a price is told by.
PRICE = ("unit_price", "price_model", "price_code", "package_size")


@dataclass(frozen=True)
class TargetRows:
    """Tables of the target; instants are UTC, unit prices, percents and units exact decimals of at most ten places.

    `subscription`: subscription_id (key), currency, interval, anchor_at, ends_at, current_period_ends_at,
    cancel_at_period_end, paused_at, resumes_at, time_zone, service_country, tax_inclusive, tax_exempt.
    `subscription_item`: item_id (key), subscription_id, kind, quantity, unit_price, price_model, price_code,
    package_size, starts_at, ends_at.
    `discount`: discount_id (key), subscription_id, kind, percent, amount_minor, cycles_remaining, starts_at.
    `scheduled_change`: scheduled_change_id (key), subscription_id, kind, effective_at, new_plan_code, new_quantity,
    new_unit_price, percent.
    `plan_price`: plan_code, currency (key: both), unit_price, price_model, price_code, package_size of the plan's base
    product.
    `price_step`: price_code, over (key: both), unit_price, fee; of prices that are tiered or go by volume.
    `metered`: item_id, period_starts_at (key: both), subscription_id, used, included (absent: unlimited), overage.
    `tax_rate`: country, valid_from (key: both), percent.
    """

    subscription: ir.Table
    subscription_item: ir.Table
    discount: ir.Table
    scheduled_change: ir.Table
    plan_price: ir.Table
    price_step: ir.Table
    metered: ir.Table
    tax_rate: ir.Table


def incomplete(held: TargetRows, as_of: datetime) -> ir.Table:
    """Subscriptions not over by T whose rows do not say what is billed: subscription_id, reason; a row for each reason.

    `unreadable`: a part is missing; `inverted_days`: an item or a pause ends before it starts; `price_model`:
    quantities become amounts in a way that is not known here, or by steps or packages that are not told; `no_price`: a
    change leads to a plan without a price.
    """
    sub, item = held.subscription, held.subscription_item
    charged, unpriced = (
        item.kind != "usage",
        item.unit_price.isnull() & item.price_model.notin(BY_STEPS).fill_null(True),
    )
    found = (
        _reason(sub, sub.anchor_at.isnull() | sub.time_zone.isnull() | ~sub.interval.isin(list(MONTHS)), UNREADABLE),
        _reason(sub, sub.resumes_at < sub.paused_at, INVERTED_DAYS),
        _reason(item, unpriced | (charged & item.quantity.isnull()), UNREADABLE),
        _reason(item, item.ends_at < item.starts_at, INVERTED_DAYS),
        _reason(item, charged & ~item.price_model.fill_null("").isin((*PLAIN_MODELS, *STEPPED_MODELS)), PRICE_MODEL),
        _untold(held, item).select("subscription_id", reason=ibis.literal(PRICE_MODEL)),
        _reason(held.discount, _says_too_little(held.discount), UNREADABLE),
        *_plans(held),
    )
    over = sub.filter(sub.ends_at <= ibis.literal(as_of).cast("timestamp('UTC', 6)"))
    return ibis.union(*found, distinct=True).anti_join(over, "subscription_id")


def _reason(rows: ir.Table, where: ir.BooleanValue, reason: Reason) -> ir.Table:
    return rows.filter(where).select("subscription_id", reason=ibis.literal(reason))


def _says_too_little(discount: ir.Table) -> ir.BooleanValue:
    off = (discount.kind == "percent").ifelse(discount.percent.isnull(), discount.amount_minor.isnull())
    return off | discount.starts_at.isnull()


def _untold(held: TargetRows, priced: ir.Table) -> ir.Table:
    """Rows whose price goes by steps or packages of which a part is not told: steps begin with the first unit, and
    none has two prices. `priced`: with price_model, price_code and package_size."""
    step = held.price_step
    told = step.group_by("price_code").aggregate(
        steps=step.count(),
        bounds=step.over.nunique(),
        priced=step.unit_price.count(),
        first=step.over.min(),
    )
    whole = told.filter((told.first == 0) & (told.bounds == told.steps) & (told.priced == told.steps))
    by_steps = priced.filter(priced.price_model.isin(BY_STEPS)).anti_join(whole, "price_code")
    by_packages = priced.filter((priced.price_model == "package") & (priced.package_size.fill_null(0) < 1))
    return ibis.union(by_steps, by_packages)


def _plans(held: TargetRows) -> tuple[ir.Table, ...]:
    """Changes to a plan whose price is not there, or is of a model that is not known or not told."""
    change = held.scheduled_change
    led = change.filter(change.kind.isin(["downgrade", "upgrade"]) & change.new_plan_code.notnull())
    led = led.join(held.subscription.select("subscription_id", "currency"), "subscription_id")
    plans = held.plan_price.rename(new_plan_code="plan_code")
    priced = led.left_join(plans, ["new_plan_code", "currency"]).select("subscription_id", *PRICE)
    known = priced.price_model.isin((*PLAIN_MODELS, *STEPPED_MODELS)).fill_null(False)
    bad = priced.filter(priced.unit_price.isnull() | ~known)
    lost = bad.select("subscription_id", reason=bad.unit_price.isnull().ifelse(NO_PRICE, PRICE_MODEL))
    return lost, _untold(held, priced).select("subscription_id", reason=ibis.literal(PRICE_MODEL))
