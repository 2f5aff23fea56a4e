"""Exact decimals of the target as whole numbers of a scale that holds them all.

Belongs here: choosing the scale and counting in it. Not here: what is priced. Amounts are whole numbers of 64 bits,
which engines divide fifty times faster than longer ones, and of 37 digits where the engine says that those overflow;
what does not fit either is an error of the engine, never another number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import gcd
from typing import TYPE_CHECKING, Literal, TypeVar

import duckdb
import ibis
from ibis import _

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_MOST_PLACES = 10
_MOST_LOOKED_AT = 1_000
_OVERFLOW = (duckdb.OutOfRangeException, duckdb.ConversionException)
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Scale:
    """Decimal places in which every price, every percent, that of tax apart, and every count of used units is a whole
    number, and the type that whole numbers are counted in. `discounts`: what divides a whole and every discount when
    both are told in percent of `percent` places. `prices`: column `value`, every price once."""

    price: int
    percent: int
    tax: int
    units: int
    discounts: int
    prices: ir.Table
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

    @property
    def wide(self) -> Scale:
        """The same places, counted in 37 digits."""
        return replace(self, kind="decimal(38, 0)")

    def priced(self, rows: ir.Table, column: str, name: str) -> ir.Table:
        """Rows with one more column: the price in `column` as a whole number. Each price is converted once."""
        known = self.prices.select(_value="value", **{name: self.whole_number(self.prices["value"], self.price)})
        return rows.left_join(known, rows[column].cast("decimal(38, 10)") == known["_value"]).drop("_value")


def of_prices(prices: ir.Table) -> Scale:
    """For prices of ten decimals as they stand, in long numbers. `prices`: column `value`."""
    return Scale(_MOST_PLACES, 0, 0, 0, 1, prices, "decimal(38, 0)")


def narrow_or_wide(scale: Scale, made: Callable[[Scale], _Made]) -> _Made:
    """What is made of whole numbers of 64 bits, or of longer ones where those overflow."""
    try:
        return made(scale)
    except _OVERFLOW:
        if scale.kind != "int64":
            raise
    return made(scale.wide)


def distinct_values(engine: DuckDBEngine, *columns: ir.DecimalColumn) -> ir.Table:
    """Column `value`: what the columns hold, each once; TypeError for a column of more than ten decimal places."""
    values = [_values(column).distinct() for column in columns]
    return engine.cached(ibis.union(*values, distinct=True) if len(values) > 1 else values[0])


def places(engine: DuckDBEngine, least: int, values: ir.Table) -> int:
    """The fewest decimal places that hold every value, and at least `least`."""
    for tried in range(least, _MOST_PLACES):
        if not engine.count(values.filter(_["value"] != _["value"].round(tried)).limit(1)):
            return tried
    return _MOST_PLACES


def common_step(engine: DuckDBEngine, decimals: int, percents: ir.Table) -> int:
    """The largest whole number of `10 ** -decimals` that divides 100 and each of the percents; 1 where there are too
    many to look at."""
    if engine.count(percents.limit(_MOST_LOOKED_AT + 1)) > _MOST_LOOKED_AT:
        return 1
    units = (percents["value"] * ibis.literal(10**decimals)).cast("int64").name("units")
    return gcd(10 ** (decimals + 2), *engine.arrow(units.as_table())["units"].to_pylist())


def _values(column: ir.DecimalColumn) -> ir.Table:
    if (column.type().scale or 0) > _MOST_PLACES:
        raise TypeError(f"{column.get_name()} may have more than {_MOST_PLACES} decimal places")
    value = column.cast("decimal(38, 10)").name("value").as_table()
    return value.filter(value["value"].notnull())
