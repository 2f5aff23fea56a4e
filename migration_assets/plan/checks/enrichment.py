"""Enrichment rules: fields that may be told at all, known enrichers, and arguments that fit what is read."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import Field
from migration_assets.domain.errors import Fault
from migration_assets.engine.enrichers import ENRICHERS, Enricher
from migration_assets.plan.checks.values import predicate_problem
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.enrichment_models import EnrichmentRule
from migration_assets.plan.mapped import field_of
from migration_assets.plan.wording import listing, nearest, problems, shown

ENRICHMENT = "enrichment.yaml"
# What decides over money and merging is only ever what a source says.
_NEVER_TOLD = frozenset({"tax_id", "currency"})


def enrichment_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about enrichment.yaml."""
    names: list[str] = []
    filled: dict[tuple[str, str], str] = {}
    for i, rule in enumerate(view.plan.enrichment):
        if rule.rule in names:
            yield _fault(view, i, "rule", f"{shown(rule.rule)} stands here twice", "give each rule its own name")
        names.append(rule.rule)
        first = filled.setdefault((rule.entity, rule.field), rule.rule)
        if first != rule.rule:
            problem = f"{rule.entity}.{rule.field} is filled by the rule {shown(first)} already"
            yield _fault(view, i, "field", problem, "keep the one whose source you trust more")
        yield from _entity_faults(view, i, rule)
        yield from _field_faults(view, i, rule)
        yield from _read_faults(view, i, rule)
        yield from _enricher_faults(view, i, rule)


def _fault(view: PlanView, i: int, field: str, problem: str, remedy: str) -> Fault:
    return view.fault(ENRICHMENT, ("rules", i, *field.split(".")), problem, remedy)


def read_entity(rule: EnrichmentRule) -> str:
    """The entity whose rows a rule reads."""
    return rule.reads_of or rule.entity


def _entity_faults(view: PlanView, i: int, rule: EnrichmentRule) -> Iterator[Fault]:
    if rule.reads_of is not None and rule.entity != "customer":
        problem = f"rows of {rule.entity} have no {rule.reads_of} of their own to read"
        yield _fault(view, i, "reads_of", problem, "leave it out: the row itself is read")
    needed = {"entity": rule.entity, "reads_of": rule.reads_of, "purpose": "consent" if rule.purpose else None}
    for part, entity in needed.items():
        if entity is not None and entity not in view.made:
            yield _fault(view, i, part, f"this plan feeds no {entity}", f"add a feed of {entity}, or take the rule off")


def _field_faults(view: PlanView, i: int, rule: EnrichmentRule) -> Iterator[Fault]:
    entity = ENTITIES[rule.entity]
    field = field_of(entity, rule.field)
    if field is None:
        remedy = nearest(rule.field, [f.name for f in entity.fields], f"name a field of {rule.entity}")
        yield _fault(view, i, "field", f"{rule.entity} has no field {shown(rule.field)}", remedy)
    elif field.required or field.type == "key":
        problem = f"{rule.entity}.{rule.field} is required: a row without it is rejected, and nothing is left to fill"
        yield _fault(view, i, "field", problem, "map it, or take the rule off")
    elif field.name in _NEVER_TOLD or field.type not in _all_produced():
        problem = f"{rule.entity}.{rule.field} is only ever what a source says"
        yield _fault(view, i, "field", problem, "map it, or take the rule off")
    elif (enricher := ENRICHERS.get(rule.enricher)) and field.type not in enricher.produces:
        fitting = sorted(n for n, e in ENRICHERS.items() if field.type in e.produces)
        problem = f"{rule.enricher} cannot give {rule.field}, which is {field.type}"
        yield _fault(view, i, "enricher", problem, f"use one of {', '.join(fitting)}")


def _all_produced() -> frozenset[str]:
    return frozenset(kind for e in ENRICHERS.values() for kind in e.produces)


def _read_faults(view: PlanView, i: int, rule: EnrichmentRule) -> Iterator[Fault]:
    entity = ENTITIES[read_entity(rule)]
    known = [f.name for f in entity.fields]
    for name in rule.reads:
        if name not in known:
            remedy = nearest(name, known, f"name a field of {entity.name}")
            yield _fault(view, i, "reads", f"{entity.name} has no field {shown(name)}", remedy)
        elif name == rule.field and rule.reads_of is None:
            problem = f"reads {shown(name)}, which is missing wherever it is to be filled"
            yield _fault(view, i, "reads", problem, "read another field")
    for j, predicate in enumerate(rule.where):
        field = field_of(entity, predicate.field)
        if field is None:
            remedy = nearest(predicate.field, known, f"name a field of {entity.name}")
            yield _fault(view, i, f"where.{j}", f"{entity.name} has no field {shown(predicate.field)}", remedy)
        elif wrong := predicate_problem(view, field, predicate):
            yield _fault(view, i, f"where.{j}", *wrong)


def _enricher_faults(view: PlanView, i: int, rule: EnrichmentRule) -> Iterator[Fault]:
    enricher = ENRICHERS.get(rule.enricher)
    if enricher is None:
        remedy = nearest(rule.enricher, ENRICHERS, f"use one of {listing(ENRICHERS)}")
        yield _fault(view, i, "enricher", f"there is no enricher {shown(rule.enricher)}", remedy)
        return
    least, most = enricher.reads
    if not least <= len(rule.reads) <= most:
        problem = f"{enricher.name} does not read {len(rule.reads)} field(s)"
        yield _fault(view, i, "reads", problem, f"name {least if least == most else f'{least} to {most}'}")
        return
    yield from _argument_faults(view, i, rule, enricher)


def _argument_faults(view: PlanView, i: int, rule: EnrichmentRule, enricher: Enricher) -> Iterator[Fault]:
    try:
        arguments = enricher.parse(rule.arguments)
    except ValidationError as e:
        for path, problem, remedy in problems(e, rule.arguments, enricher.arguments):
            yield _fault(view, i, ".".join(["arguments", *map(str, path)]), problem, remedy)
        return
    for misfit in arguments.misfits(len(rule.reads), view.plan.codes):
        yield _fault(view, i, "arguments", misfit, f"docs/enrichers.md says what {enricher.name} takes")
    if enricher.name == "code_list" and (target := _field(rule)) is not None and target.codes:
        yield from _code_faults(view, i, rule, target, str(arguments.code_list))


def _field(rule: EnrichmentRule) -> Field | None:
    return field_of(ENTITIES[rule.entity], rule.field)


def _code_faults(view: PlanView, i: int, rule: EnrichmentRule, field: Field, name: str) -> Iterator[Fault]:
    for code in view.plan.codes.get(name, ()):
        if code.target not in (*field.codes, "-"):
            problem = f"codes/{name}.csv gives {shown(code.target)}, which is no code of {rule.field}"
            yield _fault(view, i, "arguments.list", problem, f"use {listing(field.codes)}")
