"""The cohort's canonical parties: merged by identity, validated, their references settled, every row accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.canonical import StageRows, Upstream, excluded_claims, stage_rows
from migration_assets.stages.cleanse.hierarchy import without_circles
from migration_assets.stages.cleanse.survivorship import merged, survivors

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

    from migration_assets.engine.mapping import MappedFeed
    from migration_assets.stages.feeds import Mapping as Feeds


@dataclass(frozen=True)
class Parties:
    """What cleansing reads: standardized rows and notes of an entity for this cohort, and all identities."""

    standardized: Callable[[str], MappedFeed]
    identities: ir.Table


def cleanse_cohort(feeds: Feeds, parties: Parties, upstream: Upstream) -> StageRows:
    """Canonical customers, contacts, addresses, consents, suppressions and tax registrations of one cohort."""
    engine, priority = feeds.engine, feeds.plan.file.identity.priority
    hierarchy_notes: list[ir.Table] = []

    def amend(entity: str, rows: ir.Table) -> ir.Table:
        if entity != "customer":
            return rows
        single = without_circles(engine, engine.cached(survivors(rows, parties.identities, priority)))
        hierarchy_notes.extend(single.notes)
        return single.rows

    entities = feeds.plan.entities_of("cleansed_customers")
    made = stage_rows(feeds, entities, upstream, parties.standardized, amend)
    made.notes += hierarchy_notes
    if "customer" in entities:
        made.dispositions.append(merged(parties.standardized("customer").rows, parties.identities, priority))
    made.dispositions += _wholly_excluded(feeds)
    return made


def _wholly_excluded(feeds: Feeds) -> list[ir.Table]:
    """Claims on tables that feed nothing: a rule leaves out every row of them."""
    tables = [t for t, d in feeds.plan.source_tables.items() if d.home is None and d.owner != "none"]
    return [excluded_claims(left_out) for t in tables if (left_out := feeds.excluded(t)) is not None]


PARTY_ENTITIES = tuple(n for n, e in ENTITIES.items() if e.stage == "cleansed_customers")
