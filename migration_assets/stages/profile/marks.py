"""Marks: cells or rows that some measure picked out, and their count and examples.

Grain of a marks table: `measure`, `subject` (number of a column, or of whatever the caller counts), `n` rows, and
`row`, the first of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.profile.model import SAMPLES

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine


@dataclass(frozen=True)
class Hit:
    """How many rows, and the first few of them."""

    rows: int
    samples: tuple[int, ...]


def mark(
    table: ir.Table, measure: str, subject: int | ir.IntegerValue, n: ir.IntegerValue, row: ir.IntegerValue
) -> ir.Table:
    """The rows of a table as marks."""
    number = ibis.literal(subject, "int32") if isinstance(subject, int) else subject
    return table.select(measure=ibis.literal(measure), subject=number, n=n.cast("int64"), row=row.cast("int64"))


def hits(engine: DuckDBEngine, marks: Iterable[ir.Table]) -> dict[tuple[str, int], Hit]:
    """Rows and examples per measure and subject; those without any row are left out."""
    marked = list(marks)
    if not marked:
        return {}
    kept = engine.cached(engine.union(marked))
    counted = kept.group_by("measure", "subject").aggregate(rows=kept.n.sum().cast("int64"))
    place = ibis.row_number().over(group_by=[kept.measure, kept.subject], order_by=kept.row)
    first = kept.mutate(place=place).filter(lambda t: t.place < SAMPLES)
    rows = engine.arrow(counted).to_pylist()
    samples: dict[tuple[str, int], list[int]] = {}
    for r in engine.arrow(first.select("measure", "subject", "row").order_by("row")).to_pylist():
        samples.setdefault((r["measure"], r["subject"]), []).append(r["row"])
    dropped(engine, kept)
    keyed = {(r["measure"], r["subject"]): r["rows"] for r in rows}
    return {k: Hit(n, tuple(samples[k])) for k, n in keyed.items() if n}


def dropped(engine: DuckDBEngine, kept: ir.Table) -> None:
    """Give back the memory of a table that `engine.cached` or `engine.table` made."""
    engine.backend.drop_table(kept.op().name)
