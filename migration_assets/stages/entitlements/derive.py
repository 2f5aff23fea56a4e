"""From items, overrides and the catalog to entitlements: customer x feature x region x half-open period.

Rules, in the catalog's and DOMAIN's words: an item grants what its product grants, for the part of its own period
that lies inside its subscription's; where a change is agreed, it grants what it will be from then on (`scheduled`); a
limit given per unit is multiplied by the quantity, and nothing of it is the limit zero; a geo rule may forbid it where
the service is used; an override stands beside it with its own period. Which of them counts where they contradict each
other is decided in `resolve`. Unlimited, zero and absent stay three different things: absent makes no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.stages.entitlements.periods import joined_up, piece_id
from migration_assets.stages.entitlements.scheduled import (
    agreed_ends,
    contract_states,
    items_over_time,
    items_unchanged,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

ANYWHERE = "*"
_EXACT = "decimal(28, 8)"
# What pieces of one item and feature may differ in.
_SAYS = ("allowed", "limit_kind", "limit_units", "overage")
COLUMNS = tuple(f.name for f in (*ENTITIES["entitlement"].fields, *PROVENANCE))


@dataclass(frozen=True)
class CatalogRows:
    """Catalog tables with the columns of the canonical entities plan, product_feature, feature and geo_rule."""

    plan: ir.Table
    product_feature: ir.Table
    feature: ir.Table
    geo_rule: ir.Table


def granted_by_items(
    engine: DuckDBEngine, subscriptions: ir.Table, items: ir.Table, changes: ir.Table, catalog: CatalogRows
) -> ir.Table:
    """Entitlements of subscription items; key: item, feature and start. Items without a grant make no row.

    `changes`: rows of the entity scheduled_change. What an item grants on both sides of one without a difference stays
    one row. The row that starts with its item has the id `<item>/<feature>`, a later one its instant behind it.
    """
    states = engine.cached(contract_states(changes, catalog.plan))
    contracts = _contracts(subscriptions, changes)
    plain = _granted(items_unchanged(items, states), contracts, catalog)
    if engine.count(states) == 0:
        return _shaped(plain)
    pieces = engine.cached(_granted(items_over_time(items, states), contracts, catalog))
    told = joined_up(pieces, ("item_id", "feature_code"), _SAYS)
    later = told["starts_at"] > told["_item_starts"]
    named = later.ifelse(piece_id(told["entitlement_id"], told["starts_at"]), told["entitlement_id"])
    return engine.union([_shaped(plain), _shaped(told.mutate(entitlement_id=named))])


def _contracts(subscriptions: ir.Table, changes: ir.Table) -> ir.Table:
    canceled = agreed_ends(changes)
    known = subscriptions.left_join(canceled, "subscription_id")
    return known.select(
        _subscription="subscription_id",
        customer_id="customer_id",
        service_country="service_country",
        _sub_starts="starts_at",
        # LEAST ignores a missing end on either side, which is what an open end means.
        _sub_ends=ibis.least(_end_of_access(known), known["cancel_at"]),
    )


def _granted(items: ir.Table, contracts: ir.Table, catalog: CatalogRows) -> ir.Table:
    """What each item grants from `since` to `until`: the columns of entitlements, item_id and the start of the item."""
    held = items.inner_join(contracts, items["subscription_id"] == contracts["_subscription"])
    held = held.mutate(
        region=ibis.coalesce(held["service_country"], ibis.literal(ANYWHERE)),
        _item_starts=ibis.greatest(held["starts_at"], held["_sub_starts"]),
        ends_at=ibis.least(held["ends_at"], held["_sub_ends"], held["until"]),
    )
    held = held.mutate(starts_at=ibis.greatest(held["_item_starts"], held["since"]))
    held = held.filter(held["ends_at"].isnull() | (held["starts_at"] < held["ends_at"]))
    grants = catalog.product_feature.drop("product_feature_code")
    granted = held.inner_join(grants, "product_code").inner_join(_units(catalog.feature), "feature_code")
    times = (granted["per"] == "unit").ifelse(granted["quantity"].cast(_EXACT), 1)
    sized = _with_limit(granted, (granted["limit_units"] * times).cast(_EXACT))
    ruled = _with_geo(sized, catalog)
    return ruled.mutate(
        entitlement_id=ruled["item_id"] + "/" + ruled["feature_code"],
        granted_by=(ruled["kind"] == "base").ifelse("plan", "add_on"),
    )


def _with_limit(granted: ir.Table, units: ir.Value) -> ir.Table:
    """The limit as `units` where it is limited; limited to nothing is zero, and forbids (I14)."""
    limited = granted["limit_kind"] == "limited"
    nothing = (limited & (units == 0)).fill_null(False)
    return granted.mutate(
        limit_kind=nothing.ifelse("zero", granted["limit_kind"]),
        limit_units=(limited & ~nothing).ifelse(units, ibis.null(_EXACT)),
    )


def granted_by_overrides(overrides: ir.Table, catalog: CatalogRows) -> ir.Table:
    """Entitlements of overrides; key: the override and its feature. A zero limit forbids use, and is a row."""
    with_unit = overrides.inner_join(_units(catalog.feature), "feature_code")
    with_unit = _with_limit(with_unit, with_unit["limit_units"])
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
