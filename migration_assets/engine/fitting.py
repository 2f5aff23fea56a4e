"""Values to the physical type of a canonical field, exactly; what does not fit is an error code, never an exception.

Belongs here: types, ranges and shapes. Not here: what a value means in its source, which is a rule's matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from migration_assets.domain.canonical.model import Field
from migration_assets.engine.rules.outcome import Outcome, null_like, rendered, stripped
from migration_assets.engine.schema import stored_type

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Shapes that every value of a field type has, wherever it came from: the pattern, and the error when it does not.
_SHAPES = {
    "country": (r"^[A-Z]{2}\z", "not_a_country_code"),
    "currency": (r"^[A-Z]{3}\z", "not_a_currency_code"),
    "phone": (r"^\+[1-9][0-9]{4,14}\z", "not_e164"),
    "email": (r"^[^@\s]+@[^@\s]+\z", "not_an_email"),
}

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)\z"
_WHOLE = r"^[+-]?[0-9]+(\.0*)?\z"
# 20 digits before the point and 8 after it, zeros at either end aside: what decimal(28, 8) holds.
_FITS_DECIMAL = r"^[+-]?0*[0-9]{0,20}(\.[0-9]{0,8}0*)?\z"
_ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\z"
_UTC_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|\+00(:00)?)\z"


def fit(outcome: Outcome, field: Field) -> Outcome:
    """The outcome with its value in the field's type; what was an error stays the same error."""
    import ibis

    value, misfit = _FITTERS.get(field.type, _to_text)(outcome.value, field)
    if misfit is None:
        return replace(outcome, value=value)
    error = misfit if outcome.error is None else ibis.coalesce(outcome.error, misfit)
    return replace(outcome, value=error.isnull().ifelse(value, null_like(value)), error=error)


_Fitted = tuple[Any, Any]


def _unless(good: ir.BooleanValue, reason: str) -> ir.StringValue:
    import ibis

    return good.fill_null(True).ifelse(ibis.null("string"), reason)


def _to_text(value: ir.Value, field: Field) -> _Fitted:
    text = rendered(value)
    if field.codes:
        return text, _unless(text.isin(field.codes), "unknown_code")
    if field.type in _SHAPES:
        pattern, reason = _SHAPES[field.type]
        return text, _unless(text.re_search(pattern), reason)
    return text, None


def _to_integer(value: ir.Value, _: Field) -> _Fitted:
    import ibis

    dtype = value.type()
    if dtype.is_integer():
        number = value.try_cast("int64")
        return number, _unless(value.isnull() | number.notnull(), "out_of_range")
    text = stripped(rendered(value))
    whole = text.re_search(_WHOLE)
    number = text.re_replace(r"\.0*$", "").try_cast("int64")
    reason = ibis.cases(
        (value.isnull(), ibis.null("string")),
        (~text.re_search(_NUMBER), "not_a_number"),
        (~whole, "not_a_whole_number"),
        (number.isnull(), "out_of_range"),
        else_=ibis.null("string"),
    )
    return whole.ifelse(number, ibis.null("int64")), reason


def _to_decimal(value: ir.Value, field: Field) -> _Fitted:
    import ibis

    kind = stored_type(field)
    dtype = value.type()
    if dtype.is_integer() or (
        dtype.is_decimal() and (dtype.scale or 0) <= 8 and (dtype.precision or 38) - (dtype.scale or 0) <= 20
    ):
        return value.cast(kind), None
    text = stripped(rendered(value))
    fits = text.re_search(_FITS_DECIMAL)
    reason = ibis.cases(
        (value.isnull(), ibis.null("string")),
        (~text.re_search(_NUMBER), "not_a_number"),
        (~fits, "out_of_range"),
        else_=ibis.null("string"),
    )
    return reason.isnull().ifelse(text.try_cast(kind), ibis.null(kind)), reason


def _to_boolean(value: ir.Value, _: Field) -> _Fitted:
    import ibis

    if value.type().is_boolean():
        return value, None
    text = stripped(rendered(value)).lower()
    flag = ibis.cases((text == "true", True), (text == "false", False), else_=ibis.null("boolean"))
    return flag, _unless(value.isnull() | flag.notnull(), "not_a_boolean")


def _to_date(value: ir.Value, _: Field) -> _Fitted:
    import ibis

    dtype = value.type()
    if dtype.is_date():
        return value, None
    if dtype.is_timestamp():
        day = value.date()
        return day, _unless(value == value.truncate("D"), "has_a_time_of_day")
    text = stripped(rendered(value))
    day = text.re_search(_ISO_DATE).ifelse(text, ibis.null("string")).try_cast("date")
    return day, _unless(value.isnull() | day.notnull(), "not_an_iso_date")


def _to_instant(value: ir.Value, field: Field) -> _Fitted:
    import ibis

    kind, dtype = stored_type(field), value.type()
    if dtype.is_timestamp() and dtype.timezone is not None:
        return value.cast(kind), None
    if dtype.is_timestamp() or dtype.is_date():
        return ibis.null(kind), _unless(value.isnull(), "no_time_zone")
    text = stripped(rendered(value))
    moment = text.re_search(_UTC_TIME).ifelse(text, ibis.null("string")).try_cast(kind)
    return moment, _unless(value.isnull() | moment.notnull(), "not_an_iso_instant")


_FITTERS: dict[str, Callable[[Any, Field], _Fitted]] = {
    "integer": _to_integer,
    "money": _to_integer,
    "decimal": _to_decimal,
    "boolean": _to_boolean,
    "date": _to_date,
    "instant": _to_instant,
}
