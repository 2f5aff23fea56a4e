"""What differs between two copies of a table, row by row, and that it adds up.

`late` rows are those that a look by time stamp alone would have passed over: new or changed, and stamped no later than
the latest stamp of the copy before (or not at all).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from migration_assets.connectors.golden_parquet import ROW, literal, quoted
from migration_assets.domain.errors import DeltaUnbalanced

if TYPE_CHECKING:
    import duckdb

_MEMORY = "512MB"


@dataclass(frozen=True)
class TableChanges:
    """Rows of one table that are not as they were. Each counts once: `late` ones are not among `inserted` and
    `updated`."""

    table: str
    rows_before: int
    rows_after: int
    inserted: int
    updated: int
    deleted: int
    late_inserted: int
    late_updated: int

    @property
    def late(self) -> int:
        return self.late_inserted + self.late_updated

    @property
    def changed(self) -> int:
        """All rows that are not as they were."""
        return self.inserted + self.updated + self.deleted + self.late

    def balanced(self) -> TableChanges:
        """The same, if it adds up; else DeltaUnbalanced."""
        expected = self.rows_before + self.inserted + self.late_inserted - self.deleted
        if expected != self.rows_after:
            raise DeltaUnbalanced(
                f"{self.table}: {self.rows_before} rows before and the changes found make {expected}, and the source "
                f"has {self.rows_after}",
                "Take a whole new copy: `cutover run --new-snapshot`; and report this as a defect.",
            )
        return self


def changes_json(counts: Mapping[str, Any]) -> dict[str, Any]:
    """What people are told of one table, out of the fields of its TableChanges."""
    kept = {k: counts[k] for k in ("table", "rows_before", "rows_after", "inserted", "updated", "deleted")}
    late = counts["late_inserted"] + counts["late_updated"]
    return kept | {"late": late, "changed": kept["inserted"] + kept["updated"] + kept["deleted"] + late}


def unchanged(table: str, rows: int) -> TableChanges:
    """A table that is as it was."""
    return TableChanges(table, rows, rows, 0, 0, 0, 0, 0)


@contextmanager
def scratch(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that spills into a folder; two copies of a table need not fit."""
    import duckdb

    with duckdb.connect(config={"memory_limit": _MEMORY, "threads": 2, "temp_directory": str(folder)}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        yield connection


def counted(
    table: str,
    before: Path,
    after: Path,
    key: Sequence[str],
    updated_at: str | None,
    spill: Path,
    touched: Path | None = None,
) -> TableChanges:
    """How the rows of two copies of a table differ. Rows with one key are paired in the order of the copies; where the
    columns are not the same, no row is as it was. `touched`: a file with the keys outside which nothing changed."""
    was, now = pq.read_schema(before), pq.read_schema(after)
    own = set(was.names) & set(now.names)
    columns = [c for c in now.names if c != ROW and c in own]
    keys = [c for c in key if c in own]
    everything = was.equals(now)
    stamp = updated_at if everything and updated_at in own and _tells_time(now.field(updated_at).type) else None
    with scratch(spill) as connection:
        old, new = (f"read_parquet({literal(path)})" for path in (before, after))
        if touched is not None:
            old, new = (_touched(connection, n, rows, keys, touched) for n, rows in (("old", old), ("new", new)))
        for name, rows, others in (("gone", old, new), ("come", new, old)):
            connection.execute(_only_in(name, rows, others, now, columns, keys, stamp, everything))
        found = connection.execute(_sums(before, keys, stamp)).fetchone()
    if found is None:
        raise AssertionError("an aggregate has one row")
    come, gone, both, late, late_both = (int(n or 0) for n in found)
    return TableChanges(
        table,
        pq.read_metadata(before).num_rows,
        pq.read_metadata(after).num_rows,
        inserted=come - both - (late - late_both),
        updated=both - late_both,
        deleted=gone - both,
        late_inserted=late - late_both,
        late_updated=late_both,
    ).balanced()


def _tells_time(kind: pa.DataType) -> bool:
    """Whether values are in the order of time; text may be anything."""
    return pa.types.is_temporal(kind) or pa.types.is_integer(kind)


def _touched(connection: duckdb.DuckDBPyConnection, name: str, rows: str, keys: Sequence[str], touched: Path) -> str:
    """A table of those rows that have one of the keys: a file is read once."""
    within = f"{rows} AS whole SEMI JOIN read_parquet({literal(touched)}) AS touched"
    connection.execute(f"CREATE TEMP TABLE {name} AS FROM {within} USING ({', '.join(map(quoted, keys))})")
    return name


def _only_in(
    name: str,
    path: str,
    other: str,
    schema: pa.Schema,
    columns: Sequence[str],
    keys: Sequence[str],
    stamp: str | None,
    everything: bool,
) -> str:
    """A table of the rows that only one copy has, numbered within their key."""
    # As text, floats that are equal and not the same (zero and minus zero) differ here too.
    told = [
        f"CAST({quoted(c)} AS VARCHAR) AS {quoted(c)}" if pa.types.is_floating(schema.field(c).type) else quoted(c)
        for c in columns
    ]
    rows = f"SELECT {', '.join(told)} FROM {path}"
    only = f"{rows} EXCEPT ALL SELECT {', '.join(told)} FROM {other}" if everything else rows
    texts = [f"CAST({quoted(k)} AS VARCHAR) AS {quoted(k)}" for k in keys]
    kept = ", ".join([*texts, f"{quoted(stamp) if stamp else 'NULL'} AS _stamp"])
    by = ", ".join(map(quoted, keys)) or "NULL"
    return (
        f"CREATE TEMP TABLE {name} AS SELECT {kept}, row_number() OVER (PARTITION BY {by} ORDER BY _stamp) AS _n"
        f" FROM ({only})"
    )


def _sums(before: Path, keys: Sequence[str], stamp: str | None) -> str:
    """Rows that came, that went, of which both under one key; then the late ones of the first and of the third."""
    same = " AND ".join([*(f"g.{quoted(k)} IS NOT DISTINCT FROM c.{quoted(k)}" for k in keys), "g._n = c._n"])
    latest = f"(SELECT max({quoted(stamp)}) FROM read_parquet({literal(before)}))" if stamp else "NULL"
    late = f"({latest} IS NOT NULL AND (c._stamp IS NULL OR c._stamp <= {latest}))" if stamp else "false"
    return (
        f"SELECT count(*), (SELECT count(*) FROM gone), count(g._n), count(*) FILTER (WHERE {late}),"
        f" count(g._n) FILTER (WHERE {late}) FROM come c LEFT JOIN gone g ON {same}"
    )
