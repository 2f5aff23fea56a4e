"""The new copy of a table out of the one before and what a source tells of its changes: without reading it whole.

Only for tables whose key the source vouches for. The result is the copy that reading it whole would have made, but that
rows keep their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from migration_assets.connectors.golden_parquet import ROW, literal, quoted
from migration_assets.stages.golden_copy.changes import scratch
from migration_assets.stages.golden_copy.numbers import numbered, write_numbered

if TYPE_CHECKING:
    import duckdb

    from migration_assets.connectors.source import Trail


@dataclass(frozen=True)
class Followed:
    """How many rows were written, and how many of them are new, and how many of before are gone. `touched`: a file with
    the key of every row that came, went or may be another."""

    rows: int
    inserted: int
    deleted: int
    touched: Path


def follow(trail: Trail, before: Path, rows_before: int, key: Sequence[str], destination: Path, work: Path) -> Followed:
    """Write the copy of a table as it is now: rows of `before`, but for those that the trail has anew or that are gone.

    `work` is a folder for what is needed on the way.
    """
    schema = pq.read_schema(before)
    schema = pa.schema([schema.field(name) for name in schema.names if name != ROW])
    fresh, there = work / "changed.parquet", work / "keys.parquet"
    _written(trail.changed(schema.names), schema, fresh)
    with scratch(work) as connection:
        connection.execute(f"CREATE VIEW old AS SELECT * FROM read_parquet({literal(before)})")
        connection.execute(f"CREATE VIEW fresh AS SELECT * FROM read_parquet({literal(fresh)})")
        inserted = _count(connection, f"FROM fresh ANTI JOIN old USING ({_list(key)})")
        kept = f"old ANTI JOIN fresh USING ({_list(key)})"
        deleted, touched = 0, f"SELECT {_list(key)} FROM fresh"
        if rows_before + inserted != trail.rows:
            # Fewer than there would be: some are gone, and only the keys of all that are there tell which.
            _written(trail.keys(key), pa.schema([schema.field(k) for k in key]), there)
            connection.execute(f"CREATE VIEW there AS SELECT * FROM read_parquet({literal(there)})")
            connection.execute(
                f"CREATE TEMP TABLE gone AS SELECT {_list(key)} FROM old ANTI JOIN there USING ({_list(key)})"
            )
            deleted = _count(connection, "FROM gone")
            kept = f"({kept}) ANTI JOIN gone USING ({_list(key)})"
            touched += f" UNION ALL SELECT {_list(key)} FROM gone"
        names = _list([ROW, *schema.names])
        whole = f"SELECT {names} FROM {kept} UNION ALL {numbered('fresh', schema.names, key)}"
        order = ", ".join(f"{quoted(k)} ASC NULLS LAST" for k in key)
        rows = write_numbered(connection, f"SELECT {names} FROM ({whole}) ORDER BY {order}", schema, destination)
        keys = work / "touched.parquet"
        connection.execute(f"COPY ({touched}) TO {literal(keys)} (FORMAT parquet)")
        return Followed(rows, inserted, deleted, keys)


def _written(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    with pq.ParquetWriter(path, schema, compression="lz4") as writer:
        for table in tables:
            writer.write_table(table.cast(schema))


def _count(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    found = connection.execute(f"SELECT count(*) {rows}").fetchone()
    return int(found[0]) if found else 0


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))
