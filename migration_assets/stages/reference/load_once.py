"""Reference rows out of the sources: users, roles, legal entities, rates, and products where a feed brings them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migration_assets.stages.canonical import StageRows, Upstream, excluded_claims, stage_rows
from migration_assets.stages.reference.catalog import catalog_tables

if TYPE_CHECKING:
    from migration_assets.stages.feeds import Mapping as Feeds


def reference_rows(feeds: Feeds, upstream: Upstream) -> StageRows:
    """Canonical reference rows: those of the sources, and of the catalog where no feed brings them."""
    made = stage_rows(feeds, feeds.plan.entities_of("reference_data"), upstream, feeds.entity)
    catalog = {name: feeds.engine.table(rows) for name, rows in catalog_tables(feeds.plan).items()}
    made.rows = {**catalog, **made.rows}
    tables = [t for t, d in feeds.plan.source_tables.items() if d.home is None and d.owner == "none"]
    made.dispositions += [excluded_claims(x) for t in tables if (x := feeds.excluded(t)) is not None]
    return made
