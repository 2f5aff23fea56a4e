"""Predicates of a plan as boolean expressions. Values are compared as the column's own type; nothing is evaluated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from migration_assets.domain.errors import BadInput
from migration_assets.domain.predicates import Predicate, Scalar

if TYPE_CHECKING:
    import ibis.expr.types as ir

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "le": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "ge": lambda column, value: column >= value,
    "in": lambda column, values: column.isin(values),
    "not_in": lambda column, values: column.notin(values),
}


def holds(table: ir.Table, predicates: Sequence[Predicate]) -> ir.BooleanValue:
    """Whether all predicates hold for a row; never null, true for none. BadInput names what cannot be meant."""
    import ibis

    return reduce(and_, (_one(table, p) for p in predicates), ibis.literal(True))


def _one(table: ir.Table, predicate: Predicate) -> ir.BooleanValue:
    if predicate.field not in table.columns:
        raise BadInput(
            f"predicate on {predicate.field!r}: there is no such column", f"use one of: {', '.join(table.columns)}"
        )
    column = table[predicate.field]
    if predicate.op == "is_null":
        return column.isnull()
    if predicate.op == "not_null":
        return column.notnull()
    given = predicate.value
    value = [_as(column, v, predicate) for v in given] if isinstance(given, tuple) else _as(column, given, predicate)
    return _COMPARE[predicate.op](column, value).fill_null(False)


def _as(column: ir.Value, value: Scalar | None, predicate: Predicate) -> ir.Value:
    """The value as a literal of the column's own type."""
    import ibis

    dtype = column.type()
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        if dtype.is_timestamp():
            return ibis.literal(_instant(text, dtype.timezone is not None), type=dtype)
        return ibis.literal(_parsed(text, dtype), type=dtype)
    except (ValueError, InvalidOperation):
        raise BadInput(
            f"predicate on {predicate.field!r}: {value!r} is not a {dtype}", f"write it as a value of type {dtype}"
        ) from None


def _parsed(text: str, dtype: Any) -> object:
    if dtype.is_boolean():
        return _boolean(text)
    if dtype.is_integer():
        return int(text)
    if dtype.is_decimal():
        return Decimal(text)
    if dtype.is_floating():
        return float(text)
    return dt.date.fromisoformat(text) if dtype.is_date() else text


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _instant(text: str, aware: bool) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if not aware:
        return moment if moment.tzinfo is None else _refuse_zone(text)
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _refuse_zone(text: str) -> dt.datetime:
    raise ValueError(text)
