"""The cohort's canonical subscriptions, items and everything that hangs on them, and the derived entitlements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.engine.schema import schema_of
from migration_assets.stages.canonical import StageRows, Upstream, stage_rows
from migration_assets.stages.entitlements.derive import CatalogRows, granted_by_items, granted_by_overrides
from migration_assets.stages.entitlements.resolve import resolved
from migration_assets.stages.references import empty

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.stages.feeds import Mapping as Feeds

_CHANGES = schema_of(ENTITIES["scheduled_change"].fields)


def transform_cohort(feeds: Feeds, upstream: Upstream, catalog: CatalogRows, customers: ir.Table) -> StageRows:
    """Canonical rows of the subscription entities of one cohort, entitlements included.

    `customers`: the cleansed customers of the cohort, which say whose logins are left out.
    """
    made = stage_rows(feeds, feeds.plan.entities_of("transformed_entitlements"), upstream, feeds.entity)
    return with_derived(feeds, made, catalog, customers)


def with_derived(feeds: Feeds, made: StageRows, catalog: CatalogRows, customers: ir.Table) -> StageRows:
    """The same with what follows from several entities together: whose logins are left out, and the entitlements."""
    if {"seat_assignment", "subscription_item", "subscription"} <= made.rows.keys():
        made.rows["seat_assignment"] = feeds.engine.cached(
            without_erased_holders(
                made.rows["seat_assignment"], made.rows["subscription_item"], made.rows["subscription"], customers
            )
        )
    parts = []
    if "subscription_item" in made.rows:
        agreed = made.rows.get("scheduled_change", empty(feeds.engine, _CHANGES))
        parts.append(
            granted_by_items(feeds.engine, made.rows["subscription"], made.rows["subscription_item"], agreed, catalog)
        )
    if "entitlement_override" in made.rows:
        parts.append(granted_by_overrides(made.rows["entitlement_override"], catalog))
    if parts:
        entity = ENTITIES["entitlement"]
        types = schema_of((*entity.fields, *PROVENANCE))
        grants = resolved(feeds.engine, feeds.engine.union(p.cast(types) for p in parts))
        made.rows["entitlement"] = feeds.engine.cached(grants)
    return made


def without_erased_holders(seats: ir.Table, items: ir.Table, subscriptions: ir.Table, customers: ir.Table) -> ir.Table:
    """The same seats, without the login where the contract's customer was erased (I22); the seat itself is history."""
    erased = customers.filter(customers["status"] == "erased").select("customer_id")
    theirs = items.semi_join(subscriptions.semi_join(erased, "customer_id"), "subscription_id")
    known = theirs.select(_item="item_id")
    marked = seats.left_join(known, seats["item_id"] == known["_item"])
    holder = marked["_item"].notnull().ifelse(ibis.null("string"), marked["holder"])
    return marked.mutate(holder=holder).select(*seats.columns)
