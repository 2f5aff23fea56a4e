"""Exact decimals of the target as whole numbers of a scale that holds them all.

Belongs here: choosing the scale and counting in it. Not here: what is priced. Fewer places leave more room: amounts are
numerators of up to 38 digits, and one that does not fit is an error of the engine, never another number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
from ibis import _

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_PLACES = (0, 2, 4, 6, 8, 10)


@dataclass(frozen=True)
class Scale:
    """Decimal places in which every price, every percent and every count of used units is a whole number."""

    price: int
    percent: int
    units: int


def places(engine: DuckDBEngine, least: int, *columns: ir.DecimalColumn) -> int:
    """The fewest decimal places, of those tried, that hold every value of the columns, and at least `least`."""
    values = ibis.union(*(_values(column) for column in columns), _values(columns[0]), distinct=True)
    tried = [p for p in _PLACES if p > least]
    lost = values.aggregate(**{f"p{p}": (_["value"] != _["value"].round(p)).any() for p in (least, *tried)})
    found = engine.arrow(lost).to_pylist()[0]
    return next(p for p in (least, *tried) if not found[f"p{p}"])


def _values(column: ir.DecimalColumn) -> ir.Table:
    if (column.type().scale or 0) > _PLACES[-1]:
        raise TypeError(f"{column.get_name()} may have more than {_PLACES[-1]} decimal places")
    return column.cast("decimal(38, 10)").name("value").as_table()


def whole_number(value: ir.DecimalValue, scale: int) -> ir.DecimalValue:
    """A decimal as a whole number of `10 ** -scale`: exact where `places` chose the scale."""
    return (value.cast("decimal(38, 10)") * power(scale)).cast("decimal(38, 0)")


def power(exponent: int) -> ir.DecimalScalar:
    """10 ** exponent, in the type that amounts are counted in."""
    return counted(10**exponent)


def counted(number: int | ir.IntegerValue) -> ir.DecimalValue:
    """A whole number in the type that amounts are counted in."""
    return ibis.literal(number).cast("decimal(38, 0)") if isinstance(number, int) else number.cast("decimal(38, 0)")
