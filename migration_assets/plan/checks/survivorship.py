"""Survivorship: rules that suit their fields, each field ruled once; decisions about fields that are left to people."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.canonical import ENTITIES, TOGETHER
from migration_assets.domain.canonical.model import Field
from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.view import PLAN, PlanView
from migration_assets.plan.identity_models import SurvivorDecision, SurvivorRule
from migration_assets.plan.load import SURVIVORS
from migration_assets.plan.mapped import field_of
from migration_assets.plan.wording import listing, nearest, shown

_CUSTOMER = ENTITIES["customer"]
# Fields that come with another one and have no rule of their own.
_LED = {f: t.lead for t in TOGETHER if not t.ruled for f in t.fields}
# What a strategy can be asked of; the others suit every field.
_SUITS = {"longest": ("text",), "weighted_average": ("money", "integer")}


def survivorship_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about `identity.survivorship` in plan.yaml, and decisions/survivors.csv."""
    seen: set[str] = set()
    for i, rule in enumerate(view.plan.file.identity.survivorship):
        path = ("identity", "survivorship", i)
        for name in rule.fields:
            if wrong := _field_problem(name, rule, seen):
                yield view.fault(PLAN, (*path, "fields"), *wrong)
            seen.add(name)
        yield from _system_faults(view, rule, path)
    yield from _decision_faults(view)


def _field_problem(name: str, rule: SurvivorRule, seen: set[str]) -> tuple[str, str] | None:
    field = field_of(_CUSTOMER, name)
    if field is None:
        return _unknown(name)
    if field == _CUSTOMER.key:
        return f"{name} is the key, which survives by itself", "take it off the list"
    if name in _LED:
        return f"{name} comes with {_LED[name]}, from one row", f"give {_LED[name]} the rule"
    if name in seen:
        return f"{shown(name)} has a rule already", "name each field once"
    suited = _SUITS.get(rule.strategy)
    if suited and field.type not in suited:
        return f"{rule.strategy} does not suit {name}, which is {_article(field)}", f"use it for {' or '.join(suited)}"
    return None


def _article(field: Field) -> str:
    return f"{'an' if field.type[0] in 'aeiou' else 'a'} {field.type}"


def _unknown(name: str) -> tuple[str, str]:
    remedy = nearest(name, [f.name for f in _CUSTOMER.fields], "name a field of customer")
    return f"customer has no field {shown(name)}", remedy


def _system_faults(view: PlanView, rule: SurvivorRule, path: tuple[str | int, ...]) -> Iterator[Fault]:
    known = sorted({f.system for f in view.plan.feeds_of("customer")})
    for part, names in (("systems", rule.systems), ("weights", tuple(rule.weights))):
        for name in names:
            if name not in known:
                remedy = nearest(name, known, f"customers come from {listing(known)}")
                yield view.fault(PLAN, (*path, part), f"{shown(name)} feeds no customer", remedy)
    if len(set(rule.systems)) < len(rule.systems):
        yield view.fault(PLAN, (*path, "systems"), "names a system twice", "name each system once")


def _decision_faults(view: PlanView) -> Iterator[Fault]:
    manual = {f for r in view.plan.file.identity.survivorship if r.strategy == "manual" for f in r.fields}
    told: dict[tuple[str, str], int] = {}
    for decision in view.plan.survivor_decisions:
        if field_of(_CUSTOMER, decision.field) is None:
            yield Fault(SURVIVORS, decision.row, "field", *_unknown(decision.field))
        elif decision.field not in manual:
            problem = f"{decision.field} is not decided by hand"
            yield Fault(SURVIVORS, decision.row, "field", problem, "give it the strategy manual, or remove the row")
        yield from _key_faults(view, decision)
        first = told.setdefault((decision.field, decision.customer), decision.row)
        if first != decision.row:
            problem = f"this customer's {decision.field} is decided in line {first} already"
            yield Fault(SURVIVORS, decision.row, "customer", problem, "keep one of the two")


def _key_faults(view: PlanView, decision: SurvivorDecision) -> Iterator[Fault]:
    """Keys that no customer row can have. They are not repeated: a source's own key may be somebody's address."""
    for column, key in (("customer", decision.customer), ("value_from", decision.value_from)):
        table, colon, source_id = key.partition(":")
        fed = any(f.entity == "customer" for f in view.feeds_of_table.get(table, ()))
        if not (fed and colon and source_id):
            problem = "is not the canonical key of a customer row"
            yield Fault(SURVIVORS, decision.row, column, problem, "write <system>.<table>:<source id>")
