"""Parquet in golden-copy shape: `_row` first, rows in key order, row groups of a fixed size, types kept.

Only shape and order are decided here; reading a source is done by its own module.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROW = "_row"
ROW_GROUP = 65_536
_SORT_MEMORY = ("128MB", "512MB", "2GB")


class GoldenWriter:
    """Writes batches that come in final order, and numbers their rows from 1, or takes the numbers they bring (`_row`
    first, where they are `numbered`).

    Row groups have a fixed size however the batches were cut, so that equal rows give equal bytes. Columns whose values
    recur in the first of them get a dictionary; for others making one takes as long as all the rest, and room besides.
    """

    def __init__(
        self, destination: Path, schema: pa.Schema, *, compression: str = "zstd", numbered: bool = False
    ) -> None:
        self.rows = 0
        self._numbered = numbered
        self._schema = schema
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._destination, self._compression = destination, compression
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> GoldenWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if kind is None:
            self._flush(self._waiting_rows)
        self._opened(self._empty).close()

    @property
    def received(self) -> int:
        """Rows given so far, written or still waiting for a full row group."""
        return self.rows + self._waiting_rows

    def write(self, rows: pa.Table) -> None:
        """Append rows; full row groups go to the file at once."""
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        full = self._waiting_rows - self._waiting_rows % ROW_GROUP
        if full:
            self._flush(full)

    def _flush(self, count: int) -> None:
        if not self._waiting_rows:
            return
        waiting = pa.concat_tables(self._waiting)
        for start in range(0, count, ROW_GROUP):
            group = waiting.slice(start, min(ROW_GROUP, count - start)).combine_chunks()
            if not self._numbered:
                group = group.add_column(0, ROW, pa.arange(self.rows + 1, self.rows + 1 + group.num_rows))
            self._opened(group).write_table(group, row_group_size=ROW_GROUP)
            self.rows += group.num_rows
        self._waiting = [waiting.slice(count)]
        self._waiting_rows -= count

    @property
    def _empty(self) -> pa.Table:
        return pa.schema([pa.field(ROW, pa.int64()), *self._schema]).empty_table()

    def _opened(self, first: pa.Table) -> pq.ParquetWriter:
        """The file's writer, which is made by what its first row group has."""
        if self._writer is None:
            schema, recurring = self._empty.schema, _recurring(first)
            self._writer = pq.ParquetWriter(
                self._destination, schema, compression=self._compression, use_dictionary=recurring
            )
        return self._writer


def _recurring(rows: pa.Table) -> list[str]:
    """Columns in which a value stands four times or more, taken all in all; of types whose values can be told apart."""
    told = [name for name in rows.column_names if _tells_apart(rows.schema.field(name).type)]
    return [name for name in told if 4 * pc.count_distinct(rows[name]).as_py() <= rows.num_rows]


def _tells_apart(kind: pa.DataType) -> bool:
    """Whether Arrow counts the different values of a type: not of nested ones, nor of those that others have added."""
    is_ = pa.types
    return any(f(kind) for f in (is_.is_primitive, is_.is_string, is_.is_large_string, is_.is_binary, is_.is_decimal))


def write_sorted(
    batches: Iterable[pa.Table], schema: pa.Schema, key: Sequence[str], destination: Path, *, ties: Sequence[str] = ()
) -> int:
    """Write batches in any order as one golden-copy file, sorted by `key`, then `ties`, then order of arrival.

    Rows pass through an unsorted file beside the destination, so memory stays small; the sort spills to disk.
    """
    unsorted = destination.with_name(f".{destination.name}.unsorted")
    try:
        with GoldenWriter(unsorted, schema, compression="lz4") as arrived:
            for batch in batches:
                arrived.write(batch)
        # What Arrow keeps for later would otherwise stand beside the sort's own memory.
        pa.default_memory_pool().release_unused()
        _sort(unsorted, schema, [*key, *ties, ROW], destination)
    finally:
        unsorted.unlink(missing_ok=True)
        shutil.rmtree(_spill(unsorted), ignore_errors=True)
    return arrived.rows


def _sort(unsorted: Path, schema: pa.Schema, order: Sequence[str], destination: Path) -> None:
    """Sort with as little memory as will do: rows with very long values need more."""
    import duckdb

    for limit in _SORT_MEMORY[:-1]:
        try:
            return _sort_within(limit, unsorted, schema, order, destination)
        except duckdb.OutOfMemoryException:
            continue
    return _sort_within(_SORT_MEMORY[-1], unsorted, schema, order, destination)


def _sort_within(limit: str, unsorted: Path, schema: pa.Schema, order: Sequence[str], destination: Path) -> None:
    import duckdb

    names = ", ".join(quoted(field.name) for field in schema)
    by = ", ".join(f"{quoted(name)} ASC NULLS LAST" for name in dict.fromkeys(order))
    query = f"SELECT {names} FROM read_parquet({literal(unsorted)}) ORDER BY {by}"
    # One thread: the same rows give the same bytes, and no second sort buffer.
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": limit,
        "temp_directory": str(_spill(unsorted)),
    }
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(
            f"COPY (SELECT row_number() OVER () AS {quoted(ROW)}, {names} FROM ({query}))"
            f" TO {literal(destination)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
        )


def literal(path: Path) -> str:
    """A file's name as a text of DuckDB's SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def _spill(unsorted: Path) -> Path:
    return unsorted.with_name(f"{unsorted.name}.spill")


def quoted(identifier: str) -> str:
    """An SQL identifier, quoted: whatever it contains, it stays a name."""
    return '"' + identifier.replace('"', '""') + '"'
