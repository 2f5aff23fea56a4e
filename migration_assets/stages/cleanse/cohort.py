"""The cohort's canonical parties: merged by identity, validated, their references settled, every row accounted for.

What is personal about an erased customer is left out, whichever system still holds it: contacts, addresses and tax
registrations by the rule `erased_customer`, values of the customer itself by survivorship (I22). Consents stay, as
evidence without a name; a suppression stays, because it follows its address and keeps anybody from writing to it (I23).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from migration_assets.engine.mapping import MappedFeed
from migration_assets.stages.canonical import StageRows, Upstream, excluded_claims, of_home_tables, stage_rows
from migration_assets.stages.cleanse.hierarchy import without_circles
from migration_assets.stages.cleanse.survivorship import erased_identities, merged, survivors

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

    from migration_assets.stages.feeds import Mapping as Feeds

# Entities that say who somebody is and how to reach them: nothing of them is left when the customer is erased.
_ABOUT_A_PERSON = ("contact", "address", "tax_registration")


@dataclass(frozen=True)
class Parties:
    """What cleansing reads: standardized rows and notes of an entity for this cohort, and all identities."""

    standardized: Callable[[str], MappedFeed]
    identities: ir.Table


def cleanse_cohort(feeds: Feeds, parties: Parties, upstream: Upstream) -> StageRows:
    """Canonical customers, contacts, addresses, consents, suppressions and tax registrations of one cohort."""
    engine, priority = feeds.engine, feeds.plan.file.identity.priority
    entities = feeds.plan.entities_of("cleansed_customers")
    customers = parties.standardized("customer").rows
    erased = engine.cached(erased_identities(customers, parties.identities))
    hierarchy_notes: list[ir.Table] = []
    erased_claims: list[ir.Table] = []

    def standardized(entity: str) -> MappedFeed:
        mapped = parties.standardized(entity)
        if entity not in _ABOUT_A_PERSON:
            return mapped
        # Before redirects a row names the customer row of its own system, so every member of the identity counts.
        members = parties.identities.semi_join(erased, "identity_id").select("customer_id")
        gone = mapped.rows.semi_join(members, "customer_id")
        erased_claims.extend(of_home_tables(feeds.plan, entity, [_erased_claims(gone)]))
        return MappedFeed(mapped.rows.anti_join(members, "customer_id"), mapped.notes)

    def amend(entity: str, rows: ir.Table) -> ir.Table:
        if entity != "customer":
            return rows
        single = without_circles(engine, engine.cached(survivors(rows, parties.identities, priority, erased)))
        hierarchy_notes.extend(single.notes)
        return single.rows

    made = stage_rows(feeds, entities, upstream, standardized, amend)
    made.notes += hierarchy_notes
    made.dispositions += erased_claims
    if "customer" in entities:
        made.dispositions.append(merged(customers, parties.identities, priority))
    made.dispositions += _wholly_excluded(feeds)
    return made


def _erased_claims(gone: ir.Table) -> ir.Table:
    rule, reason = ibis.literal("erased_customer"), ibis.literal("the customer was erased")
    return excluded_claims(gone.mutate(rule=rule, reason=reason))


def _wholly_excluded(feeds: Feeds) -> list[ir.Table]:
    """Claims on tables that feed nothing: a rule leaves out every row of them."""
    tables = [t for t, d in feeds.plan.source_tables.items() if d.home is None and d.owner != "none"]
    return [excluded_claims(left_out) for t in tables if (left_out := feeds.excluded(t)) is not None]
