"""The form in which both sides write down a contract, an issued invoice and a seat, and which fields are compared.

A field is compared where the old system has a column for it that billing.yaml names, and the target one that holds it:
a fixed value says nothing of one record, and what the target does not keep it cannot keep wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migration_assets.plan.billing_models import LegacyBilling
    from migration_assets.plan.billing_records import RecordName
    from migration_assets.plan.models import Plan

# Of instants that both sides write down; periods are half-open.
INSTANT = "timestamp('UTC', 6)"


@dataclass(frozen=True)
class Field:
    """`type`: of both sides. `column`: the canonical one that the target has to keep. `reads`: fields of which record
    the old system's answer comes from; none: it follows from whose the row is."""

    type: str
    column: str
    record: RecordName = "contracts"
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """What is written down of one record. `entity`: whose canonical rows say it."""

    record: RecordName
    entity: str
    fields: Mapping[str, Field]


CONTRACT = Form(
    "contracts",
    "subscription",
    {
        "customer": Field("string", "customer_id"),
        "payer": Field("string", "payer_id", reads=("payer",)),
        "legal_entity": Field("string", "legal_entity_id", reads=("legal_entity",)),
        "currency": Field("string", "currency", reads=("currency",)),
        "status": Field("string", "status", reads=("status",)),
        "starts_at": Field(INSTANT, "starts_at", reads=("first_day",)),
        "ends_at": Field(INSTANT, "ends_at", reads=("last_day",)),
        "trial_ends_at": Field(INSTANT, "trial_ends_at", reads=("trial_last_day",)),
        "period_starts_at": Field(INSTANT, "current_period_starts_at", reads=("anchor",)),
        "period_ends_at": Field(INSTANT, "current_period_ends_at", reads=("anchor",)),
    },
)
INVOICE = Form(
    "receivables",
    "invoice",
    {
        "issued": Field("boolean", "status"),
        "customer": Field("string", "customer_id"),
        "payer": Field("string", "payer_id", "receivables", ("payer",)),
        "number": Field("string", "number", "receivables", ("number",)),
        "legal_entity": Field("string", "legal_entity_id", "receivables", ("legal_entity",)),
        "currency": Field("string", "currency", "receivables", ("currency",)),
        "total": Field("int64", "total_minor", "receivables", ("total",)),
        "issued_on": Field("date", "issued_on", "receivables", ("issued_on",)),
        "due_on": Field("date", "due_on", "receivables", ("due_on",)),
        "period_starts_at": Field(INSTANT, "period_starts_at", "invoices", ("first_day",)),
        "period_ends_at": Field(INSTANT, "period_ends_at", "invoices", ("last_day",)),
    },
)
SEAT = Form(
    "seats",
    "seat_assignment",
    {
        "item": Field("string", "item_id", "seats", ("item_id",)),
        "contact": Field("string", "contact_id", "seats", ("contact",)),
        "holder": Field("string", "holder", "seats", ("holder",)),
        "assigned_at": Field(INSTANT, "assigned_at", "seats", ("assigned_at",)),
        "released_at": Field(INSTANT, "released_at", "seats", ("released_at",)),
    },
)
FORMS = (CONTRACT, INVOICE, SEAT)


def compared_fields(plan: Plan, legacy: LegacyBilling, form: Form) -> tuple[str, ...]:
    """Names of the fields that are compared; none where the old system's record is not read, or the target has no
    table for it."""
    tables = [t for t in plan.target.tables.values() if t.entity == form.entity]
    if form.record not in legacy.reads or not tables:
        return ()
    kept = {column for t in tables for column in t.columns.values()}
    return tuple(n for n, f in form.fields.items() if f.column in kept and _told(legacy, f))


def _told(legacy: LegacyBilling, field: Field) -> bool:
    read = legacy.reads.get(field.record)
    told = [read.fields.get(name) if read else None for name in field.reads]
    return all(t is not None and t.column is not None for t in told)
