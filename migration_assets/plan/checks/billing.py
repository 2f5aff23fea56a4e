"""billing.yaml and tax.csv: tables the plan has, raw columns they have, codes that mean something to the old system's
rules, features that the catalog knows, and one tax rate for a country and day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import get_args

from migration_assets.domain.errors import Fault
from migration_assets.domain.legacy.terms import PriceModel
from migration_assets.plan.billing_models import LegacyBilling, Read, ReadColumn
from migration_assets.plan.billing_records import READ_MODELS, READS, RecordName
from migration_assets.plan.checks.standards import is_country
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.wording import listing, nearest, shown

BILLING, TAX = "billing.yaml", "tax.csv"
_NUMBER = re.compile(r"-?[0-9]{1,27}(\.[0-9]{1,10})?")
_FACTOR = re.compile(r"[0-9]{1,18}(\.[0-9]{1,10})?")
# Words of the old rules that no field can be read as: nothing says what a tier or a package costs.
_UNREAD = frozenset(get_args(PriceModel)) - frozenset(READ_MODELS)


def billing_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about billing.yaml and tax.csv."""
    yield from _tax_faults(view)
    if view.plan.billing is None:
        return
    yield from _feature_faults(view, view.plan.billing.legacy)
    if view.plan.billing.target is not None and not view.plan.tax:
        remedy = "write country, valid_from and percent as the tax engine has them"
        yield Fault(TAX, 0, "", "nothing says what tax the new platform charges", remedy)
    for record, read in view.plan.billing.legacy.reads.items():
        path = ("legacy", "reads", record)
        yield from _field_faults(view, record, read)
        if read.table not in view.plan.source_tables:
            problem = f"the plan has no table {shown(read.table)}"
            remedy = nearest(read.table, view.plan.source_tables, "name one of plan.yaml, as system.table")
            yield view.fault(BILLING, (*path, "table"), problem, remedy)
            continue
        yield from _column_faults(view, record, read)
        for field, told in read.fields.items():
            if field in READS[record]:
                yield from _code_faults(view, record, field, told)


def _field_faults(view: PlanView, record: RecordName, read: Read) -> Iterator[Fault]:
    """Fields that the record does not have, and those it cannot do without."""
    path, known = ("legacy", "reads", record), READS[record]
    for field in read.fields:
        if field not in known:
            free = [name for name in known if name not in read.fields]
            remedy = nearest(field, free, f"remove it; known are {listing(known, most=len(known))}")
            yield view.fault(BILLING, (*path, "fields", field), f"{record} have no field {shown(field)}", remedy)
    if absent := [field for field, told in known.items() if told.needed and field not in read.fields]:
        remedy = "name the raw column it comes from, or `value` where it is the same for all"
        yield view.fault(BILLING, (*path, "fields"), f"{record} need {', '.join(absent)}", remedy)


def _feature_faults(view: PlanView, legacy: LegacyBilling) -> Iterator[Fault]:
    known = [f.code for f in view.plan.catalog.features]
    for code, told in legacy.features.items():
        place = ("legacy", "features", code)
        if told.feature not in known:
            problem = f"the catalog has no feature {shown(told.feature)}"
            yield view.fault(BILLING, (*place, "feature"), problem, nearest(told.feature, known, "name one of it"))
        for unit, factor in told.units.items():
            if not _FACTOR.fullmatch(factor) or not Decimal(factor):
                problem = f"{shown(factor)} is no number of units"
                yield view.fault(BILLING, (*place, "units", unit), problem, 'write digits, as "1000" or "0.001"')


def _tax_faults(view: PlanView) -> Iterator[Fault]:
    seen: dict[tuple[str, date], int] = {}
    for row in view.plan.tax:
        if not is_country(row.country):
            remedy = "write an ISO 3166-1 code of two letters"
            yield Fault(TAX, row.row, "country", f"{shown(row.country)} is not a country", remedy)
        if not _FACTOR.fullmatch(row.percent):
            yield Fault(TAX, row.row, "percent", f"{shown(row.percent)} is no percentage", "write digits, as 19 or 7.7")
        first = seen.setdefault((row.country, row.valid_from), row.row)
        if first != row.row:
            yield Fault(TAX, row.row, "country", f"this country and day stand in line {first} already", "keep one")


def _column_faults(view: PlanView, record: RecordName, read: Read) -> Iterator[Fault]:
    path = ("legacy", "reads", record)
    for field, told in read.fields.items():
        if told.column is not None and (wrong := view.column_problem(read.table, told.column)):
            yield view.fault(BILLING, (*path, "fields", field), *wrong)
    for i, condition in enumerate(read.where):
        here = view.fault(BILLING, (*path, "where", i, "field"), "", "")
        yield from view.predicate_faults(read.table, [condition], here)


def _code_faults(view: PlanView, record: RecordName, field: str, told: ReadColumn) -> Iterator[Fault]:
    place = ("legacy", "reads", record, "fields", field)
    known = READS[record][field]
    if told.exclusive and known.type != "day":
        yield view.fault(BILLING, (*place, "exclusive"), f"{field} is no day", "leave `exclusive` out")
    if told.none and known.needed:
        remedy = "leave `none` out, and rows that do not count by `where`"
        yield view.fault(BILLING, (*place, "none"), f"there is no record without {field}", remedy)
    if known.type == "number" and (odd := [n for n in told.none if not _NUMBER.fullmatch(n)]):
        yield view.fault(BILLING, (*place, "none"), f"{listing(odd)} is no number", "write raw values of the column")
    if not known.means:
        return
    if told.codes is None and told.column is not None:
        problem = f"{field} means one of a few words, and nothing says which raw value means which"
        yield view.fault(BILLING, place, problem, f"add `codes`, raw value: {' or '.join(known.means)}")
    for meaning in [told.value] if told.codes is None else told.codes.values():
        if meaning is not None and meaning not in known.means:
            yield view.fault(BILLING, place, *_unknown(field, meaning, known.means))


def _unknown(field: str, meaning: str, known: tuple[str, ...]) -> tuple[str, str]:
    """Problem and remedy of a word that a field cannot mean."""
    if field == "model" and meaning in _UNREAD:
        remedy = "leave the code out: contracts with such a price are not billed again"
        return f"prices by tiers or packages cannot be read yet, so none is {shown(meaning)}", remedy
    problem = f"{shown(meaning)} is no {field} the old system's rules know"
    return problem, nearest(meaning, known, f"use {listing(known)}")
