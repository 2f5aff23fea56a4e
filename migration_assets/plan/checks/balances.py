"""billing.yaml, where it says what balances are told from: customers that rows lead to, and what records need beside
them to say anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from migration_assets.domain.errors import Fault
from migration_assets.plan.billing_models import LegacyBilling
from migration_assets.plan.billing_records import RecordName
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.wording import shown

_FILE = "billing.yaml"
# Contracts are everybody's concern; their balance is what recurs.
_OWNED: tuple[RecordName, ...] = ("receivables", "payments", "credit_memos", "credits")
# What a record is told of.
_NEEDS: Mapping[RecordName, tuple[RecordName, ...]] = {
    "applications": ("receivables", "payments"),
    "refunds": ("payments", "applications"),
    "disputes": ("payments", "applications"),
    "payments": ("applications",),
    "write_offs": ("receivables",),
    "revenue": ("receivables", "lines"),
}


def balance_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about balances in billing.yaml."""
    if view.plan.billing is None:
        return
    legacy = view.plan.billing.legacy
    yield from _nobodys(view, legacy)
    for record in (r for r in _NEEDS if r in legacy.reads):
        if absent := [r for r in _NEEDS[record] if r not in legacy.reads]:
            problem = f"{record} say nothing without {' and '.join(absent)}, which are not read"
            remedy = f"add {' and '.join(absent)} to `reads`, or leave {record} out"
            yield view.fault(_FILE, ("legacy", "reads", record), problem, remedy)
    if "revenue" in legacy.reads and "lines" in legacy.reads and "line_id" not in legacy.reads["lines"].fields:
        remedy = "name the column that the table of revenue names a line by"
        yield view.fault(
            _FILE, ("legacy", "reads", "lines", "fields"), "lines need line_id where revenue is read", remedy
        )


def _nobodys(view: PlanView, legacy: LegacyBilling) -> Iterator[Fault]:
    """Tables whose rows lead to no customer, so that nobody knows whose balance they are."""
    for record in (r for r in _OWNED if r in legacy.reads):
        table = legacy.reads[record].table
        declared = view.plan.source_tables.get(table)
        if declared is not None and declared.owner == "none":
            problem = f"rows of {shown(table)} lead to no customer, so whose balance they are cannot be told"
            remedy = f"name the column that leads to the customer as `owner` of {table} in plan.yaml"
            yield view.fault(_FILE, ("legacy", "reads", record, "table"), problem, remedy)
