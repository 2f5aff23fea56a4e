"""The cohort's canonical subscriptions, items and everything that hangs on them, and the derived entitlements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.engine.schema import schema_of
from migration_assets.stages.canonical import StageRows, Upstream, stage_rows
from migration_assets.stages.entitlements.derive import CatalogRows, granted_by_items, granted_by_overrides

if TYPE_CHECKING:
    from migration_assets.stages.feeds import Mapping as Feeds


def transform_cohort(feeds: Feeds, upstream: Upstream, catalog: CatalogRows) -> StageRows:
    """Canonical rows of the subscription entities of one cohort, entitlements included."""
    made = stage_rows(feeds, feeds.plan.entities_of("transformed_entitlements"), upstream, feeds.entity)
    parts = []
    if "subscription_item" in made.rows:
        parts.append(granted_by_items(made.rows["subscription"], made.rows["subscription_item"], catalog))
    if "entitlement_override" in made.rows:
        parts.append(granted_by_overrides(made.rows["entitlement_override"], catalog))
    if parts:
        entity = ENTITIES["entitlement"]
        types = schema_of((*entity.fields, *PROVENANCE))
        made.rows["entitlement"] = feeds.engine.cached(feeds.engine.union(p.cast(types) for p in parts))
    return made
