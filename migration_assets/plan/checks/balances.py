"""billing.yaml, where it says what balances are told from: customers that rows lead to."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.errors import Fault
from migration_assets.plan.billing_records import RecordName
from migration_assets.plan.checks.view import BILLING, PlanView
from migration_assets.plan.wording import shown

# What is somebody's by itself; what settles an invoice is whose the invoice is.
_OWNED: tuple[RecordName, ...] = ("receivables", "payments", "credit_memos", "credits")


def balance_faults(view: PlanView) -> Iterator[Fault]:
    """Tables whose rows lead to no customer, so that nobody knows whose balance they are."""
    reads = view.plan.billing.legacy.reads if view.plan.billing else {}
    for record in (r for r in _OWNED if r in reads):
        table = reads[record].table
        declared = view.plan.source_tables.get(table)
        if declared is not None and declared.owner == "none":
            problem = f"rows of {shown(table)} lead to no customer, so whose balance they are cannot be told"
            remedy = f"name the column that leads to the customer as `owner` of {table} in plan.yaml"
            yield view.fault(BILLING, ("legacy", "reads", record, "table"), problem, remedy)
