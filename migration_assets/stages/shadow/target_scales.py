"""Exact decimals of the target as whole numbers of a scale that holds them all.

Belongs here: choosing the scale and counting in it. Not here: what is priced. Amounts are whole numbers of 64 bits,
which engines divide fifty times faster than longer ones, and of 37 digits where the engine says that those overflow;
what does not fit either is an error of the engine, never another number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

import duckdb
import ibis
from ibis import _

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_PLACES = (0, 2, 4, 6, 8, 10)
_OVERFLOW = (duckdb.OutOfRangeException, duckdb.ConversionException)
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Scale:
    """Decimal places in which every price, every percent and every count of used units is a whole number, and the type
    that whole numbers are counted in."""

    price: int
    percent: int
    units: int
    kind: Literal["int64", "decimal(38, 0)"] = "int64"

    def counted(self, number: int | ir.NumericValue) -> ir.NumericValue:
        """A whole number in the type that amounts are counted in."""
        return (ibis.literal(number) if isinstance(number, int) else number).cast(self.kind)

    def power(self, exponent: int) -> ir.NumericValue:
        """10 ** exponent."""
        return self.counted(10**exponent)

    def whole_number(self, value: ir.DecimalValue, decimals: int) -> ir.NumericValue:
        """A decimal as a whole number of `10 ** -decimals`: exact where `places` chose them."""
        return self.counted(value.cast("decimal(38, 10)") * ibis.literal(10**decimals).cast("decimal(38, 0)"))


def narrow_or_wide(scale: Scale, made: Callable[[Scale], _Made]) -> _Made:
    """What is made of whole numbers of 64 bits, or of longer ones where those overflow."""
    try:
        return made(scale)
    except _OVERFLOW:
        if scale.kind != "int64":
            raise
    return made(replace(scale, kind="decimal(38, 0)"))


def distinct_values(engine: DuckDBEngine, *columns: ir.DecimalColumn) -> ir.Table:
    """Column `value`: what the columns hold, each once; TypeError for a column of more than ten decimal places."""
    values = [_values(column).distinct() for column in columns]
    return engine.cached(ibis.union(*values, distinct=True) if len(values) > 1 else values[0])


def places(engine: DuckDBEngine, least: int, values: ir.Table) -> int:
    """The fewest decimal places, of those tried, that hold every value, and at least `least`."""
    tried = (least, *(p for p in _PLACES if p > least))
    lost = values.aggregate(**{f"p{p}": (_["value"] != _["value"].round(p)).any() for p in tried})
    found = engine.arrow(lost).to_pylist()[0]
    return next(p for p in tried if not found[f"p{p}"])


def _values(column: ir.DecimalColumn) -> ir.Table:
    if (column.type().scale or 0) > _PLACES[-1]:
        raise TypeError(f"{column.get_name()} may have more than {_PLACES[-1]} decimal places")
    return column.cast("decimal(38, 10)").name("value").as_table()
