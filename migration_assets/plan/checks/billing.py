"""billing.yaml: tables the plan has, raw columns they have, and codes that mean something to the old system's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from migration_assets.domain.errors import Fault
from migration_assets.domain.legacy import terms
from migration_assets.plan.billing_models import READS, Read, ReadColumn, RecordName
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.wording import listing, nearest, shown

BILLING = "billing.yaml"
# What a coded field may come to mean.
_MEANINGS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("contracts", "status"): ("trial", "active", "past_due", "paused", "over"),
    ("items", "kind"): get_args(terms.ItemKind),
    ("items", "model"): get_args(terms.PriceModel),
    ("prices", "model"): get_args(terms.PriceModel),
    ("changes", "kind"): get_args(terms.ChangeKind),
    ("grants", "overage"): get_args(terms.Overage),
    ("lines", "kind"): ("recurring", "proration", "usage", "discount", "credit", "one_off"),
}


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
    known = (view.columns or {}).get(read.table)
    if known is None:
        return
    for field, told in read.fields.items():
        if told.column is not None and told.column not in known:
            problem = f"{read.table} has no column {shown(told.column)}"
            place = ("legacy", "reads", record, "fields", field)
            yield view.fault(BILLING, place, problem, nearest(told.column, known, "name a column it has"))
    for i, condition in enumerate(read.where):
        if condition.field not in known:
            problem = f"{read.table} has no column {shown(condition.field)}"
            where = ("legacy", "reads", record, "where", i, "field")
            yield view.fault(BILLING, where, problem, nearest(condition.field, known, "name a column it has"))


def _code_faults(view: PlanView, record: RecordName, field: str, told: ReadColumn) -> Iterator[Fault]:
    place = ("legacy", "reads", record, "fields", field)
    meanings = _MEANINGS.get((record, field), ())
    said = [told.value] if told.value is not None and told.codes is None else list((told.codes or {}).values())
    for meaning in said if meanings else []:
        if meaning not in meanings:
            problem = f"{shown(meaning)} is no {field} the old system's rules know"
            yield view.fault(BILLING, place, problem, nearest(meaning, meanings, f"use {listing(meanings)}"))
    if told.exclusive and READS[record][field][0] != "day":
        yield view.fault(BILLING, (*place, "exclusive"), f"{field} is no day", "leave `exclusive` out")
