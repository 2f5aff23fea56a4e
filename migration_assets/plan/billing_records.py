"""What is read of an old system's billing: kinds of records and their fields, with what each of them says.

Belongs here: names, types and meanings. Not here: where a plan finds them (`billing_models`) and how they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from migration_assets.domain.access import Overage
from migration_assets.domain.legacy.terms import ChangeKind, ItemKind, PriceModel

ReadType = Literal["text", "day", "instant", "number", "integer", "flag"]
Standard = Literal["country", "currency", "zone"]
RecordName = Literal[
    "contracts",
    "items",
    "discounts",
    "changes",
    "plans",
    "prices",
    "tiers",
    "tax_rates",
    "usage",
    "grants",
    "overrides",
    "credits",
    "invoices",
    "lines",
    "receivables",
    "payments",
    "applications",
    "refunds",
    "disputes",
    "write_offs",
    "credit_memos",
    "revenue",
    "seats",
]


class ReadField(NamedTuple):
    """One field of a record: its type, whether there is no record without it, what it says, and, where a raw code
    comes to mean one of a few words, those words.

    What a plan itself writes as its value is also from `least` to `most`, where they are said, and on the list of its
    `standard`: ISO 3166-1, ISO 4217 (or the plan's own), IANA. Raw values are judged when they are read. `unless`: an
    earlier field and those of its words with which a record does without this one.
    """

    type: ReadType
    needed: bool
    says: str
    means: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    standard: Standard | None = None
    unless: tuple[str, tuple[str, ...]] | None = None


# How a raw value becomes a field of each type; a column that has the type already is taken as it is.
READ_AS: Mapping[ReadType, str] = {
    "text": "as it is, without blanks around it; an empty one is none",
    "day": "2026-03-31, the contract's own day; a time after it is left out",
    "instant": "2026-03-31T12:00:00+02:00, with its offset or Z; a local time is none",
    "number": "1234.5, digits with a point and no other sign between them; at most ten decimals",
    "integer": "12, digits alone",
    "flag": "y, yes, t, true or 1; n, no, f, false or 0; capitals or not; none counts as no",
}

# The forms of it, as they are read and as a plan writes them.
NUMBER = r"^[+-]?[0-9]{1,27}(\.[0-9]{1,10})?$"
WHOLE = r"^[+-]?[0-9]{1,18}$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"
INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}(:[0-9]{2})?)$"
YES, NO = ("y", "yes", "t", "true", "1"), ("n", "no", "f", "false", "0")

# What one record of each kind is.
RECORDS: Mapping[RecordName, str] = {
    "contracts": "One for each contract that is billed.",
    "items": "One for each product on a contract.",
    "discounts": "One for each discount on a contract.",
    "changes": "One for each change that was agreed for a later period of a contract.",
    "plans": "One for each plan that a change may lead to: its base product, and how often it is billed.",
    "prices": "The price list: what a product costs for one period, for changes to another plan.",
    "tiers": "One for each tier of a price by tiers or by volume, of items and of the price list alike.",
    "tax_rates": "One for each country and day from which a rate holds, until the country's next one.",
    "usage": "What was counted of a feature within one period of a contract.",
    "grants": "What owning a product grants of a feature.",
    "overrides": "One for each exception that a customer was granted for a feature.",
    "credits": "One for each credit that a customer still has.",
    "invoices": "One for each issued invoice of a contract: no drafts, no void ones, none without a contract.",
    "lines": "One for each line of an invoice.",
    "receivables": "One for each issued invoice, of a contract or not: no drafts and no void ones. Whose it is follows "
    "from the `owner` of its table in plan.yaml, as for all that is told of balances.",
    "payments": "One for each payment.",
    "applications": "One for each amount of a payment that settles an invoice.",
    "refunds": "One for each amount of a payment that is given back.",
    "disputes": "One for each payment that the payer contests.",
    "write_offs": "One for each amount of an invoice that was given up.",
    "credit_memos": "One for each credit note: no void ones.",
    "revenue": "One for each line of an invoice and month that it is revenue of.",
    "seats": "One for each seat that somebody holds or held.",
}

_T: ReadType = "text"
_D: ReadType = "day"
_AT: ReadType = "instant"
_N: ReadType = "number"
_I: ReadType = "integer"
_F: ReadType = "flag"
_ONE_CURRENCY = "as EUR; in another one than its invoice's it settles nothing, as nobody says at what rate"
_PAYER = (
    "who pays, where it is not whose it is: the key of a customer, in a column that plan.yaml lists in `references`"
)
_MODEL = (
    "how a price is made: flat and per_seat are quantity times unit price; tiered charges the units of each tier at "
    "that tier's price, volume all units at the price of the tier that the last one is in, package each package that "
    "is begun"
)
_TIERED = ("model", ("tiered", "volume"))
_TIERS_OF = "of a price by tiers or by volume: what tiers name it by"
_PACKAGE = "of a price by packages: units in one of them; the unit price is what one package costs"

# What is read of each record, by field.
READS: Mapping[RecordName, Mapping[str, ReadField]] = {
    "contracts": {
        "contract_id": ReadField(_T, True, "what items, discounts, changes, usage and invoices name it by"),
        "customer": ReadField(_T, True, "whose it is, as overrides and credits name them"),
        "status": ReadField(_T, True, "how it stands now", ("trial", "active", "past_due", "paused", "over")),
        "currency": ReadField(_T, True, "of all its prices and invoices, as EUR", standard="currency"),
        "zone": ReadField(_T, True, "time zone that its days are days of, as Europe/Berlin", standard="zone"),
        "months": ReadField(_I, True, "length of a billing period: 1 for a month, 12 for a year", least=1, most=1200),
        "anchor": ReadField(_D, True, "the day that periods are counted from, which begins the first of them"),
        "first_day": ReadField(_D, True, "its first day, trial included"),
        "last_day": ReadField(_D, False, "its last day; none while it renews"),
        "country": ReadField(
            _T,
            False,
            "whose tax is charged, as tax_rates name it; without one only who is exempt is billed",
            standard="country",
        ),
        "tax_inclusive": ReadField(_F, False, "whether its prices contain tax"),
        "tax_exempt": ReadField(_F, False, "whether no tax is charged"),
        "paused_on": ReadField(_D, False, "first day of a pause"),
        "resumes_on": ReadField(_D, False, "the day on which service is back; none while nobody has said"),
        "grace_last_day": ReadField(_D, False, "last day of access of a contract that is past due"),
        "legal_entity": ReadField(_T, False, "who bills it, by which recurring revenue is tied out"),
        "payer": ReadField(_T, False, _PAYER),
        "trial_last_day": ReadField(_D, False, "last day of its trial, over or not; none where it had none"),
    },
    "items": {
        "item_id": ReadField(_T, True, "what invoice lines name it by"),
        "contract_id": ReadField(_T, True, "the contract it is on"),
        "product": ReadField(_T, True, "as prices and grants name it"),
        "kind": ReadField(
            _T, True, "the plan itself, something on top of it, or what is billed as it is used", get_args(ItemKind)
        ),
        "quantity": ReadField(_I, True, "units bought", least=0),
        "model": ReadField(_T, True, _MODEL, get_args(PriceModel)),
        "unit_price": ReadField(
            _N,
            True,
            "of one unit for one period, of usage for each unit used; as agreed, not as listed; as 12.50; not asked "
            "where tiers say it",
            unless=_TIERED,
        ),
        "price": ReadField(_T, False, _TIERS_OF),
        "package": ReadField(_I, False, _PACKAGE, least=1),
        "first_day": ReadField(_D, False, "its first day; none where it comes with the contract"),
        "last_day": ReadField(_D, False, "its last day; none where it goes with the contract"),
    },
    "discounts": {
        "discount_id": ReadField(_T, True, "what it is named by"),
        "contract_id": ReadField(_T, True, "the contract it is on"),
        "first_day": ReadField(_D, True, "first day of the first period that gets it"),
        "cycles": ReadField(_I, False, "periods it was granted for, those past included; none: for ever", least=1),
        "percent": ReadField(
            _N, False, "off the recurring lines together: 10 is a tenth; counts before amount", least=0, most=100
        ),
        "amount": ReadField(
            _N, False, "off each period, as 5.00; never more than its recurring lines come to", least=0
        ),
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
        "new_plan": ReadField(_T, False, "of a downgrade or upgrade, as plans name it"),
        "new_quantity": ReadField(_I, False, "of a ramp", least=0),
        "new_unit_price": ReadField(_N, False, "of a ramp; none where the price stays"),
        "percent": ReadField(_N, False, "of an uplift: 5 is a twentieth more", least=-100),
    },
    "plans": {
        "plan": ReadField(_T, True, "as changes name it"),
        "product": ReadField(_T, True, "its base product, as items name it"),
        "months": ReadField(_I, True, "length of its billing period: 1 for a month, 12 for a year", least=1, most=1200),
    },
    "prices": {
        "product": ReadField(_T, True, "as items and plans name it"),
        "months": ReadField(_I, True, "length of the period that the price is for", least=1, most=1200),
        "currency": ReadField(_T, True, "as EUR", standard="currency"),
        "model": ReadField(_T, True, _MODEL, get_args(PriceModel)),
        "unit_price": ReadField(
            _N, True, "of one unit for that period, as 12.50; not asked where tiers say it", unless=_TIERED
        ),
        "price": ReadField(_T, False, _TIERS_OF),
        "package": ReadField(_I, False, _PACKAGE, least=1),
    },
    "tiers": {
        "price": ReadField(_T, True, "as items and prices name it"),
        "up_to": ReadField(
            _I,
            False,
            "the last unit that is in the tier, counted from 1; none: all the rest, as the last tier",
            least=1,
        ),
        "unit_price": ReadField(_N, True, "of one unit for one period, as 12.50"),
        "fee": ReadField(_N, False, "on top, once, as soon as a unit is in the tier, as 12.50; none: nothing"),
    },
    "tax_rates": {
        "country": ReadField(_T, True, "as contracts name it", standard="country"),
        "first_day": ReadField(_D, True, "the first day it holds"),
        "percent": ReadField(_N, True, "19 is nineteen percent", least=0, most=100),
    },
    "usage": {
        "contract_id": ReadField(_T, True, "the contract it was counted for"),
        "feature": ReadField(_T, True, "as grants name it"),
        "first_day": ReadField(_D, True, "first day of the period"),
        "used": ReadField(_N, True, "units", least=0),
        "unit": ReadField(_T, False, "what they are units of"),
    },
    "grants": {
        "product": ReadField(_T, True, "as items name it"),
        "feature": ReadField(_T, True, "what is granted"),
        "limit": ReadField(_N, False, "units that may be used; none: without limit; 0: not allowed", least=0),
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
        "country": ReadField(_T, False, "where it holds; none: everywhere", standard="country"),
        "limit": ReadField(_N, False, "units that may be used; none: without limit; 0: not allowed", least=0),
        "unit": ReadField(_T, False, "what they are units of"),
        "zone": ReadField(_T, True, "time zone that its days are days of", standard="zone"),
        "first_day": ReadField(_D, True, "the first day it holds"),
        "last_day": ReadField(_D, False, "the last day it holds; none: for ever"),
    },
    "credits": {
        "credit_id": ReadField(_T, True, "what it is named by"),
        "customer": ReadField(_T, True, "as contracts name them"),
        "currency": ReadField(_T, True, "of invoices that it pays", standard="currency"),
        "balance": ReadField(_N, True, "what is left of it, as 5.00; negative where the customer owes it"),
        "burn_order": ReadField(_I, False, "the lowest is used first; none comes last"),
        "last_day": ReadField(_D, False, "the last day it can be used; none: for ever"),
        "zone": ReadField(_T, True, "time zone that its last day is a day of", standard="zone"),
    },
    "invoices": {
        "invoice_id": ReadField(_T, True, "what lines name it by"),
        "contract_id": ReadField(_T, True, "the contract it bills"),
        "currency": ReadField(_T, True, "as EUR", standard="currency"),
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
        "line_id": ReadField(_T, False, "what revenue names it by"),
    },
    "receivables": {
        "invoice_id": ReadField(_T, True, "what everything that settles it names it by"),
        "number": ReadField(_T, True, "its number, which it keeps in the target"),
        "legal_entity": ReadField(_T, False, "who issued it: the key of that row in plan.yaml's table of them"),
        "currency": ReadField(_T, True, "as EUR", standard="currency"),
        "total": ReadField(_N, True, "what it comes to with tax, as 119.00"),
        "issued_on": ReadField(_D, True, "the day it bears"),
        "due_on": ReadField(_D, False, "the day it is to be paid by; none: the day it bears"),
        "payer": ReadField(_T, False, _PAYER),
        "open": ReadField(
            _N, False, "what the old system itself says is open of it, to hold the sum against; none: nothing"
        ),
    },
    "payments": {
        "payment_id": ReadField(_T, True, "what applications, refunds and disputes name it by"),
        "status": ReadField(
            _T, True, "whether it came in; one that was given back later did", ("received", "pending", "failed")
        ),
        "currency": ReadField(_T, True, "as EUR", standard="currency"),
        "amount": ReadField(_N, True, "what came in, as 119.00"),
    },
    "applications": {
        "payment_id": ReadField(_T, True, "the payment"),
        "invoice_id": ReadField(_T, True, "the invoice it settles"),
        "currency": ReadField(_T, True, _ONE_CURRENCY, standard="currency"),
        "amount": ReadField(_N, True, "how much of it"),
    },
    "refunds": {
        "payment_id": ReadField(_T, True, "the payment"),
        "status": ReadField(_T, True, "whether the money has left", ("settled", "pending", "failed")),
        "currency": ReadField(_T, True, "as EUR", standard="currency"),
        "amount": ReadField(_N, True, "what is given back"),
    },
    "disputes": {
        "payment_id": ReadField(_T, True, "the payment"),
        "status": ReadField(_T, True, "lost: the money was taken back", ("open", "won", "lost")),
        "currency": ReadField(_T, True, "as EUR", standard="currency"),
        "amount": ReadField(_N, True, "what is contested"),
    },
    "write_offs": {
        "invoice_id": ReadField(_T, True, "the invoice"),
        "currency": ReadField(_T, True, "as EUR", standard="currency"),
        "amount": ReadField(_N, True, "what was given up of it"),
    },
    "credit_memos": {
        "invoice_id": ReadField(_T, False, "the invoice it is applied to; none of a goodwill credit"),
        "currency": ReadField(_T, True, "as EUR", standard="currency"),
        "amount": ReadField(_N, True, "what it comes to with tax, positive"),
        "applied": ReadField(_N, True, "how much of that is applied to the invoice so far"),
    },
    "revenue": {
        "line_id": ReadField(_T, True, "the line, as lines name it"),
        "currency": ReadField(_T, True, "as EUR", standard="currency"),
        "amount": ReadField(_N, True, "revenue of that month, without tax"),
        "recognized": ReadField(_F, False, "whether it is revenue already; what is not is deferred"),
    },
    "seats": {
        "seat_id": ReadField(_T, True, "what it is named by"),
        "item_id": ReadField(_T, True, "the item it is a seat of"),
        "contact": ReadField(
            _T, False, "who sits there: the key of a contact, in a column that plan.yaml lists in `references`"
        ),
        "holder": ReadField(_T, False, "login of who sits there; compared, and shown nowhere"),
        "assigned_at": ReadField(_AT, False, "since when"),
        "released_at": ReadField(_AT, False, "until when; none while it is held"),
    },
}
