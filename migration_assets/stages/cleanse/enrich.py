"""Values that no source has, told by the rules of enrichment.yaml: each with its source, confidence, basis and date.

They are told last, when it is settled who is whom and what survives: nothing that is matched, merged, rejected or put
into a cohort ever rests on them. Rules read what the sources say, never each other's values, and are about rows that
are still somebody's: an erased customer gets none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.standards import country_codes
from migration_assets.engine.distinct import answers_of
from migration_assets.engine.enrichers import ENRICHERS
from migration_assets.engine.fitting import fit
from migration_assets.engine.predicates import holds
from migration_assets.engine.rules import registry
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context, Texts, null_like, present
from migration_assets.stages.cleanse.consents import state_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.canonical.model import Field
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.enrichment_models import EnrichmentRule
    from migration_assets.plan.models import Plan

# Who says what of which row. Key: entity, row_key, field. The value itself stands in the row, and nowhere else.
ENRICHMENTS = ibis.schema(
    {
        "entity": "string",
        "row_key": "string",
        "field": "string",
        "rule": "string",
        "source": "string",
        "confidence": "float64",
        "lawful_basis": "string",
        "as_of": "timestamp('UTC', 6)",
    }
)
# The rule of the mapping whose standard form a told value has to have too, by type of the field or by its name.
_STANDARD = {"country": "country", "email": "email", "phone": "phone", "time_zone": "time_zone", "language": "language"}


@dataclass(frozen=True)
class Told:
    """What one rule did: `lacking` rows had no value, `told` got one, `refused` would have got one that is none."""

    rule: EnrichmentRule
    lacking: int
    told: int
    refused: int


@dataclass(frozen=True)
class Enriched:
    """`rows`: the entities that rules fill, whole. `values` (ENRICHMENTS). `rules`: in the plan's order."""

    rows: Mapping[str, ir.Table]
    values: ir.Table
    rules: tuple[Told, ...]


def enriched(
    engine: DuckDBEngine, plan: Plan, rows: Mapping[str, ir.Table], as_of: datetime, services: Mapping[str, Cleaner]
) -> Enriched:
    """Canonical rows of a cohort with what the plan's rules tell of them. `services`: how a rule's service is asked."""
    filled, values, accounts = dict(rows), [engine.table(ENRICHMENTS.to_pyarrow().empty_table())], []
    for rule in plan.enrichment:
        field = ENTITIES[rule.entity].field(rule.field)
        lacking = engine.cached(_lacking(rule, rows))
        told = engine.cached(_told(engine, plan, rule, field, rows, lacking, as_of, services))
        known = engine.cached(told.filter(told["_value"].notnull()))
        filled[rule.entity] = _filled(filled[rule.entity], rule, known)
        values.append(_recorded(known, rule, as_of))
        refused = engine.count(told.filter(told["_refused"]))
        accounts.append(Told(rule, engine.count(lacking), engine.count(known), refused))
    touched = {rule.entity for rule in plan.enrichment}
    return Enriched({e: engine.cached(filled[e]) for e in touched}, engine.union(values), tuple(accounts))


def _lacking(rule: EnrichmentRule, rows: Mapping[str, ir.Table]) -> ir.Table:
    """Rows of the entity without a value, of whom the rule may tell one."""
    table = rows[rule.entity]
    lacking = table.filter(~present(table[rule.field]))
    if rule.entity == "customer":
        lacking = lacking.filter(lacking["status"] != "erased")
    if rule.purpose is not None:
        lacking = lacking.semi_join(_consenting(rows["consent"], rule.purpose), "customer_id")
    return lacking


def _consenting(consents: ir.Table, purpose: str) -> ir.Table:
    """Customers who themselves agree to the purpose in every channel they named (I23, `domain.consent`); what a contact
    of theirs said is the contact's. One column, customer_id."""
    own = consents.filter((consents["purpose"] == purpose) & consents["contact_id"].isnull())
    states = state_of(own, ("customer_id", "channel"))
    agreed = states.group_by("customer_id").aggregate(_yes=states["allowed"].all())
    return agreed.filter(agreed["_yes"]).select("customer_id")


def _told(
    engine: DuckDBEngine,
    plan: Plan,
    rule: EnrichmentRule,
    field: Field,
    rows: Mapping[str, ir.Table],
    lacking: ir.Table,
    as_of: datetime,
    services: Mapping[str, Cleaner],
) -> ir.Table:
    """`_key` of each row that was asked about, its `_value` (null: unknown) and whether one was `_refused`."""
    context = Context(field, as_of, {n: {c.code: c.target for c in codes} for n, codes in plan.codes.items()}, {})
    enricher = ENRICHERS[rule.enricher]
    outside = enricher.function is None
    told_by = services[rule.rule] if outside else enricher.cleaner(enricher.parse(rule.arguments), context)
    read, key = lacking, ENTITIES[rule.entity].key.name
    if rule.reads_of is not None:
        read = rows[rule.reads_of].semi_join(lacking, key)
    asked = engine.cached(read.filter(holds(read, rule.where) & present(read[rule.reads[0]])))
    columns = [asked[name] for name in rule.reads]
    everything = ibis.literal(True)
    cleaner = in_standard_form(told_by, context)
    answers = answers_of(engine, asked, columns, cleaner, everything, prefix="_told_", takes_missing=True)
    joined = answers.joined_to(asked, columns)
    answer = fit(answers.outcome(joined, columns, everything), field)
    refused = ibis.literal(False) if answer.error is None else answer.error.notnull()
    each = joined.select(_key=joined[key], _value=answer.value, _refused=refused)
    agreed = (each["_value"].nunique() == 1) & (each["_value"].count() == each.count())
    return each.group_by("_key").aggregate(
        _value=agreed.ifelse(each["_value"].max(), null_like(each["_value"].max())), _refused=each["_refused"].any()
    )


def in_standard_form(cleaner: Cleaner, context: Context) -> Cleaner:
    """The cleaner, with its answers cleaned as the mapping cleans such a field: what others say is no tidier."""
    field = context.field
    name = _STANDARD.get(field.type) or _STANDARD.get(field.name) or "text"
    rule = registry.get(name)
    standard: Cleaner = rule.load(str(rule.cleaner))(rule.parse({}), context)

    def clean(texts: Texts) -> Cleaned:
        told = cleaner.clean(texts)
        if told.value is None:
            return told
        form = standard.clean((str(told.value),))
        # A form that is right and a code that is nobody's: the checks would stop the cohort for what others said.
        if field.type == "country" and form.value is not None and form.value not in country_codes():
            return Cleaned(error="unknown_country")
        return form

    return Cleaner(clean)


def _filled(rows: ir.Table, rule: EnrichmentRule, known: ir.Table) -> ir.Table:
    joined = rows.left_join(known.select("_key", "_value"), rows[ENTITIES[rule.entity].key.name] == known["_key"])
    value = ibis.ifelse(joined["_key"].notnull(), joined["_value"], joined[rule.field])
    return joined.mutate(**{rule.field: value}).select(*rows.columns)


def _recorded(known: ir.Table, rule: EnrichmentRule, as_of: datetime) -> ir.Table:
    return known.select(
        entity=ibis.literal(rule.entity),
        row_key=known["_key"],
        field=ibis.literal(rule.field),
        rule=ibis.literal(rule.rule),
        source=ibis.literal(rule.source),
        confidence=ibis.literal(rule.confidence, type="float64"),
        lawful_basis=ibis.literal(rule.lawful_basis),
        as_of=ibis.literal(as_of, type="timestamp('UTC', 6)"),
    ).cast(ENRICHMENTS)
