"""Raw tables of the old system as records of its own billing terms, as billing.yaml says where they are.

One table for each kind of record, with the fields of `READS` in their types, `row` (raw row) and `unreadable`: the
names of fields whose raw value is there and cannot be read, or is needed and missing. A record that cannot be read is
kept, so that it can be reported with its money; it is never guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING

import ibis

from migration_assets.engine.predicates import holds
from migration_assets.plan.billing_records import DAY, INSTANT, NO, NUMBER, READS, WHOLE, YES

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyBilling, Read, ReadColumn
    from migration_assets.plan.billing_records import ReadField, ReadType, RecordName

RawTables = Callable[[str], "ir.Table"]

_TYPES: Mapping[ReadType, str] = {
    "text": "string",
    "day": "date",
    "instant": "timestamp('UTC', 6)",
    "number": "decimal(38, 10)",
    "integer": "int64",
    "flag": "boolean",
}


def read_records(
    engine: DuckDBEngine, legacy: LegacyBilling, raw: RawTables, only: Collection[RecordName] | None = None
) -> dict[RecordName, ir.Table]:
    """Kinds of records that the plan reads, all or `only` some, computed once and kept in the engine."""
    wanted = {r: read for r, read in legacy.reads.items() if only is None or r in only}
    return {record: engine.cached(_read(record, read, raw(read.table))) for record, read in wanted.items()}


def _read(record: RecordName, read: Read, rows: ir.Table) -> ir.Table:
    chosen = rows.filter(holds(rows, read.where)) if read.where else rows
    values: dict[str, ir.Value] = {}
    lost: list[ir.Value] = []
    for field, known in READS[record].items():
        told = read.fields.get(field)
        value = ibis.null(_TYPES[known.type]) if told is None else _value(chosen, told, known.type)
        if told is not None:
            lost.append(_if_lost(chosen, told, value, field, known, values))
        # How many systems write that there is no end.
        open_end = known.type == "day" and not known.needed
        values[field] = (value.year() == 9999).ifelse(ibis.null("date"), value) if open_end else value
    unreadable = reduce(lambda a, b: a + b, lost, ibis.literal(""))
    return chosen.select(row="_row", **values, unreadable=unreadable)


def _value(rows: ir.Table, told: ReadColumn, kind: ReadType) -> ir.Value:
    raw = ibis.literal(told.value) if told.column is None else rows[told.column]
    if told.codes is not None:
        known = [(ibis.literal(code), ibis.literal(means)) for code, means in told.codes.items()]
        raw = _text(raw).cases(*known)
    value = _typed(raw, kind)
    if told.none and told.column is not None:
        value = _says_none(rows[told.column], told, kind).ifelse(ibis.null(_TYPES[kind]), value)
    return value - ibis.interval(days=1) if kind == "day" and told.exclusive else value


def _says_none(raw: ir.Value, told: ReadColumn, kind: ReadType) -> ir.BooleanValue:
    """Whether a raw value is one of those that mean there is none; numbers by what they are worth."""
    if kind == "number":
        return _number(raw).isin([Decimal(n) for n in told.none]).fill_null(False)
    return _text(raw).isin(told.none).fill_null(False)


def _typed(raw: ir.Value, kind: ReadType) -> ir.Value:
    """The value in its type, and nothing where it is not exactly that: nothing is rounded, no day is guessed."""
    if kind == "text":
        return _text(raw).nullif("")
    if kind == "day":
        return _day(raw)
    if kind == "instant":
        return _instant(raw)
    if kind == "flag":
        known = [(ibis.literal(word), ibis.literal(word in YES)) for word in (*YES, *NO)]
        return raw if raw.type().is_boolean() else _text(raw).lower().cases(*known)
    return _whole(raw) if kind == "integer" else _number(raw)


def _day(raw: ir.Value) -> ir.DateValue:
    """A calendar day as it is written. An instant is none: which day it is on is a matter of a zone."""
    kind = raw.type()
    if kind.is_string():
        return _matching(raw, DAY).substr(0, 10).try_cast("date")
    local = kind.is_date() or (kind.is_timestamp() and kind.timezone is None)
    return raw.cast("date") if local else ibis.null("date")


def _instant(raw: ir.Value) -> ir.TimestampValue:
    """An instant that says where it is told from. A local time is none: which instant it is, is a matter of a zone."""
    kind = raw.type()
    if kind.is_string():
        return _matching(raw, INSTANT).try_cast(_TYPES["instant"])
    told = kind.is_timestamp() and kind.timezone is not None
    return raw.cast(_TYPES["instant"]) if told else ibis.null(_TYPES["instant"])


def _whole(raw: ir.Value) -> ir.IntegerValue:
    kind = raw.type()
    if kind.is_string():
        return _matching(raw, WHOLE).try_cast("int64")
    if kind.is_decimal():
        return (raw == raw.floor()).ifelse(raw, ibis.null(kind)).try_cast("int64")
    return raw.cast("int64") if kind.is_integer() else ibis.null("int64")


def _number(raw: ir.Value) -> ir.DecimalValue:
    """An exact number. A float is none, because it has lost what was written."""
    kind = raw.type()
    if kind.is_string():
        return _matching(raw, NUMBER).try_cast(_TYPES["number"])
    exact = kind.is_integer() or (kind.is_decimal() and (kind.scale or 0) <= 10)
    return raw.try_cast(_TYPES["number"]) if exact else ibis.null(_TYPES["number"])


def _text(raw: ir.Value) -> ir.StringValue:
    return raw.cast("string").strip()


def _matching(raw: ir.Value, pattern: str) -> ir.StringValue:
    text = _text(raw)
    return text.re_search(pattern).ifelse(text, ibis.null("string"))


def _if_lost(
    rows: ir.Table, told: ReadColumn, value: ir.Value, field: str, known: ReadField, others: Mapping[str, ir.Value]
) -> ir.Value:
    """The field's name and a space where its value was lost or is missing though needed, else nothing. `others`: the
    values of earlier fields."""
    there = ibis.literal(True) if told.column is None else _text(rows[told.column]).fill_null("") != ""
    if told.none and told.column is not None:
        there = there & ~_says_none(rows[told.column], told, known.type)
    needed = ibis.literal(known.needed)
    if known.unless is not None:
        spared, words = known.unless
        needed = needed & ~others[spared].isin(words).fill_null(False)
    lost = value.isnull() & (needed | there)
    return lost.ifelse(ibis.literal(f"{field} "), ibis.literal(""))
