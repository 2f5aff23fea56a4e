"""Cells: the distinct values of many columns in one long table, from which nearly everything else is counted.

Grain of a cells table: one distinct value of one column (null counts as a value). `column` is the number of the
column, `value` its text, `form`, `plain` and `shape` its look (text columns only), `number` and `moment` what it says
as a number or a point in time, `n` the rows that hold it, `row` the first of them.

Small tables share one cells table, so that a cohort of thirty tables takes a dozen queries and not three thousand; of
a large table every column has its own, so that memory stays that of one column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import ibis
import pyarrow.compute as pc
import pyarrow.parquet as pq

from migration_assets.stages.profile.marks import dropped
from migration_assets.stages.profile.model import ProfiledTable
from migration_assets.stages.profile.shapes import (
    UUID_PATTERN,
    form_of,
    is_plain,
    moment_of,
    number_of,
    patterns,
    within_calendar,
)

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

Kind = Literal["text", "number", "float", "moment", "boolean", "other"]

ROW = "_row"
CELLS_PER_BATCH = 1_000_000
COLUMNS_PER_BATCH = 250
NUMBER = "decimal(38, 10)"
LARGEST = "9999999999999999999"


@dataclass(frozen=True)
class Column:
    """One column of one table, numbered through the whole profile."""

    index: int
    table: ProfiledTable
    name: str
    position: int
    type: str
    kind: Kind


@dataclass(frozen=True)
class Source:
    """A table opened in the engine."""

    table: ProfiledTable
    frame: ir.Table
    rows: int
    columns: tuple[Column, ...]


def opened(engine: DuckDBEngine, tables: Sequence[ProfiledTable]) -> list[Source]:
    """The tables as expressions, with their columns numbered."""
    sources: list[Source] = []
    index = 0
    for table in tables:
        frame = engine.read(table.path)
        named = [(n, t) for n, t in frame.schema().items() if n != ROW]
        columns = tuple(Column(index + i, table, n, i + 1, _type_name(t), _kind(t)) for i, (n, t) in enumerate(named))
        index += len(columns)
        sources.append(Source(table, frame, pq.ParquetFile(table.path).metadata.num_rows, columns))
    return sources


def batches(sources: Iterable[Source]) -> Iterator[list[tuple[Source, Column]]]:
    """The columns of all tables with rows, in order, as many together as stay small."""
    batch: list[tuple[Source, Column]] = []
    size = 0
    for source, column in ((s, c) for s in sources if s.rows for c in s.columns):
        if batch and (size + source.rows > CELLS_PER_BATCH or len(batch) >= COLUMNS_PER_BATCH):
            yield batch
            batch, size = [], 0
        batch.append((source, column))
        size += source.rows
    if batch:
        yield batch


@contextmanager
def cells(engine: DuckDBEngine, batch: Sequence[tuple[Source, Column]]) -> Iterator[ir.Table]:
    """The cells of a batch of columns, kept in the engine until the block ends."""
    typed = [_typed_cells(s.frame, c) for s, c in batch if c.kind != "text"]
    texts = [_grouped(s.frame, c) for s, c in batch if c.kind == "text"]
    kept = [engine.cached(engine.union(typed))] if typed else []
    if texts:
        kept.append(_with_shapes(engine, engine.union(texts)))
    try:
        yield engine.union(kept)
    finally:
        for table in kept:
            dropped(engine, table)


def _grouped(frame: ir.Table, column: Column) -> ir.Table:
    counted = frame.group_by(value=frame[column.name]).aggregate(n=lambda t: t.count(), row=lambda t: t[ROW].min())
    return counted.mutate(column=ibis.literal(column.index, "int32"))


def _typed_cells(frame: ir.Table, column: Column) -> ir.Table:
    grouped = _grouped(frame, column)
    value = grouped.value
    number = _bounded(value.try_cast(NUMBER)) if column.kind in ("number", "float") else ibis.null(NUMBER)
    moment = within_calendar(value) if column.kind == "moment" else ibis.null("timestamp")
    return grouped.select(
        "column",
        value=value.cast("string"),
        form=ibis.null("string"),
        plain=ibis.literal(True),
        number=number.cast(NUMBER),
        moment=moment.cast("timestamp"),
        n=grouped.n,
        row=grouped.row,
        shape=ibis.null("string"),
    )


def _bounded(number: ir.DecimalValue) -> ir.DecimalValue:
    """Numbers of more than 19 whole digits are not summed: a thousand million rows of them would not fit."""
    limit = ibis.literal(LARGEST).cast(NUMBER)
    return ibis.ifelse(number.between(-limit, limit), number, ibis.null(NUMBER))


def _with_shapes(engine: DuckDBEngine, grouped: ir.Table) -> ir.Table:
    # The look is asked of all columns at once: as part of each column's query it would be compiled for each.
    formed = engine.cached(grouped.mutate(form=form_of(grouped.value), plain=is_plain(grouped.value)))
    frame = engine.arrow(
        formed.select(
            "column",
            "value",
            "form",
            "plain",
            number=number_of(formed.value, formed.form).cast(NUMBER),
            moment=moment_of(formed.value, formed.form),
            n=formed.n,
            row=formed.row,
        )
    )
    dropped(engine, formed)
    # A random id has a pattern of its own in nearly every row, and none of them says anything.
    shape = pc.if_else(pc.equal(frame["form"], "uuid"), UUID_PATTERN, patterns(frame["value"]))
    return engine.table(frame.append_column("shape", shape))


def _kind(type_: dt.DataType) -> Kind:
    if type_.is_string():
        return "text"
    if type_.is_boolean():
        return "boolean"
    if type_.is_integer() or type_.is_decimal():
        return "number"
    if type_.is_floating():
        return "float"
    return "moment" if type_.is_timestamp() or type_.is_date() else "other"


def _type_name(type_: dt.DataType) -> str:
    """The type as a person would write it."""
    if type_.is_timestamp():
        return "timestamp with time zone" if type_.timezone else "timestamp"
    return str(type_).lstrip("!").lower()
