"""Identity rules: real fields, tables and systems, each rule named once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault
from migration_assets.domain.money import MoneyError, to_minor
from migration_assets.plan.checks.standards import is_currency
from migration_assets.plan.checks.values import predicate_problem
from migration_assets.plan.checks.view import PLAN, PlanView
from migration_assets.plan.identity_models import IdentityLink
from migration_assets.plan.mapped import field_of
from migration_assets.plan.wording import nearest, shown


def identity_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about `identity` in plan.yaml."""
    identity = view.plan.file.identity
    yield from repeated_names(view, ("identity", "keys"), [k.name for k in identity.keys])
    yield from repeated_names(view, ("identity", "links"), [x.name for x in identity.links])
    yield from _key_faults(view)
    for i, link in enumerate(identity.links):
        yield from _link_faults(view, i, link)
    yield from _priority_faults(view)
    yield from _never_merge_faults(view)
    yield from _review_faults(view)


def repeated_names(view: PlanView, path: tuple[str | int, ...], names: list[str]) -> Iterator[Fault]:
    """Names of rules that stand twice in one list of plan.yaml."""
    for i, name in enumerate(names):
        if name in names[:i]:
            yield view.fault(PLAN, (*path, i), f"{shown(name)} stands here twice", "give each rule its own name")


def _key_faults(view: PlanView) -> Iterator[Fault]:
    for i, key in enumerate(view.plan.file.identity.keys):
        entity = ENTITIES[key.entity]
        for name in key.fields:
            if field_of(entity, name) is None:
                remedy = nearest(name, [f.name for f in entity.fields], f"name a field of {key.entity}")
                path = ("identity", "keys", i, "fields")
                yield view.fault(PLAN, path, f"{key.entity} has no field {shown(name)}", remedy)


def _link_faults(view: PlanView, i: int, link: IdentityLink) -> Iterator[Fault]:
    for part, table in (("table", link.table), ("to_table", link.to_table)):
        path = ("identity", "links", i, part)
        if table not in view.tables:
            remedy = nearest(table, view.tables, "name a declared `system.table`")
            yield view.fault(PLAN, path, f"{shown(table)} is not a table of this plan", remedy)
        elif "customer" not in {f.entity for f in view.feeds_of_table.get(table, ())}:
            yield view.fault(PLAN, path, f"{table} feeds no customer", "link tables whose rows are customers")
    if link.table in view.tables and (wrong := view.column_problem(link.table, link.column)):
        yield view.fault(PLAN, ("identity", "links", i, "column"), *wrong)


def _priority_faults(view: PlanView) -> Iterator[Fault]:
    priority, path = view.plan.file.identity.priority, ("identity", "priority")
    for name in priority:
        if name not in view.plan.file.sources:
            remedy = nearest(name, view.plan.file.sources, "name a source of the plan")
            yield view.fault(PLAN, path, f"{shown(name)} is not a source of this plan", remedy)
    if len(set(priority)) < len(priority):
        yield view.fault(PLAN, path, "names a system twice", "name each system once")
    systems = sorted({f.system for f in view.plan.feeds_of("customer")})
    missing = [s for s in systems if s not in priority]
    if len(systems) > 1 and missing:
        problem = f"customers come from {', '.join(systems)}, and nothing says whose values win"
        yield view.fault(PLAN, path, problem, f"add {', '.join(missing)} where it belongs in the order")


def _never_merge_faults(view: PlanView) -> Iterator[Fault]:
    customer = ENTITIES["customer"]
    for i, predicate in enumerate(view.plan.file.identity.never_merge):
        path = ("identity", "never_merge", i)
        field = field_of(customer, predicate.field)
        if field is None:
            remedy = nearest(predicate.field, [f.name for f in customer.fields], "name a field of customer")
            yield view.fault(PLAN, path, f"customer has no field {shown(predicate.field)}", remedy)
        elif wrong := predicate_problem(view, field, predicate):
            yield view.fault(PLAN, path, *wrong)


def _review_faults(view: PlanView) -> Iterator[Fault]:
    review, own = view.plan.file.identity.review, view.plan.file.currency_exponents
    amounts = review.four_eyes if isinstance(review.four_eyes, dict) else {}
    for code, amount in amounts.items():
        place = ("identity", "review", "four_eyes", code)
        if not is_currency(code, own):
            yield view.fault(PLAN, place, f"{shown(code)} is no currency", "name an ISO 4217 code in capitals")
            continue
        try:
            to_minor(Decimal(amount), code, overrides=own)
        except MoneyError as error:
            yield view.fault(PLAN, place, str(error), "write an amount that the currency can hold")
    if review.compare_in is None:
        return
    path = ("identity", "review", "compare_in")
    if not is_currency(review.compare_in, own):
        problem = f"{shown(review.compare_in)} is no currency"
        yield view.fault(PLAN, path, problem, "name an ISO 4217 code in capitals")
    elif not view.plan.feeds_of("exchange_rate"):
        yield view.fault(PLAN, path, "nothing feeds exchange_rate", "map the rates to compare by, or leave it out")
