"""billing.yaml, where it says whom contracts, invoices and seats name beside whose they are: columns that lead to rows
of customers and contacts."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.errors import Fault
from migration_assets.plan.billing_records import RecordName
from migration_assets.plan.checks.view import BILLING, PlanView
from migration_assets.plan.wording import shown

# Fields that name a row, and the entity that it has to be.
_NAMING: tuple[tuple[RecordName, str, str], ...] = (
    ("contracts", "payer", "customer"),
    ("receivables", "payer", "customer"),
    ("seats", "contact", "contact"),
)


def term_faults(view: PlanView) -> Iterator[Fault]:
    """Fields that name somebody, and lead to no row of that kind."""
    reads = view.plan.billing.legacy.reads if view.plan.billing else {}
    for record, field, entity in _NAMING:
        told = reads[record].fields.get(field) if record in reads else None
        if told is None:
            continue
        path, table = ("legacy", "reads", record, "fields", field), reads[record].table
        if told.column is None:
            remedy = "name the raw column it is in, or leave it out"
            yield view.fault(BILLING, path, f"a fixed value names no {entity} of one record", remedy)
            continue
        declared = view.plan.source_tables.get(table)
        if declared is None:
            continue
        there = view.plan.source_tables.get(declared.references.get(told.column, ""))
        if there is None or there.home != entity:
            problem = f"{shown(told.column)} leads to no {entity}, so who is meant cannot be told"
            remedy = f"list it under `references` of {table} in plan.yaml, with the table of {entity}s, or leave it out"
            yield view.fault(BILLING, path, problem, remedy)
