"""billing.yaml: tables the plan has, raw columns they have, and codes that mean something to the old system's rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from migration_assets.domain.errors import Fault
from migration_assets.domain.legacy.terms import PriceModel
from migration_assets.plan.billing_models import READ_MODELS, READS, Read, ReadColumn, RecordName
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.wording import listing, nearest, shown

BILLING = "billing.yaml"
# Words of the old rules that no field can be read as: nothing says what a tier or a package costs.
_UNREAD = frozenset(get_args(PriceModel)) - frozenset(READ_MODELS)


def billing_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about billing.yaml."""
    if view.plan.billing is None:
        return
    for record, read in view.plan.billing.legacy.reads.items():
        path = ("legacy", "reads", record)
        if read.table not in view.plan.source_tables:
            problem = f"the plan has no table {shown(read.table)}"
            remedy = nearest(read.table, view.plan.source_tables, "name one of plan.yaml, as system.table")
            yield view.fault(BILLING, (*path, "table"), problem, remedy)
            continue
        yield from _column_faults(view, record, read)
        for field, told in read.fields.items():
            yield from _code_faults(view, record, field, told)


def _column_faults(view: PlanView, record: RecordName, read: Read) -> Iterator[Fault]:
    path = ("legacy", "reads", record)
    for field, told in read.fields.items():
        if told.column is not None and (wrong := view.column_problem(read.table, told.column)):
            yield view.fault(BILLING, (*path, "fields", field), *wrong)
    for i, condition in enumerate(read.where):
        here = view.fault(BILLING, (*path, "where", i, "field"), "", "")
        yield from view.predicate_faults(read.table, [condition], here)


def _code_faults(view: PlanView, record: RecordName, field: str, told: ReadColumn) -> Iterator[Fault]:
    place = ("legacy", "reads", record, "fields", field)
    known = READS[record][field]
    if told.exclusive and known.type != "day":
        yield view.fault(BILLING, (*place, "exclusive"), f"{field} is no day", "leave `exclusive` out")
    if not known.means:
        return
    if told.codes is None and told.column is not None:
        problem = f"{field} means one of a few words, and nothing says which raw value means which"
        yield view.fault(BILLING, place, problem, f"add `codes`, raw value: {' or '.join(known.means)}")
    for meaning in [told.value] if told.codes is None else told.codes.values():
        if meaning is not None and meaning not in known.means:
            yield view.fault(BILLING, place, *_unknown(field, meaning, known.means))


def _unknown(field: str, meaning: str, known: tuple[str, ...]) -> tuple[str, str]:
    """Problem and remedy of a word that a field cannot mean."""
    if field == "model" and meaning in _UNREAD:
        remedy = "leave the code out: contracts with such a price are not billed again"
        return f"prices by tiers or packages cannot be read yet, so none is {shown(meaning)}", remedy
    problem = f"{shown(meaning)} is no {field} the old system's rules know"
    return problem, nearest(meaning, known, f"use {listing(known)}")
