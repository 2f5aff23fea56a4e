"""Row numbers that stay: a row has the number that the row with its key had in the copy before, and new rows take the
next ones. What became of a row, and what was said of it, is known by that number in every stage; a row that comes or
goes must not change those of all rows behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from migration_assets.connectors.golden_parquet import ROW, GoldenWriter, literal, quoted
from migration_assets.stages.golden_copy.changes import scratch

if TYPE_CHECKING:
    import duckdb

_BATCH = 65_536


def keep_numbers(before: Path, after: Path, key: Sequence[str], work: Path) -> bool:
    """Number the rows of `after` by those of `before`, in place. False where a key is missing or not unique, so that
    nothing tells which row is which: `after` stays as it is. `work` is a folder for what is needed on the way."""
    was, now = pq.read_schema(before), pq.read_schema(after)
    if not key or any(k not in was.names or was.field(k).type != now.field(k).type for k in key):
        return False
    with scratch(work) as connection:
        connection.execute(f"CREATE VIEW old AS SELECT * FROM read_parquet({literal(before)})")
        connection.execute(f"CREATE VIEW new AS SELECT * FROM read_parquet({literal(after)})")
        if not all(_identifies(connection, rows, key) for rows in ("old", "new")):
            return False
        names = [name for name in now.names if name != ROW]
        query = f"{numbered('new', names, key)} ORDER BY new.{quoted(ROW)}"
        write_numbered(connection, query, now, work / "numbered.parquet")
    (work / "numbered.parquet").replace(after)
    return True


def numbered(rows: str, names: Sequence[str], key: Sequence[str]) -> str:
    """A SELECT of the rows of a view, each with the number that its key has in the view `old`; new ones get the next
    numbers in the order of their key."""
    own = ", ".join(f"{rows}.{quoted(n)}" for n in names)
    by = ", ".join(f"{rows}.{quoted(k)}" for k in key)
    same = " AND ".join(f"{rows}.{quoted(k)} = had.{quoted(k)}" for k in key)
    kept = ", ".join(map(quoted, [*key, ROW]))
    following = (
        f"(SELECT coalesce(max({quoted(ROW)}), 0) FROM old)"
        f" + row_number() OVER (PARTITION BY had.{quoted(ROW)} IS NULL ORDER BY {by})"
    )
    return (
        f"SELECT coalesce(had.{quoted(ROW)}, {following}) AS {quoted(ROW)}, {own} FROM {rows}"
        f" LEFT JOIN (SELECT {kept} FROM old) had ON {same}"
    )


def write_numbered(connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema, destination: Path) -> int:
    """Write the rows of a query, which come in final order, in golden-copy shape. How many there are."""
    own = pa.schema([schema.field(name) for name in schema.names if name != ROW])
    whole = pa.schema([pa.field(ROW, pa.int64()), *own])
    with GoldenWriter(destination, own, numbered=True) as writer:
        for batch in connection.execute(query).to_arrow_reader(_BATCH):
            writer.write(pa.Table.from_batches([batch]).cast(whole))
    return writer.rows


def _identifies(connection: duckdb.DuckDBPyConnection, rows: str, key: Sequence[str]) -> bool:
    names = ", ".join(map(quoted, key))
    missing = " OR ".join(f"{quoted(k)} IS NULL" for k in key)
    query = (
        f"SELECT NOT EXISTS (SELECT 1 FROM {rows} WHERE {missing})"
        f" AND NOT EXISTS (SELECT 1 FROM {rows} GROUP BY {names} HAVING count(*) > 1)"
    )
    found = connection.execute(query).fetchone()
    return bool(found and found[0])
