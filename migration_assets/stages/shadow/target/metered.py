"""What the new platform has counted in the period that contains T, and how much of it is included (I11, I13).

Included is what the entitlements in force as the period begins allow: an override of the customer's for the region of
service, else one for everywhere unless a geo rule bans the feature, else what the subscription's own rows add up to.
Where there is no entitlement to a feature that is metered, all of it is charged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

ANYWHERE = "*"
_COUNTER = ("item_id", "period_starts_at")
_EXACT = "decimal(38, 10)"


def metered(
    engine: DuckDBEngine,
    subscription: ir.Table,
    subscription_item: ir.Table,
    usage_balance: ir.Table,
    entitlement: ir.Table,
    meters: ir.Table,
) -> ir.Table:
    """Usage by the item that charges it: item_id, period_starts_at (key: both), subscription_id, used, included
    (absent: unlimited), overage. `meters`: product_code (key) and the feature_code that its usage is counted of."""
    counted = engine.cached(_counters(subscription, subscription_item, usage_balance, meters))
    allowed = engine.cached(_allowances(engine, counted, entitlement))
    told = counted.left_join(allowed, _COUNTER)
    nothing = told["policy"].isnull()
    return engine.cached(
        told.select(
            *_COUNTER,
            "subscription_id",
            "used",
            included=nothing.ifelse(ibis.literal(0).cast(_EXACT), told["limit"]),
            overage=told["policy"].fill_null("bill"),
        )
    )


def _counters(subscription: ir.Table, item: ir.Table, balance: ir.Table, meters: ir.Table) -> ir.Table:
    charged = item.filter(item.kind == "usage").join(meters, "product_code")
    charged = charged.select("item_id", "subscription_id", "feature_code")
    used = balance.group_by("subscription_id", "feature_code", "period_starts_at").aggregate(
        used=balance.used_units.sum()
    )
    owners = subscription.select("subscription_id", "customer_id", region="service_country")
    told = used.join(charged, ["subscription_id", "feature_code"]).join(owners, "subscription_id")
    return told.mutate(used=told.used.cast(_EXACT), region=told.region.fill_null(ANYWHERE))


def _allowances(engine: DuckDBEngine, counted: ir.Table, entitlement: ir.Table) -> ir.Table:
    """The key of each counter that some entitlement speaks for, limit (absent: unlimited) and policy."""
    rows = entitlement.filter(entitlement.limit_kind != "none").select(
        "customer_id", "feature_code", "entitlement_id", "starts_at", "ends_at", "allowed", "limit_kind", "limit_units",
        "overage", "granted_by", of="subscription_id", where="region",
    )  # fmt: skip
    met = counted.join(rows, ["customer_id", "feature_code"])
    met = met.filter(met["where"].isin([ANYWHERE]) | (met["where"] == met["region"]))
    at = met.period_starts_at
    met = met.filter((met.starts_at <= at) & (at < met.ends_at).fill_null(True))
    met = met.filter((met.granted_by == "override") | (met.of == met.subscription_id))
    override = met.granted_by == "override"
    banned = ~override & ~met.allowed & (met.limit_kind != "zero")
    beside = ibis.window(group_by=_COUNTER)
    met = met.mutate(barred=banned.any().over(beside))
    override, here = met.granted_by == "override", met["where"] == met["region"]
    rank = ibis.cases((override & here, 2), (override & ~met.barred, 1), (override, -1), else_=0)
    met = met.mutate(rank=rank)
    met = engine.cached(met.mutate(spoken=met["rank"].max().over(beside)))
    speaking = met.filter(met["rank"] == met["spoken"])
    order = [speaking.starts_at.desc(), speaking.entitlement_id.desc()]
    speaking = speaking.mutate(line=ibis.row_number().over(ibis.window(group_by=_COUNTER, order_by=order)))
    # Overrides do not add up: the latest speaks. What subscriptions grant does.
    standing = speaking.filter((speaking["rank"] == 0) | (speaking.line == 0))
    allows = standing.allowed & (standing.limit_kind != "zero")
    first = (standing.granted_by == "add_on").ifelse("1", "0") + standing.entitlement_id
    policy = ibis.coalesce(standing.overage.argmin(first, where=allows), standing.overage.argmin(first))
    unlimited = (allows & (standing.limit_kind == "unlimited")).any()
    total = standing.limit_units.sum(where=allows).fill_null(0).cast(_EXACT)
    summed = standing.group_by(_COUNTER).aggregate(policy=policy, unlimited=unlimited, total=total)
    return summed.select(*_COUNTER, "policy", limit=summed.unlimited.ifelse(ibis.null(_EXACT), summed.total))
