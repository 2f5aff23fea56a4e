"""Rows taken part by part: for work whose memory grows with the rows it holds and cannot be given back meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir


def part_of(key: ir.StringColumn, parts: int) -> ir.IntegerValue:
    """Which of the parts a row belongs to, 0 to parts - 1: rows of one key are in one part."""
    # The rest of a negative number is negative.
    return (key.fill_null("").hash() % parts + parts) % parts


def parted(table: ir.Table, key: str, parts: int) -> list[ir.Table]:
    """The table in so many parts by a text column, each row in one of them."""
    if parts <= 1:
        return [table]
    return [table.filter(part_of(table[key], parts) == part) for part in range(parts)]
