"""The cohort's canonical billing and sales rows. History keeps number and content; nothing is computed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migration_assets.stages.canonical import StageRows, Upstream, stage_rows

if TYPE_CHECKING:
    from migration_assets.stages.feeds import Mapping as Feeds


def transform_cohort(feeds: Feeds, upstream: Upstream) -> StageRows:
    """Canonical rows of the billing and sales entities of one cohort."""
    return stage_rows(feeds, feeds.plan.entities_of("transformed_billing"), upstream, feeds.entity)
