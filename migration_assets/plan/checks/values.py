"""Whether a value written into a plan is one a canonical field can hold."""

from __future__ import annotations

import re
from datetime import date, datetime

from migration_assets.domain.canonical.model import Field, FieldType
from migration_assets.domain.predicates import Predicate, Scalar
from migration_assets.plan.checks.standards import is_country, is_currency
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.wording import listing, nearest, shown

_FORMS: dict[FieldType, tuple[str, str]] = {
    "boolean": ("true|false", "true or false"),
    "integer": ("-?[0-9]+", "a whole number"),
    "money": ("-?[0-9]+", "a whole number of minor units"),
    "decimal": (r"-?[0-9]+(\.[0-9]+)?", "a plain number"),
}


def value_problem(view: PlanView, field: Field, value: Scalar) -> tuple[str, str] | None:
    """Why the field cannot hold the value: (problem, remedy); None when it can."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return _list_problem(view, field, text) or _form_problem(field, text) or _standard_problem(view, field, text)


def predicate_problem(view: PlanView, field: Field, predicate: Predicate) -> tuple[str, str] | None:
    """Why a condition on the field can never hold as meant: its value is none the field could have."""
    values = predicate.value if isinstance(predicate.value, tuple) else (predicate.value,)
    wrong = (value_problem(view, field, value) for value in values if value is not None)
    return next((w for w in wrong if w), None)


def _list_problem(view: PlanView, field: Field, text: str) -> tuple[str, str] | None:
    if field.codes and text not in field.codes:
        return f"{shown(text)} is no code of {field.name}", nearest(text, field.codes, f"use {listing(field.codes)}")
    if field.references and field.references.startswith("catalog."):
        known = view.catalog_lists[field.references]
        if known is not None and text not in known:
            return f"{shown(text)} is not in {field.references}", nearest(text, known, "add it to catalog.yaml")
    return None


def _form_problem(field: Field, text: str) -> tuple[str, str] | None:
    form = _FORMS.get(field.type)
    if form and not re.fullmatch(form[0], text):
        return f"{shown(text)} is not {form[1]}", f"write {form[1]}"
    if field.type == "date" and not _reads(date, text):
        return f"{shown(text)} is not a date", "write it as 2026-01-31"
    if field.type == "instant" and not _reads(datetime, text):
        return f"{shown(text)} is not an instant", "write it as 2026-01-31T00:00:00Z"
    return None


def _standard_problem(view: PlanView, field: Field, text: str) -> tuple[str, str] | None:
    if field.type == "currency" and not is_currency(text, view.plan.file.currency_exponents):
        return f"{shown(text)} is not a currency", "write an ISO 4217 code, or add it to currency_exponents"
    if field.type == "country" and not is_country(text):
        return f"{shown(text)} is not a country", "write an ISO 3166-1 code of two letters"
    return None


def _reads(kind: type[date], text: str) -> bool:
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True
