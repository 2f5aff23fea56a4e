"""Cohorts: distinct, unreserved names, conditions on real customer fields, and nobody left without a cohort."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.values import predicate_problem
from migration_assets.plan.checks.view import COHORTS, PlanView
from migration_assets.plan.mapped import field_of
from migration_assets.plan.models import CohortRule
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.plan.wording import nearest, shown

RESERVED = (UNASSIGNED, "all", "_all")


def cohort_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about cohorts.yaml."""
    rules = view.plan.cohorts.cohorts
    yield from _name_faults(view, rules)
    for i, rule in enumerate(rules):
        yield from _predicate_faults(view, i, rule)
        if len(set(rule.customers)) < len(rule.customers):
            yield view.fault(COHORTS, ("cohorts", i, "customers"), "names a customer twice", "name each once")
        if rule.buckets and rule.limit:
            problem = "a rule of buckets takes every customer that is left, whatever its limit"
            yield view.fault(COHORTS, ("cohorts", i, "limit"), problem, "remove the limit")
        if rule.buckets and i < len(rules) - 1:
            problem = "takes every customer that is left, so later rules get none"
            yield view.fault(COHORTS, ("cohorts", i), problem, "move it to the end")
    if not rules[-1].buckets:
        problem = "customers may be left without a cohort"
        yield view.fault(COHORTS, ("cohorts", len(rules) - 1), problem, "end with a rule of buckets")


def _name_faults(view: PlanView, rules: tuple[CohortRule, ...]) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for i, rule in enumerate(rules):
        for name in dict.fromkeys((rule.name, *rule.cohort_names)):
            if name in RESERVED:
                remedy = "choose another name"
                yield view.fault(COHORTS, ("cohorts", i, "name"), f"{shown(name)} is reserved", remedy)
            elif name in seen:
                problem = f"{shown(name)} is a cohort of line {view.at(COHORTS, 'cohorts', seen[name])} already"
                yield view.fault(COHORTS, ("cohorts", i, "name"), problem, "choose another name")
            seen.setdefault(name, i)


def _predicate_faults(view: PlanView, i: int, rule: CohortRule) -> Iterator[Fault]:
    customer = ENTITIES["customer"]
    for j, predicate in enumerate(rule.where):
        path = ("cohorts", i, "where", j)
        field = field_of(customer, predicate.field)
        if field is None:
            remedy = nearest(predicate.field, [f.name for f in customer.fields], "name a field of customer")
            yield view.fault(COHORTS, path, f"customer has no field {shown(predicate.field)}", remedy)
        elif wrong := predicate_problem(view, field, predicate):
            yield view.fault(COHORTS, path, *wrong)
