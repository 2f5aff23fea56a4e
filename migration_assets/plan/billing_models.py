"""billing.yaml as models: how the old system bills, which of its raw columns say so, and how the target bills.

Finance signs this file. It reads raw tables and never the mapping, so that a mistake in the mapping cannot agree with
itself: what a contract cost is told twice, once by the mapping and once here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from migration_assets.domain.money import InvoiceRounding
from migration_assets.domain.predicates import Predicate
from migration_assets.plan.frozen import Model

ReadType = Literal["text", "day", "number", "integer", "flag"]
RecordName = Literal[
    "contracts",
    "items",
    "discounts",
    "changes",
    "prices",
    "tax_rates",
    "usage",
    "grants",
    "overrides",
    "credits",
    "invoices",
    "lines",
]


# What is read of each record: field -> its type, and whether there is no record without it.
_T: ReadType = "text"
_D: ReadType = "day"
_N: ReadType = "number"
_I: ReadType = "integer"
_F: ReadType = "flag"
READS: Mapping[RecordName, Mapping[str, tuple[ReadType, bool]]] = {
    "contracts": {
        "contract_id": (_T, True),
        "customer": (_T, True),
        "status": (_T, True),
        "currency": (_T, True),
        "zone": (_T, True),
        "months": (_I, True),
        "anchor": (_D, True),
        "first_day": (_D, True),
        "last_day": (_D, False),
        "country": (_T, False),
        "tax_inclusive": (_F, False),
        "tax_exempt": (_F, False),
        "paused_on": (_D, False),
        "resumes_on": (_D, False),
        "grace_last_day": (_D, False),
    },
    "items": {
        "item_id": (_T, True),
        "contract_id": (_T, True),
        "product": (_T, True),
        "kind": (_T, True),
        "quantity": (_I, True),
        "model": (_T, True),
        "unit_price": (_N, True),
        "first_day": (_D, False),
        "last_day": (_D, False),
    },
    "discounts": {
        "discount_id": (_T, True),
        "contract_id": (_T, True),
        "first_day": (_D, True),
        "cycles": (_I, False),
        "percent": (_N, False),
        "amount": (_N, False),
    },
    "changes": {
        "change_id": (_T, True),
        "contract_id": (_T, True),
        "kind": (_T, True),
        "first_day": (_D, True),
        "new_plan": (_T, False),
        "new_quantity": (_I, False),
        "new_unit_price": (_N, False),
        "percent": (_N, False),
    },
    "prices": {
        "plan": (_T, True),
        "product": (_T, True),
        "months": (_I, True),
        "currency": (_T, True),
        "model": (_T, True),
        "unit_price": (_N, True),
    },
    "tax_rates": {"country": (_T, True), "first_day": (_D, True), "percent": (_N, True)},
    "usage": {
        "contract_id": (_T, True),
        "feature": (_T, True),
        "first_day": (_D, True),
        "used": (_N, True),
        "unit": (_T, False),
    },
    "grants": {
        "product": (_T, True),
        "feature": (_T, True),
        "limit": (_N, False),
        "unit": (_T, False),
        "for_each_unit": (_F, False),
        "overage": (_T, True),
    },
    "overrides": {
        "override_id": (_T, True),
        "customer": (_T, True),
        "feature": (_T, True),
        "country": (_T, False),
        "limit": (_N, True),
        "unit": (_T, False),
        "zone": (_T, True),
        "first_day": (_D, True),
        "last_day": (_D, False),
    },
    "credits": {
        "credit_id": (_T, True),
        "customer": (_T, True),
        "currency": (_T, True),
        "balance": (_N, True),
        "burn_order": (_I, False),
        "last_day": (_D, False),
        "zone": (_T, True),
    },
    "invoices": {
        "invoice_id": (_T, True),
        "contract_id": (_T, True),
        "currency": (_T, True),
        "first_day": (_D, True),
        "last_day": (_D, True),
        "issued_on": (_D, True),
        "subtotal": (_N, True),
        "tax": (_N, True),
    },
    "lines": {
        "invoice_id": (_T, True),
        "kind": (_T, True),
        "item_id": (_T, False),
        "quantity": (_N, False),
        "amount": (_N, True),
        "tax": (_N, True),
        "first_day": (_D, False),
        "last_day": (_D, False),
    },
}


class ReadColumn(Model):
    """Where one field comes from: a raw column, or a fixed value.

    `codes`: raw value -> what it means here; a raw value that is not listed cannot be read. `exclusive`: the day is the
    first that counts no more, so that the last one is the day before.
    """

    column: str | None = None
    value: str | None = None
    codes: dict[str, str] | None = None
    exclusive: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> ReadColumn:
        if (self.column is None) == (self.value is None):
            raise ValueError("a field comes from a column or is a fixed value: name exactly one of both")
        return self


class Read(Model):
    """One kind of record of the old system: which raw table holds it, which rows count, and where its fields are."""

    table: str
    where: tuple[Predicate, ...] = ()
    fields: dict[str, ReadColumn]

    @model_validator(mode="before")
    @classmethod
    def _columns_may_be_named_alone(cls, data: object) -> object:
        """`field: column` is short for `field: {column: column}`."""
        if not isinstance(data, dict) or not isinstance(data.get("fields"), dict):
            return data
        fields = {f: {"column": c} if isinstance(c, str) else c for f, c in data["fields"].items()}
        return {**data, "fields": fields}


class LegacyRules(Model):
    """The old system's choices; what each means is said in `domain.legacy.terms.Rules`."""

    proration: Literal["30e_360", "actual_days"]
    rounding: InvoiceRounding
    rounded_at: Literal["line", "invoice"]
    taxed_at: Literal["line", "invoice"]
    pause: Literal["extends", "skips"]
    uplift_decimals: Annotated[int, Field(ge=0, le=10)] = 4


class LegacyBilling(Model):
    """How the old system bills, and where its raw tables say what it bills from.

    `reads`: by kind of record; contracts and items are needed, others as far as the old system has them.
    """

    rules: LegacyRules
    reads: dict[RecordName, Read]

    @model_validator(mode="after")
    def _reads_what_bills_need(self) -> LegacyBilling:
        if missing := [r for r in ("contracts", "items") if r not in self.reads]:
            raise ValueError(f"{' and '.join(missing)} are needed: nothing is billed without them")
        for record, read in self.reads.items():
            known = READS[record]
            if unknown := sorted(read.fields.keys() - known.keys()):
                raise ValueError(f"{record} have no {', '.join(unknown)}; known: {', '.join(known)}")
            if absent := [f for f, (_, needed) in known.items() if needed and f not in read.fields]:
                raise ValueError(f"{record} need {', '.join(absent)}")
        return self


class Billing(Model):
    """billing.yaml, which a plan need not have: without it nothing is proved about bills.

    `signed_by`, `signed_on`: who in finance says that the old system bills so.
    """

    signed_by: str
    signed_on: date
    legacy: LegacyBilling
