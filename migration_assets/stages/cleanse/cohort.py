"""The cohort's canonical parties: merged by identity, validated, their references settled, every row accounted for.

What is personal about an erased customer is left out, whichever system still holds it: contacts, addresses and tax
registrations by the rule `erased_customer`, values of the customer itself by survivorship (I22). The customer's own
consents stay, as evidence without a name; a contact's go with the contact. A suppression stays, because it follows its
address and keeps anybody from writing to it (I23). A customer that may be one who was erased is rejected by the rule
`may_be_erased`, with all that is its, until a person has answered: `customer_identities` says who (`fate`).

Beside the canonical rows: `survivors` and `conflicts` (`provenance`), `consent_states` and `suppressed` (`consents`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.erasure import ERASED_RULE
from migration_assets.engine.mapping import MappedFeed
from migration_assets.stages.canonical import StageRows, Upstream, excluded_claims, of_home_tables, stage_rows
from migration_assets.stages.cleanse.consents import consent_states, no_consents, no_suppressions, suppressed
from migration_assets.stages.cleanse.decisions import decided
from migration_assets.stages.cleanse.hierarchy import without_circles
from migration_assets.stages.cleanse.survivorship import erased_identities, merged, survivors
from migration_assets.stages.identities.resolve import HELD
from migration_assets.stages.references import FATES, NOTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.feeds import Mapping as Feeds

# Entities that say who somebody is and how to reach them: nothing of them is left when the customer is erased.
_ABOUT_A_PERSON = ("contact", "address", "tax_registration")
_RULE = ibis.literal(ERASED_RULE)
_SHARED = "another row of the customer was erased"


@dataclass(frozen=True)
class Parties:
    """What cleansing reads: standardized rows and notes of an entity for this cohort, and all identities.

    `tells_of_lost`: this cohort is the one that tells of decisions about customers that are nowhere any more.
    """

    standardized: Callable[[str], MappedFeed]
    identities: ir.Table
    tells_of_lost: bool = False


@dataclass
class Cleansed(StageRows):
    """What a stage makes, and the tables beside it, each with the columns it is in order by."""

    beside: dict[str, tuple[ir.Table, list[str]]] = field(default_factory=dict)


def cleanse_cohort(feeds: Feeds, parties: Parties, upstream: Upstream) -> Cleansed:
    """Canonical customers, contacts, addresses, consents, suppressions and tax registrations of one cohort."""
    entities = feeds.plan.entities_of("cleansed_customers")
    parties = _without_held(parties)
    customers = parties.standardized("customer").rows
    erased = feeds.engine.cached(erased_identities(customers, parties.identities))
    erasure, survival = _Erasure(feeds, parties, erased), _Survival(feeds, parties, erased)
    made = stage_rows(feeds, entities, erasure.told_to(upstream, entities), erasure.left, survival.amended)
    made.notes += survival.notes
    made.dispositions += erasure.claims
    if "customer" in entities:
        made.dispositions.append(merged(customers, parties.identities, feeds.plan.file.identity.priority))
    made.dispositions += _wholly_excluded(feeds)
    made.dispositions = _with_shared_fates(feeds.engine, made.dispositions, customers, parties.identities, erased)
    beside = survival.beside | _agreed(feeds, made, parties)
    return Cleansed(made.rows, made.notes, made.dispositions, made.fates, beside)


@dataclass
class _Erasure:
    """Standardized rows without what says who an erased customer is, and the `claims` on what was left out."""

    feeds: Feeds
    parties: Parties
    erased: ir.Table
    claims: list[ir.Table] = field(default_factory=list)

    def left(self, entity: str) -> MappedFeed:
        mapped = self.parties.standardized(entity)
        if entity not in _ABOUT_A_PERSON:
            return mapped
        self.claims += of_home_tables(self.feeds.plan, entity, [_erased_claims(self._gone(entity))])
        return MappedFeed(mapped.rows.anti_join(self._members, "customer_id"), mapped.notes)

    def told_to(self, upstream: Upstream, entities: Collection[str]) -> Upstream:
        """With the fates of what is left out: who else a row is about goes along, such as a consent of a contact."""
        gone = [(ENTITIES[e].key.name, e, self._gone(e)) for e in _ABOUT_A_PERSON if e in entities]
        fates = [
            rows.select(entity=ibis.literal(e), key=rows[key], disposition=ibis.literal("excluded"), rule=_RULE)
            for key, e, rows in gone
        ]
        engine = self.feeds.engine
        return replace(upstream, fates=engine.cached(engine.union([upstream.fates, *(f.cast(FATES) for f in fates)])))

    def _gone(self, entity: str) -> ir.Table:
        return self.parties.standardized(entity).rows.semi_join(self._members, "customer_id")

    @property
    def _members(self) -> ir.Table:
        """Before redirects a row names the customer row of its own system, so every member of the identity counts."""
        return self.parties.identities.semi_join(self.erased, "identity_id").select("customer_id")


@dataclass
class _Survival:
    """One row for each customer; what is noted on the way, and the tables that say whose values survived."""

    feeds: Feeds
    parties: Parties
    erased: ir.Table
    notes: list[ir.Table] = field(default_factory=list)
    beside: dict[str, tuple[ir.Table, list[str]]] = field(default_factory=dict)

    def amended(self, entity: str, rows: ir.Table) -> ir.Table:
        if entity != "customer":
            return rows
        engine, plan, known = self.feeds.engine, self.feeds.plan, self.parties.identities
        rows = engine.cached(rows)
        chosen = decided(engine, plan.survivor_decisions, rows, known, also_lost=self.parties.tells_of_lost)
        survived = survivors(engine, rows, known, plan.file.identity, self.erased, chosen)
        self.beside["survivors"] = survived.sources, ["customer_id", "field"]
        self.beside["conflicts"] = survived.conflicts, ["customer_id", "field", "reason", "line"]
        single = without_circles(engine, engine.cached(survived.rows))
        self.notes.extend(single.notes)
        return single.rows


def _agreed(feeds: Feeds, made: StageRows, parties: Parties) -> dict[str, tuple[ir.Table, list[str]]]:
    """What was agreed to and what is suppressed, in the rows that go on, against the rows that were read."""
    rows = made.rows
    states = (
        consent_states(feeds.engine, rows["consent"], parties.standardized("consent").rows)
        if "consent" in rows
        else no_consents(feeds.engine)
    )
    closed = (
        suppressed(rows["suppression"], parties.standardized("suppression").rows)
        if "suppression" in rows
        else no_suppressions(feeds.engine)
    )
    return {
        "consent_states": (states, ["customer_id", "contact_id", "purpose", "channel"]),
        "suppressed": (closed, ["channel"]),
    }


def _without_held(parties: Parties) -> Parties:
    """The same without customers whose fate waits for a person."""
    customers = _standing(parties.standardized("customer"), parties.identities)
    return replace(parties, standardized=lambda e: customers if e == "customer" else parties.standardized(e))


def _standing(mapped: MappedFeed, identities: ir.Table) -> MappedFeed:
    """Customers without those that are held, each of which has a note that rejects it."""
    held = identities.filter(identities["fate"] == HELD).select("customer_id")
    rows = mapped.rows.semi_join(held, "customer_id")
    told = {"entity": "customer", "feed": "", "field": "customer_id", "rule": "", "action": "rejected"}
    why = {"reason": "may_be_erased", "old_value": None, "new_value": None}
    place = {n: rows[n] for n in ("source_system", "source_table", "source_id", "source_row")}
    made = {n: ibis.literal(v, "string") for n, v in (told | why).items()} | place
    notes = rows.select(**{n: made[n] for n in NOTES.names}).cast(NOTES)
    return MappedFeed(
        mapped.rows.anti_join(held, "customer_id"), mapped.notes.select(*NOTES.names).cast(NOTES).union(notes)
    )


def _with_shared_fates(
    engine: DuckDBEngine, claims: list[ir.Table], customers: ir.Table, identities: ir.Table, erased: ir.Table
) -> list[ir.Table]:
    """The claims, of which those on customer rows that are loaded say so where nothing in the row itself was erased and
    another row's erasure took its values along: what the row says of itself is not what the target has then."""
    place = ("source_system", "source_table", "source_row")
    members = identities.semi_join(erased, "identity_id").select("customer_id")
    shared = customers.filter(customers["status"] != "erased").semi_join(members, "customer_id")
    shared = engine.cached(shared.select(**{f"_{n}": shared[n] for n in place}))
    if engine.count(shared) == 0:
        return claims
    return [_with_shared_fate(c, shared) for c in claims]


def _with_shared_fate(claims: ir.Table, shared: ir.Table) -> ir.Table:
    led = claims.left_join(shared, [(n.removeprefix("_"), n) for n in shared.columns])
    theirs = (led["disposition"] == "loaded") & led["_source_row"].notnull()
    rule, reason = theirs.ifelse(_RULE, led["rule"]), theirs.ifelse(ibis.literal(_SHARED), led["reason"])
    return led.mutate(rule=rule, reason=reason).select(*claims.columns)


def _erased_claims(gone: ir.Table) -> ir.Table:
    return excluded_claims(gone.mutate(rule=_RULE, reason=ibis.literal("the customer was erased")))


def _wholly_excluded(feeds: Feeds) -> list[ir.Table]:
    """Claims on tables that feed nothing: a rule leaves out every row of them."""
    tables = [t for t, d in feeds.plan.source_tables.items() if d.home is None and d.owner != "none"]
    return [excluded_claims(left_out) for t in tables if (left_out := feeds.excluded(t)) is not None]
