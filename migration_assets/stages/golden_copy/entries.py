"""Tables made of the entries of a text column, in golden-copy shape: cut from the copy of the table with the text.

They are made when the copy is taken, so that every stage, every check and every control finds them as it finds any
other source table, and that a copy says for good what its texts were cut into.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from migration_assets.connectors.golden_parquet import write_sorted
from migration_assets.connectors.source import Column
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.entries import entries_of
from migration_assets.plan.entries import cut_of, own_columns, taken_along, whose_text

if TYPE_CHECKING:
    from migration_assets.plan.models import Plan

_BATCH = 65_536


def write_entries(plan: Plan, table: str, copy: Path, destination: Path) -> tuple[tuple[Column, ...], int]:
    """Write the rows of a table with `split`, in key order; its columns and how many rows there are.

    `copy` is the folder with the files of all tables as the source has them.
    """
    declared = plan.source_table(table)
    held = copy / f"{whose_text(table, declared)}.parquet"
    schema = _schema(plan, table, pq.read_schema(held))
    with _engine(copy / f".{table}.spill") as engine:
        rows = write_sorted(_batches(engine, plan, table, held, schema), schema, declared.key, destination)
    return tuple(Column(field.name, str(field.type)) for field in schema), rows


@contextmanager
def _engine(spill: Path) -> Iterator[DuckDBEngine]:
    """An engine that leaves nothing behind in the copy, which holds what its manifest names and no more."""
    try:
        with DuckDBEngine(threads=1, spill_to=spill) as engine:
            yield engine
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _schema(plan: Plan, table: str, held: pa.Schema) -> pa.Schema:
    """What is taken along keeps its type; the rest follows from the plan."""
    split = plan.source_table(table).split
    own = own_columns(split) if split is not None else {}
    types = {name: pa.type_for_alias(kind) for name, kind in own.items()}
    return pa.schema([*(held.field(c) for c in taken_along(plan, table)), *types.items()])


def _batches(engine: DuckDBEngine, plan: Plan, table: str, held: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    query = engine.sql(entries_of(engine.read(held), cut_of(plan, table)))
    for batch in engine.connection.execute(query).to_arrow_reader(_BATCH):
        yield pa.Table.from_batches([batch]).select(schema.names).cast(schema)
