"""From items, overrides and the catalog to entitlements: customer x feature x region x half-open period.

Rules, in the catalog's and DOMAIN's words: an item grants what its product grants, for the part of its own period
that lies inside its subscription's; a limit given per unit is multiplied by the quantity; a geo rule may forbid it
where the service is used; an override stands beside it with its own period. Which of them counts where they contradict
each other is decided in `resolve`. Unlimited, zero and absent stay three different things: absent makes no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE

if TYPE_CHECKING:
    import ibis.expr.types as ir

ANYWHERE = "*"
COLUMNS = tuple(f.name for f in (*ENTITIES["entitlement"].fields, *PROVENANCE))


@dataclass(frozen=True)
class CatalogRows:
    """Catalog tables with the columns of the canonical entities product_feature, feature and geo_rule."""

    product_feature: ir.Table
    feature: ir.Table
    geo_rule: ir.Table


def granted_by_items(subscriptions: ir.Table, items: ir.Table, catalog: CatalogRows) -> ir.Table:
    """Entitlements of subscription items; key: item and feature. Items without a grant make no row."""
    contract = subscriptions.select(
        _subscription="subscription_id",
        customer_id="customer_id",
        service_country="service_country",
        _sub_starts="starts_at",
        _sub_ends=_end_of_access(subscriptions),
        _paused="paused_at",
    )
    held = items.inner_join(contract, items["subscription_id"] == contract["_subscription"])
    grants = catalog.product_feature.drop("product_feature_code")
    granted = held.inner_join(grants, "product_code").inner_join(_units(catalog.feature), "feature_code")
    ruled = _with_geo(granted.mutate(region=ibis.coalesce(granted["service_country"], ibis.literal(ANYWHERE))), catalog)
    starts = ibis.greatest(ibis.coalesce(ruled["starts_at"], ruled["_sub_starts"]), ruled["_sub_starts"])
    # LEAST ignores a missing end on either side, which is what an open end means.
    ends = ibis.least(ruled["ends_at"], ruled["_sub_ends"])
    limited = ruled["limit_kind"] == "limited"
    times = (ruled["per"] == "unit").ifelse(ruled["quantity"].cast("decimal(28, 8)"), 1)
    made = ruled.mutate(
        entitlement_id=ruled["item_id"] + "/" + ruled["feature_code"],
        starts_at=starts,
        ends_at=ends,
        limit_units=limited.ifelse((ruled["limit_units"] * times).cast("decimal(28, 8)"), ibis.null("decimal(28, 8)")),
        granted_by=(ruled["kind"] == "base").ifelse("plan", "add_on"),
    )
    return _shaped(made.filter(made["ends_at"].isnull() | (made["starts_at"] < made["ends_at"])))


def granted_by_overrides(overrides: ir.Table, catalog: CatalogRows) -> ir.Table:
    """Entitlements of overrides; key: the override and its feature. A zero limit forbids use, and is a row."""
    with_unit = overrides.inner_join(_units(catalog.feature), "feature_code")
    made = with_unit.mutate(
        entitlement_id=with_unit["override_id"] + "/" + with_unit["feature_code"],
        subscription_id=ibis.null("string"),
        region=ibis.coalesce(with_unit["region"], ibis.literal(ANYWHERE)),
        allowed=with_unit["limit_kind"] != "zero",
        # Nothing was agreed about what is past an exception, so it stops there, unless a product says otherwise
        # beneath it: `resolve` then takes the product's policy.
        overage=ibis.literal("block"),
        granted_by=ibis.literal("override"),
    )
    return _shaped(made)


def _end_of_access(subscriptions: ir.Table) -> ir.Value:
    """A contract cancelled at period end gives access until that end, unless it ends sooner."""
    leaving = (subscriptions["cancel_at_period_end"] & subscriptions["ends_at"].isnull()).fill_null(False)
    return leaving.ifelse(subscriptions["current_period_ends_at"], subscriptions["ends_at"])


def _units(feature: ir.Table) -> ir.Table:
    return feature.select("feature_code", "unit")


def _with_geo(granted: ir.Table, catalog: CatalogRows) -> ir.Table:
    """Adds `allowed`: the most specific geo rule (product and region, product, region, neither) decides."""
    rules = catalog.geo_rule
    for level, (product, region) in enumerate(((True, True), (True, False), (False, True), (False, False))):
        matching = rules.filter((rules["product_code"] != ANYWHERE) == product)
        matching = matching.filter((matching["region"] != ANYWHERE) == region)
        wanted = matching.select(_product="product_code", _region="region", **{f"_geo_{level}": matching["allowed"]})
        on = [
            granted["product_code"] == wanted["_product"] if product else ibis.literal(ANYWHERE) == wanted["_product"],
            granted["region"] == wanted["_region"] if region else ibis.literal(ANYWHERE) == wanted["_region"],
        ]
        granted = granted.left_join(wanted, on).drop("_product", "_region")
    levels = [granted[f"_geo_{i}"] for i in range(4)]
    return granted.mutate(allowed=ibis.coalesce(*levels, ibis.literal(True)) & (granted["limit_kind"] != "zero"))


def _shaped(made: ir.Table) -> ir.Table:
    return made.select(*COLUMNS)
