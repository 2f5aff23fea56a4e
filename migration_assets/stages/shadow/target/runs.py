"""Runs of billed cycles whose invoices are equal, from what changes in which cycle.

Belongs here: cutting cycles into runs. Not here: what changes, and what it costs. The cycles of a subscription are few,
so what changes in them is a whole number with a bit for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis import _

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# Bits of a signed 64-bit number that an ordinal can be.
MOST_CYCLES = 60


def bit(ordinal: ir.IntegerValue) -> ir.IntegerValue:
    """The number in which only this cycle is marked. One outside the billed cycles marks the first or none of them."""
    return ibis.literal(1, "int64") << ibis.least(ibis.greatest(ordinal, 0), MOST_CYCLES)


def run_id(n: ir.IntegerValue, ordinal: ir.IntegerValue) -> ir.IntegerValue:
    """One number for the run of subscription n that begins with a cycle."""
    return n * 64 + ordinal


def runs(engine: DuckDBEngine, counts: ir.Table, charges: ir.Table, extras: ir.Table) -> ir.Table:
    """Runs of equal invoices that tile the billed cycles of each subscription.

    `counts`: n (key), size (billed cycles), and more. `charges`: n, bits of the cycles in which recurring charges,
    their tax or the calendar change. `extras`: n, bits of those in which other lines begin or end. Columns: those of
    `counts`, from_ordinal (with n the key), until_ordinal, charged_from (the run in which its charges began).
    """
    none = ibis.literal(0, "int64")
    marks = ibis.union(charges.select("n", "bits", more=none), extras.select("n", bits=none, more="bits"))
    by_sub = marks.group_by("n").aggregate(bits=_.bits.bit_or(), more=_.more.bit_or())
    found = counts.left_join(by_sub, "n").drop("n_right")
    found = engine.cached(found.mutate(bits=found.bits.fill_null(0), more=found.more.fill_null(0)))
    pattern = ("bits", "more", "size")
    known = engine.arrow(found.select(*pattern).distinct()).to_pylist()
    rows = [(*run, *(k[c] for c in pattern)) for k in known for run in tiles(k["bits"], k["more"], k["size"])]
    names = ("from_ordinal", "until_ordinal", "charged_from", *pattern)
    columns = {name: pa.array([row[i] for row in rows], pa.int64()) for i, name in enumerate(names)}
    return found.join(engine.table(pa.table(columns)), pattern).drop("bits", "more")


def tiles(charges: int, extras: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Runs of the cycles 0 to `size`: first, end (exclusive), and the first of the run with its recurring charges."""
    starts = [k for k in range(size) if k == 0 or (charges | extras) >> k & 1]
    charged = 0
    for start, end in zip(starts, [*starts[1:], size], strict=True):
        charged = start if charges >> start & 1 else charged
        yield start, end, charged
