"""billing.yaml as models: how the old system bills, which of its raw columns say so, and how the target bills.

Finance signs this file. It reads raw tables and never the mapping, so that a mistake in the mapping cannot agree with
itself: what a contract cost is told twice, once by the mapping and once here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import Field, model_validator

from migration_assets.domain.access import Overage
from migration_assets.domain.legacy.terms import ChangeKind, ItemKind, PriceModel
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


class ReadField(NamedTuple):
    """One field of a record: its type, whether there is no record without it, what it says, and, where a raw code
    comes to mean one of a few words, those words."""

    type: ReadType
    needed: bool
    says: str
    means: tuple[str, ...] = ()


# How a raw value becomes a field of each type; a column that has the type already is taken as it is.
READ_AS: Mapping[ReadType, str] = {
    "text": "as it is, without blanks around it; an empty one is none",
    "day": "2026-03-31, the contract's own day; a time after it is left out",
    "number": "1234.5, digits with a point and no other sign between them; at most ten decimals",
    "integer": "12, digits alone",
    "flag": "y, yes, t, true or 1; n, no, f, false or 0; capitals or not; none counts as no",
}

# What one record of each kind is.
RECORDS: Mapping[RecordName, str] = {
    "contracts": "One for each contract that is billed.",
    "items": "One for each product on a contract.",
    "discounts": "One for each discount on a contract.",
    "changes": "One for each change that was agreed for a later period of a contract.",
    "prices": "The price list: what a plan's base product costs, for changes to another plan.",
    "tax_rates": "One for each country and day from which a rate holds, until the country's next one.",
    "usage": "What was counted of a feature within one period of a contract.",
    "grants": "What owning a product grants of a feature.",
    "overrides": "One for each exception that a customer was granted for a feature.",
    "credits": "One for each credit that a customer still has.",
    "invoices": "One for each issued invoice of a contract: no drafts, no void ones, none without a contract.",
    "lines": "One for each line of an invoice.",
}

# A price by tiers or packages has no field that says them, so no raw value can mean one yet.
READ_MODELS: tuple[PriceModel, ...] = ("flat", "per_seat")
_T: ReadType = "text"
_D: ReadType = "day"
_N: ReadType = "number"
_I: ReadType = "integer"
_F: ReadType = "flag"
_FLAT = "how a price is made: quantity times unit price in both; tiers and packages cannot be read yet"

# What is read of each record, by field.
READS: Mapping[RecordName, Mapping[str, ReadField]] = {
    "contracts": {
        "contract_id": ReadField(_T, True, "what items, discounts, changes, usage and invoices name it by"),
        "customer": ReadField(_T, True, "whose it is, as overrides and credits name them"),
        "status": ReadField(_T, True, "how it stands now", ("trial", "active", "past_due", "paused", "over")),
        "currency": ReadField(_T, True, "of all its prices and invoices, as EUR"),
        "zone": ReadField(_T, True, "time zone that its days are days of, as Europe/Berlin"),
        "months": ReadField(_I, True, "length of a billing period: 1 for a month, 12 for a year"),
        "anchor": ReadField(_D, True, "the day that periods are counted from, which begins the first of them"),
        "first_day": ReadField(_D, True, "its first day, trial included"),
        "last_day": ReadField(_D, False, "its last day; none while it renews"),
        "country": ReadField(
            _T, False, "whose tax is charged, as tax_rates name it; without one only who is exempt is billed"
        ),
        "tax_inclusive": ReadField(_F, False, "whether its prices contain tax"),
        "tax_exempt": ReadField(_F, False, "whether no tax is charged"),
        "paused_on": ReadField(_D, False, "first day of a pause"),
        "resumes_on": ReadField(_D, False, "the day on which service is back; none while nobody has said"),
        "grace_last_day": ReadField(_D, False, "last day of access of a contract that is past due"),
    },
    "items": {
        "item_id": ReadField(_T, True, "what invoice lines name it by"),
        "contract_id": ReadField(_T, True, "the contract it is on"),
        "product": ReadField(_T, True, "as prices and grants name it"),
        "kind": ReadField(
            _T, True, "the plan itself, something on top of it, or what is billed as it is used", get_args(ItemKind)
        ),
        "quantity": ReadField(_I, True, "units bought"),
        "model": ReadField(_T, True, _FLAT, READ_MODELS),
        "unit_price": ReadField(
            _N, True, "of one unit for one period, of usage for each unit used; as agreed, not as listed; as 12.50"
        ),
        "first_day": ReadField(_D, False, "its first day; none where it comes with the contract"),
        "last_day": ReadField(_D, False, "its last day; none where it goes with the contract"),
    },
    "discounts": {
        "discount_id": ReadField(_T, True, "what it is named by"),
        "contract_id": ReadField(_T, True, "the contract it is on"),
        "first_day": ReadField(_D, True, "first day of the first period that gets it"),
        "cycles": ReadField(_I, False, "periods it was granted for, those past included; none: for ever"),
        "percent": ReadField(_N, False, "off the recurring lines together: 10 is a tenth; counts before amount"),
        "amount": ReadField(_N, False, "off each period, as 5.00; never more than its recurring lines come to"),
    },
    "changes": {
        "change_id": ReadField(_T, True, "what it is named by"),
        "contract_id": ReadField(_T, True, "the contract it was agreed for"),
        "kind": ReadField(
            _T,
            True,
            "downgrade and upgrade go to another plan, ramp to another quantity, uplift to other prices",
            get_args(ChangeKind),
        ),
        "first_day": ReadField(_D, True, "first day of the period it holds from"),
        "new_plan": ReadField(_T, False, "of a downgrade or upgrade, as prices name it"),
        "new_quantity": ReadField(_I, False, "of a ramp"),
        "new_unit_price": ReadField(_N, False, "of a ramp; none where the price stays"),
        "percent": ReadField(_N, False, "of an uplift: 5 is a twentieth more"),
    },
    "prices": {
        "plan": ReadField(_T, True, "as changes name it"),
        "product": ReadField(_T, True, "the plan's base product, as items name it"),
        "months": ReadField(_I, True, "length of the period that the price is for"),
        "currency": ReadField(_T, True, "as EUR"),
        "model": ReadField(_T, True, _FLAT, READ_MODELS),
        "unit_price": ReadField(_N, True, "of one unit for that period, as 12.50"),
    },
    "tax_rates": {
        "country": ReadField(_T, True, "as contracts name it"),
        "first_day": ReadField(_D, True, "the first day it holds"),
        "percent": ReadField(_N, True, "19 is nineteen percent"),
    },
    "usage": {
        "contract_id": ReadField(_T, True, "the contract it was counted for"),
        "feature": ReadField(_T, True, "as grants name it"),
        "first_day": ReadField(_D, True, "first day of the period"),
        "used": ReadField(_N, True, "units"),
        "unit": ReadField(_T, False, "what they are units of"),
    },
    "grants": {
        "product": ReadField(_T, True, "as items name it"),
        "feature": ReadField(_T, True, "what is granted"),
        "limit": ReadField(_N, False, "units that may be used; none: without limit; 0: not allowed"),
        "unit": ReadField(_T, False, "what they are units of"),
        "for_each_unit": ReadField(_F, False, "whether the limit is for each unit bought of the product"),
        "overage": ReadField(
            _T,
            True,
            "past the limit: not possible, billed from there on, all of it billed, or not counted",
            get_args(Overage),
        ),
    },
    "overrides": {
        "override_id": ReadField(_T, True, "what it is named by; of two that begin alike the greater wins"),
        "customer": ReadField(_T, True, "as contracts name them"),
        "feature": ReadField(_T, True, "as grants name it"),
        "country": ReadField(_T, False, "where it holds; none: everywhere"),
        "limit": ReadField(_N, True, "units that may be used; 0: not allowed"),
        "unit": ReadField(_T, False, "what they are units of"),
        "zone": ReadField(_T, True, "time zone that its days are days of"),
        "first_day": ReadField(_D, True, "the first day it holds"),
        "last_day": ReadField(_D, False, "the last day it holds; none: for ever"),
    },
    "credits": {
        "credit_id": ReadField(_T, True, "what it is named by"),
        "customer": ReadField(_T, True, "as contracts name them"),
        "currency": ReadField(_T, True, "of invoices that it pays"),
        "balance": ReadField(_N, True, "what is left of it, as 5.00; negative where the customer owes it"),
        "burn_order": ReadField(_I, False, "the lowest is used first; none comes last"),
        "last_day": ReadField(_D, False, "the last day it can be used; none: for ever"),
        "zone": ReadField(_T, True, "time zone that its last day is a day of"),
    },
    "invoices": {
        "invoice_id": ReadField(_T, True, "what lines name it by"),
        "contract_id": ReadField(_T, True, "the contract it bills"),
        "currency": ReadField(_T, True, "as EUR"),
        "first_day": ReadField(_D, True, "first day of the period it bills"),
        "last_day": ReadField(_D, True, "last day of it"),
        "issued_on": ReadField(_D, True, "the day it bears"),
        "subtotal": ReadField(_N, True, "its lines together, without tax"),
        "tax": ReadField(_N, True, "its tax"),
    },
    "lines": {
        "invoice_id": ReadField(_T, True, "the invoice it stands on"),
        "kind": ReadField(
            _T, True, "what it bills", ("recurring", "proration", "usage", "discount", "credit", "one_off")
        ),
        "item_id": ReadField(_T, False, "the item it bills; none of a discount"),
        "quantity": ReadField(_N, False, "of a usage line the units it bills, which are billed again"),
        "amount": ReadField(_N, True, "without tax; negative of a discount"),
        "tax": ReadField(_N, True, "its tax"),
        "first_day": ReadField(_D, False, "the first day it bills; without one its invoice does not come out"),
        "last_day": ReadField(_D, False, "the last day it bills; without one its invoice does not come out"),
    },
}


class ReadColumn(Model):
    """Where one field comes from: a raw column, or a fixed value that is the same for every record.

    `codes`: raw value -> what it means here; a raw value that is not listed cannot be read. Fields that mean one of a
    few words need it. `exclusive`: the day is the first that counts no more, so that the last one is the day before.
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
    """One kind of record of the old system: which raw table holds it, which rows count, and where its fields are.

    `table`: `system.table`, as plan.yaml declares it. `where`: conditions on raw columns, which all hold of a row that
    counts. `fields`: by the names below; `field: column` is short for `field: {column: column}`.
    """

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
    """What the old system does where billing systems differ.

    - `proration`: what is owed for a part of a period. `30e_360`: every month counts as thirty days, so that a day
      costs a thirtieth of the month's price. `actual_days`: days are counted as they are in the calendar, so that ten
      of the 28 days of a February cost ten 28ths.
    - `rounding`: what becomes of the part of an amount that is smaller than a cent, or whatever the currency's smallest
      coin is. `half_up`: to the nearest cent, and half a cent makes a whole one. `half_down`: to the nearest cent, and
      half a cent is dropped. `half_even`: to the nearest cent, and from half a cent to the even one (2.5 is 2, 3.5 is
      4). `up`: whatever is left makes a whole cent. `down`: whatever is left is dropped. What is taken off is rounded
      as what is charged: half a cent of a discount of 2.5 cents makes it 3 with `half_up`.
    - `rounded_at`: which amounts are rounded. `line`: each line, and the invoice is what the rounded lines come to.
      `invoice`: the invoice as a whole; its lines are printed in whole cents that add up to it.
    - `taxed_at`: which tax is rounded. `line`: that of each line. `invoice`: that of the whole invoice; what its lines
      show adds up to it.
    - `pause`: what becomes of a period that a pause begins in. `extends`: its remaining days are used up after the
      pause, and the next period begins when they are over. `skips`: periods stay where they are; those that
      begin within the pause are not billed, and the days that were paid are lost.
    - `uplift_decimals`: decimals that a price has after an agreed increase, rounded with half of the last one up.
    """

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
            if absent := [f for f, told in known.items() if told.needed and f not in read.fields]:
                raise ValueError(f"{record} need {', '.join(absent)}")
        return self


class Billing(Model):
    """billing.yaml, which a plan need not have: without it nothing is proved about bills.

    `signed_by`, `signed_on`: who in finance says that the old system bills so.
    """

    signed_by: str
    signed_on: date
    legacy: LegacyBilling
