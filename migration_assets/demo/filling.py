"""Puts a generated world into two PostgreSQL databases: schemas dropped and made again, rows by COPY, then keys."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql
from sqlalchemy.engine import make_url

from migration_assets.demo.world import Legacy

_AFTER_LOAD = "\n-- @after-load\n"
_ROWS_PER_BATCH = 50_000
Report = Callable[[str], None]


def _silent(_line: str) -> None:
    """Report nothing."""


def fill(
    legacy: Legacy, *, crm_url: str, erp_url: str, truth_path: Path | None = None, report: Report = _silent
) -> None:
    """Write both systems into existing databases; what was in their schemas crm and erp before is gone.

    The URLs are SQLAlchemy's or libpq's. `report` gets a line for each table. One transaction per system: either all of
    it is there or nothing changed. With `truth_path` the truth is written there.
    """
    for schema, url in (("crm", crm_url), ("erp", erp_url)):
        with psycopg.connect(_libpq(url)) as connection:
            _fill_schema(connection, schema, legacy, report)
        with psycopg.connect(_libpq(url), autocommit=True) as connection:
            connection.execute("ANALYZE")
    if truth_path is not None:
        write_truth(legacy, truth_path)


def write_truth(legacy: Legacy, path: Path) -> None:
    """Write what was planted as JSON, for tests and the drill only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(legacy.truth, ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8")


def _libpq(url: str) -> str:
    """The URL without SQLAlchemy's driver name."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _fill_schema(connection: psycopg.Connection[Any], schema: str, legacy: Legacy, report: Report) -> None:
    before, after = schema_script(schema)
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    connection.execute(before)
    for name, table in legacy.tables.items():
        if name.startswith(f"{schema}."):
            _copy(connection, name, table)
            report(f"{name}: {table.num_rows:,} rows")
    connection.execute(after)


def schema_script(schema: str) -> tuple[bytes, bytes]:
    """The schema's SQL before and after the rows."""
    text = resources.files(__package__).joinpath(f"schema_{schema}.sql").read_text(encoding="utf-8")
    before, _, after = text.partition(_AFTER_LOAD)
    return before.encode(), after.encode()


def _copy(connection: psycopg.Connection[Any], name: str, table: pa.Table) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, table.column_names))
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, FREEZE)").format(sql.Identifier(*name.split(".")), columns)
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        for batch in table.to_batches(max_chunksize=_ROWS_PER_BATCH):
            copy.write(_csv(batch))


def _csv(batch: pa.RecordBatch) -> bytes:
    """CSV of a batch: NULL is an unquoted empty field, an empty text a quoted one."""
    plain = pa.record_batch(
        [c.dictionary_decode() if isinstance(c, pa.DictionaryArray) else c for c in batch.columns],
        names=batch.schema.names,
    )
    sink = io.BytesIO()
    pa.csv.write_csv(plain, sink, pa.csv.WriteOptions(include_header=False))
    return sink.getvalue()
