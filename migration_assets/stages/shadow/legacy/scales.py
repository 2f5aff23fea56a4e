"""Decimals as whole numbers: how many places some numbers really have, how large they are, and numbers brought to that.

Belongs here: exact scaling in the engine, and choosing 64 bits where they are enough, in which DuckDB divides a hundred
times faster than in 128. Not here: rounding, which is the engine's `whole`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

WIDE = "decimal(38, 0)"
NARROW = "int64"
NARROW_MOST = 2**62
NUMBER = "decimal(38, 10)"
# Whole numbers of 38 digits have to hold products of several decimals, so no more places are kept than are used.
_TRIED = (2, 4, 7)
_MOST = 10
# Numbers under 10**8 with 10 places fit 64 bits, and so they still do with 4 places times 10**4.
_SMALL = (10**8, "decimal(18, 10)", 4, "decimal(18, 4)")


def integer(largest: int) -> str:
    """Type for whole numbers of no greater size."""
    return NARROW if largest < NARROW_MOST else WIDE


def exactly(number: int) -> ir.Value:
    """A whole number as a literal of the type that holds it."""
    return ibis.literal(number) if abs(number) < NARROW_MOST else ibis.literal(Decimal(number), WIDE)


@dataclass(frozen=True)
class Scale:
    """`places` that are enough for some numbers, whose size is at most `largest` in whole units of major ones."""

    places: int
    largest: int

    @property
    def largest_whole(self) -> int:
        """No number is larger once it is brought to whole ones."""
        return self.largest * 10**self.places

    def whole(self, number: ir.Value) -> ir.Value:
        """number * 10**places, of the type of `integer(largest_whole)`."""
        most, held, places, cut = _SMALL
        if self.largest < most and self.places <= places:
            number = number.cast(held).cast(cut)
        return (number * exactly(10**self.places)).cast(integer(self.largest_whole))


def scale_of(engine: DuckDBEngine, columns: Sequence[ir.Column], at_least: int = 0) -> Scale:
    """The scale of all numbers of some columns of decimal(38, 10)."""
    largest = max((1 + most(engine, column.name("number").as_table(), "number") for column in columns), default=0)
    tried = [p for p in (at_least, *_TRIED) if p >= at_least]
    enough = (p for p in sorted(tried) if not any(_has_more(engine, c, p, largest) for c in columns))
    return Scale(next(enough, _MOST), largest)


def most(engine: DuckDBEngine, rows: ir.Table, column: str) -> int:
    """The largest size of a whole number in a column, 0 where there is none."""
    found = engine.arrow(rows.aggregate(most=rows[column].abs().max())).column(0)[0].as_py()
    return 0 if found is None else int(found)


def _has_more(engine: DuckDBEngine, column: ir.Column, places: int, largest: int) -> bool:
    rows = column.name("number").as_table()
    exact = rows["number"].cast(_SMALL[1]) if largest < _SMALL[0] else rows["number"]
    width = 18 if largest < _SMALL[0] else 38
    cut = exact.cast(f"decimal({width}, {places})").cast(exact.type())
    return engine.count(rows.filter(cut != exact).limit(1)) > 0
