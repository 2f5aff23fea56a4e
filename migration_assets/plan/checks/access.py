"""billing.yaml, where it says what is compared of access and what was signed for: customers that rows lead to, features
that are compared, and regions there are."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.errors import Fault
from migration_assets.plan.billing_models import Billing
from migration_assets.plan.billing_records import RecordName
from migration_assets.plan.checks.standards import is_country
from migration_assets.plan.checks.view import BILLING, PlanView
from migration_assets.plan.wording import nearest, shown

_ANYWHERE = "*"
_OWNED: tuple[RecordName, ...] = ("contracts", "overrides")


def access_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about access in billing.yaml."""
    billing = view.plan.billing
    if billing is None:
        return
    if billing.legacy.features:
        yield from _nobodys(view, billing)
    yield from _accepted(view, billing)


def _nobodys(view: PlanView, billing: Billing) -> Iterator[Fault]:
    """Tables whose rows lead to no customer, so that nobody knows whose access they give."""
    for record in (r for r in _OWNED if r in billing.legacy.reads):
        table = billing.legacy.reads[record].table
        declared = view.plan.source_tables.get(table)
        if declared is not None and declared.owner == "none":
            problem = f"rows of {shown(table)} lead to no customer, so whose access they give cannot be told"
            remedy = f"name the column that leads to the customer as `owner` of {table} in plan.yaml"
            yield view.fault(BILLING, ("legacy", "reads", record, "table"), problem, remedy)


def _accepted(view: PlanView, billing: Billing) -> Iterator[Fault]:
    compared = sorted({f.feature for f in billing.legacy.features.values()})
    for place, told in enumerate(billing.accepted_access):
        path = ("accepted_access", place)
        if told.feature not in compared:
            problem = f"{shown(told.feature)} is no feature whose access is compared"
            remedy = nearest(told.feature, compared, "name one that `features` of the old system leads to")
            yield view.fault(BILLING, (*path, "feature"), problem, remedy)
        for region in told.regions:
            if region != _ANYWHERE and not is_country(region):
                problem = f"{shown(region)} is no region"
                yield view.fault(BILLING, (*path, "regions"), problem, "write an ISO 3166-1 code of two letters, or *")
        if told.expires_on is not None and told.expires_on <= told.signed_on:
            problem = f"it expires on {told.expires_on}, which is not after {told.signed_on}, when it was signed"
            yield view.fault(BILLING, (*path, "expires_on"), problem, "write a later day, or leave it out")
