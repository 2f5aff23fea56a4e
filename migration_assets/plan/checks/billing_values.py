"""What billing.yaml itself writes of a field: fixed values, what codes mean, and which raw values mean none.

Each has to be one that the field can have: of its type, within its bounds, on its list. What raw columns hold is judged
when they are read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal

from migration_assets.domain.calendar import is_zone, zone_names
from migration_assets.domain.errors import Fault
from migration_assets.domain.money import EXPONENTS
from migration_assets.plan.billing_models import LegacyBilling, ReadColumn
from migration_assets.plan.billing_records import (
    DAY,
    INSTANT,
    NO,
    NUMBER,
    READS,
    WHOLE,
    YES,
    ReadField,
    RecordName,
)
from migration_assets.plan.checks.standards import is_country, is_currency
from migration_assets.plan.checks.view import BILLING, PlanView
from migration_assets.plan.wording import listing, nearest, shown

Path = tuple[str | int, ...]
# Problem and remedy.
Wrong = tuple[str, str]

# What names one contract, item or the like, so that no two records can have it in common.
_OF_ONE = frozenset({"contract_id", "item_id", "discount_id", "change_id", "override_id", "credit_id", "invoice_id",
                     "payment_id", "line_id", "number", "customer", "seat_id"})  # fmt: skip
# Amounts of whole minor units, and the record that says of which currency.
_AMOUNTS: dict[RecordName, tuple[tuple[str, ...], RecordName]] = {
    "discounts": (("amount",), "contracts"),
    "credits": (("balance",), "credits"),
    "invoices": (("subtotal", "tax"), "invoices"),
    "lines": (("amount", "tax"), "invoices"),
}


def value_faults(view: PlanView, legacy: LegacyBilling, record: RecordName, field: str) -> Iterator[Fault]:
    """Everything about what is written of one field that the record has."""
    told, known = legacy.reads[record].fields[field], READS[record][field]
    place = ("legacy", "reads", record, "fields", field)
    yield from _told_faults(view, place, field, told, known)
    yield from _none_faults(view, place, field, told, known)
    for path, text in _written(place, told):
        wrong = _meaning_problem(view, field, known, text.strip()) or _places_problem(view, legacy, record, field, text)
        if wrong:
            yield view.fault(BILLING, path, *wrong)


def _written(place: Path, told: ReadColumn) -> Iterator[tuple[Path, str]]:
    """What the plan writes as a value of the field, each with its path."""
    if told.value is not None:
        yield place, told.value
    for code, meaning in (told.codes or {}).items():
        yield (*place, "codes", code), meaning


def _told_faults(view: PlanView, place: Path, field: str, told: ReadColumn, known: ReadField) -> Iterator[Fault]:
    if known.means and told.codes is None and told.column is not None:
        problem = f"{field} means one of a few words, and nothing says which raw value means which"
        yield view.fault(BILLING, place, problem, f"add `codes`, raw value: {' or '.join(known.means)}")
    if told.value is not None and field in _OF_ONE:
        yield view.fault(BILLING, place, f"no two records have one {field} in common", "name the raw column it is in")
    if told.exclusive and not field.endswith("last_day"):
        problem = f"{field} is no last day, so no first day that counts no more can stand for it"
        yield view.fault(BILLING, (*place, "exclusive"), problem, "leave `exclusive` out")
    for code in told.codes or {}:
        if code != code.strip():
            remedy = "write it without blanks around it"
            yield view.fault(
                BILLING, (*place, "codes", code), f"{shown(code)} is never met: raw values have none", remedy
            )


def _none_faults(view: PlanView, place: Path, field: str, told: ReadColumn, known: ReadField) -> Iterator[Fault]:
    path = (*place, "none")
    if told.none and known.needed:
        remedy = "leave `none` out, and rows that do not count by `where`"
        yield view.fault(BILLING, path, f"there is no record without {field}", remedy)
    if known.type == "number" and (odd := [n for n in told.none if not re.fullmatch(NUMBER, n)]):
        yield view.fault(BILLING, path, f"{listing(odd)} is no number", "write raw values of the column")
    if both := sorted(set(told.none) & set(told.codes or {})):
        yield view.fault(BILLING, path, f"{listing(both)} is one of `codes` as well", "keep it in one of both")


def _meaning_problem(view: PlanView, field: str, known: ReadField, text: str) -> Wrong | None:
    """Why the field cannot have the value; None when it can."""
    if known.means:
        return None if text in known.means else _unknown_word(field, text, known.means)
    if known.type == "text":
        return _text_problem(view, field, known, text)
    if known.type == "day":
        problem = f"{shown(text)} is not a day of the calendar"
        return None if re.fullmatch(DAY, text) and _is_day(text[:10]) else (problem, "write it as 2026-01-31")
    if known.type == "instant":
        problem = f"{shown(text)} is not an instant"
        read = re.fullmatch(INSTANT, text) and _is_day(text[:10])
        return None if read else (problem, "write it with its offset, as 2026-01-31T12:00:00Z")
    if known.type == "flag":
        problem = f"{shown(text)} is neither yes nor no"
        return None if text.lower() in (*YES, *NO) else (problem, f"write one of {', '.join((*YES, *NO))}, in quotes")
    return _number_problem(known, text)


def _unknown_word(field: str, meaning: str, known: tuple[str, ...]) -> Wrong:
    """Problem and remedy of a word that a field cannot mean."""
    problem = f"{shown(meaning)} is no {field} the old system's rules know"
    return problem, nearest(meaning, known, f"use {listing(known)}")


def _text_problem(view: PlanView, field: str, known: ReadField, text: str) -> Wrong | None:
    own = view.plan.file.currency_exponents
    if not text:
        return "is blank, which is no value", "write what it is for all of them, or leave the field out"
    if known.standard == "country" and not is_country(text):
        return f"{shown(text)} is not a country", "write an ISO 3166-1 code of two letters"
    if known.standard == "currency" and not is_currency(text, own):
        return f"{shown(text)} is not a currency", "write an ISO 4217 code, or add it to currency_exponents"
    if known.standard == "zone" and not is_zone(text):
        remedy = nearest(text, zone_names(), "write an IANA zone, such as Europe/Berlin")
        return f"{shown(text)} is not a time zone", remedy
    return None


def _number_problem(known: ReadField, text: str) -> Wrong | None:
    whole = known.type == "integer"
    wanted = f"a {'whole ' if whole else ''}number{_bounds(known)}"
    if not re.fullmatch(WHOLE if whole else NUMBER, text):
        return f"{shown(text)} is not a {'whole ' if whole else ''}number", f"write {wanted}, in quotes"
    number = Decimal(text)
    low = known.least is not None and number < known.least
    high = known.most is not None and number > known.most
    return (f"{shown(text)} is out of range", f"write {wanted}, in quotes") if low or high else None


def _bounds(known: ReadField) -> str:
    if known.least is not None and known.most is not None:
        return f" from {known.least} to {known.most}"
    return "" if known.least is None else f" of at least {known.least}"


def _places_problem(view: PlanView, legacy: LegacyBilling, record: RecordName, field: str, text: str) -> Wrong | None:
    """Why an amount is finer than its currency, or than any where only the raw column says which it is."""
    amounts, of_record = _AMOUNTS.get(record, ((), record))
    if field not in amounts or not re.fullmatch(NUMBER, text.strip()):
        return None
    exponents = {**EXPONENTS, **view.plan.file.currency_exponents}
    currencies = _currencies(legacy, of_record)
    most = max((exponents[c] for c in currencies if c in exponents), default=max(exponents.values()))
    places = len(text.strip().partition(".")[2].rstrip("0"))
    if places <= most:
        return None
    whose = listing(currencies) if currencies else "any currency"
    return f"{shown(text)} is finer than the smallest coin of {whose}", f"write at most {most} decimals"


def _currencies(legacy: LegacyBilling, record: RecordName) -> Collection[str]:
    """Currencies that a record can have as far as the plan writes them."""
    read = legacy.reads.get(record)
    told = read.fields.get("currency") if read else None
    if told is None:
        return ()
    return {told.value} if told.value is not None else set((told.codes or {}).values())


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
