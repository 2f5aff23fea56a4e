"""The default engine: Ibis on an in-memory DuckDB, one per run, Parquet in and out.

A DuckDB file would lock out every other process, so nothing is kept in one. What an engine has to do for the rest of
the program is exactly the public methods here; tests/contract/engines run against each engine there is.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import duckdb
import ibis
import ibis.expr.operations as ops
import pyarrow as pa

from migration_assets.engine.held_folder import HeldFolder
from migration_assets.engine.statements import declared, ibis_type, kept_type, statement_of

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

    from migration_assets.domain.money import InvoiceRounding


# One call in the expression instead of twenty: a load mints ids in every column that holds one. DuckDB hashes once. The
# digit that carries the variant is chosen by cases, which is four times cheaper than `translate`.
_SHA1 = "sha1(unhex(namespace) || encode(name))"
_VARIANT = f"""
  CASE WHEN substring({_SHA1}, 17, 1) IN ('0', '4', '8', 'c') THEN '8'
    WHEN substring({_SHA1}, 17, 1) IN ('1', '5', '9', 'd') THEN '9'
    WHEN substring({_SHA1}, 17, 1) IN ('2', '6', 'a', 'e') THEN 'a' ELSE 'b' END"""
_UUID5 = f"""
CREATE MACRO cutover_uuid5(namespace, name) AS
  substring({_SHA1}, 1, 8) || '-' || substring({_SHA1}, 9, 4) || '-5' || substring({_SHA1}, 14, 3) || '-'
  || ({_VARIANT}) || substring({_SHA1}, 18, 3) || '-' || substring({_SHA1}, 21, 12)"""


# Division of whole numbers alone: what Ibis makes of `//` goes over a float. The size is rounded and the sign given
# back, as in domain.money.whole. DuckDB divides 128 bits a hundred times slower than 64, so that there is one for each.
def _whole_macro(name: str, integer: str) -> str:
    total, parts = f"abs(total::{integer})", f"parts::{integer}"
    rest = f"({total} % {parts})"
    return f"""
CREATE MACRO {name}(total, parts, how) AS (
  CASE WHEN total < 0 THEN -1 ELSE 1 END * (
    {total} // {parts}
    + CASE how
        WHEN 'down' THEN 0
        WHEN 'up' THEN CASE WHEN {rest} > 0 THEN 1 ELSE 0 END
        ELSE CASE
          WHEN {rest} > {parts} - {rest} THEN 1
          WHEN {rest} < {parts} - {rest} THEN 0
          WHEN how = 'half_up' THEN 1
          WHEN how = 'half_down' THEN 0
          ELSE ({total} // {parts}) % 2
        END
      END
  )
)::BIGINT"""


_WHOLE = (_whole_macro("cutover_whole", "HUGEINT"), _whole_macro("cutover_whole_64", "BIGINT"))


@ibis.udf.scalar.builtin(name="cutover_whole")  # type: ignore[untyped-decorator]
def _whole(total: Decimal, parts: Decimal, how: str) -> int:  # type: ignore[empty-body]
    """A whole number divided by a positive one, rounded as told."""


@ibis.udf.scalar.builtin(name="cutover_whole_64")  # type: ignore[untyped-decorator]
def _whole_64(total: int, parts: int, how: str) -> int:  # type: ignore[empty-body]
    """The same of numbers that 64 bits hold."""


@ibis.udf.scalar.builtin(name="cutover_uuid5")  # type: ignore[untyped-decorator]
def _uuid5(namespace: str, text: str) -> str:  # type: ignore[empty-body]
    """Version 5 is the 13th hex digit; the variant is the top two bits (10) of the 17th."""


# What an engine keeps in memory that has nothing to do.
_AT_REST = "64MB"


class DuckDBEngine:
    """One in-memory database. Use as a context manager, or close it."""

    name = "duckdb"

    def __init__(self, *, memory_limit: str = "2GB", threads: int = 2, spill_to: Path | None = None) -> None:
        self.backend = ibis.duckdb.connect(memory_limit=memory_limit, threads=threads)
        self.connection: duckdb.DuckDBPyConnection = self.backend.con
        self._memory = memory_limit
        self._given: Counter[str] = Counter()
        self._made: list[str] = []
        self._stem = ""
        self._seen: dict[tuple[tuple[str, int, int], ...], ir.Table] = {}
        # Merging nested selects costs most of the compiling, and DuckDB flattens them itself.
        ibis.options.sql.fuse_selects = False
        self.connection.execute("SET TimeZone = 'UTC'")
        # Row order is given by an explicit sort where it matters; without this DuckDB holds whole row groups back.
        self.connection.execute("SET preserve_insertion_order = false")
        self.connection.execute("SET enable_progress_bar = false")
        self.connection.execute(_UUID5)
        for macro in _WHOLE:
            self.connection.execute(macro)
        self._spill = None if spill_to is None else HeldFolder(spill_to)
        if self._spill is not None:
            self.connection.execute(f"SET temp_directory = '{_quoted(self._spill.path)}'")

    def __enter__(self) -> DuckDBEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def spill_to(self) -> Path | None:
        """Folder of this engine for what does not fit in memory; it goes with the engine."""
        return None if self._spill is None else self._spill.path

    def close(self) -> None:
        """Give back memory; tables of this engine are gone afterwards."""
        self.backend.disconnect()
        if self._spill is not None:
            self._spill.close()

    def read(self, *paths: Path) -> ir.Table:
        """The rows of one or more Parquet files of the same columns."""
        state = tuple((str(p), (stat := p.stat()).st_ino, stat.st_mtime_ns) for p in paths)
        if state not in self._seen:
            # The cohort is no part of the name: what is asked of one cohort's files reads the same for the next one's.
            name = self._name("_".join(("parquet", *paths[0].parts[-3:-2], paths[0].stem)))
            listed = ", ".join(f"'{_quoted(p)}'" for p in paths)
            self.connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet([{listed}])')
            columns = self.connection.execute(f'DESCRIBE "{name}"').fetchall()
            self._seen[state] = self._known(name, {c[0]: ibis_type(c[1]) for c in columns})
        return self._seen[state]

    def table(self, frame: pa.Table) -> ir.Table:
        """Rows held in memory, as a table of this engine."""
        schema = ibis.Schema.from_pyarrow(frame.schema)
        columns = declared(schema)
        name = self._name(f"frame_{zlib.crc32(columns.encode())}")
        self.connection.register("_frame", frame)
        try:
            self._create(name, columns, "SELECT * FROM _frame")
        finally:
            self.connection.unregister("_frame")
        return self._known(name, {c: kept_type(t) for c, t in schema.items()})

    def cached(self, table: ir.Table, *more: ir.Table) -> ir.Table:
        """The same rows, computed once and kept in the engine: for an expression that is used several times. With
        `more`, which have the same columns: the rows of all, computed one after the other."""
        schema = table.schema()
        kept = self.kept(self.sql(table), schema)
        for each in more:
            self.connection.execute(f'INSERT INTO "{kept.op().name}" {self.sql(each.select(list(schema)))}')
        return kept

    def kept(self, query: str, schema: ibis.Schema) -> ir.Table:
        """Rows of a query in DuckDB's own words, which has these columns, computed once and kept in the engine."""
        columns = declared(schema)
        # Named by its columns, not by where it comes from: one step more upstream must not rename all that follows.
        name = self._name(f"kept_{zlib.crc32(columns.encode())}")
        self._create(name, columns, query)
        return self._known(name, {c: kept_type(t) for c, t in schema.items()})

    @contextmanager
    def passing(self) -> Iterator[list[ir.Table]]:
        """Rows kept within the block are given back at its end, but for those of the tables put into the list."""
        before, lasting = len(self._made), list[Any]()
        try:
            yield lasting
        finally:
            names = {table.op().name for table in lasting}
            inside = self._made[before:]
            for name in inside:
                if name not in names:
                    self.connection.execute(f'DROP TABLE IF EXISTS "{name}"')
            self._made[before:] = [name for name in inside if name in names]

    @contextmanager
    def resting(self) -> Iterator[None]:
        """While something else needs the memory: what this engine keeps lies in its folder, if it has one. Nothing is
        asked of it meanwhile."""
        if self._spill is None:
            yield
            return
        self.connection.execute(f"SET memory_limit = '{_AT_REST}'")
        try:
            yield
        finally:
            self.connection.execute(f"SET memory_limit = '{self._memory}'")

    def aside(self, work: Callable[[], Sequence[ir.Table]]) -> tuple[ir.Table, ...]:
        """Tables that `work` keeps in the engine, under names of their own: what is done a second time with other
        settings reads the same, so that its SQL is built once. All else that it made is given back; it reads no files.
        """
        given, made, stem = self._given, self._made, self._stem
        self._given, self._made, self._stem = Counter(), [], f"{stem}aside_"
        try:
            kept = [t if isinstance(t.op(), ops.DatabaseTable) else self.cached(t) for t in work()]
            found = [(table.op().name, table.schema()) for table in kept]
            inside = self._made
        finally:
            self._given, self._made, self._stem = given, made, stem
        lasting = []
        for name, schema in found:
            own = self._name(f"kept_{zlib.crc32(declared(schema).encode())}")
            self.connection.execute(f'ALTER TABLE "{name}" RENAME TO "{own}"')
            self._made.append(own)
            lasting.append(self._known(own, dict(schema.items())))
        for name in set(inside) - {name for name, _ in found}:
            self.connection.execute(f'DROP TABLE IF EXISTS "{name}"')
        return tuple(lasting)

    def sql(self, table: ir.Table) -> str:
        """The query behind an expression, in DuckDB's own words."""
        return statement_of(self.backend, table)

    def arrow(self, table: ir.Table) -> pa.Table:
        """The rows as Arrow, decimals exact, instants in UTC."""
        from ibis.backends.duckdb.converter import DuckDBPyArrowData

        found = self.connection.execute(self.sql(table)).to_arrow_table()
        return table.__pyarrow_result__(found, data_mapper=DuckDBPyArrowData)

    def count(self, table: ir.Table) -> int:
        """How many rows."""
        row = self.connection.execute(f"SELECT count(*) FROM ({self.sql(table)})").fetchone()
        return int(row[0]) if row else 0

    def _name(self, stem: str) -> str:
        """A free name. Names follow from what they stand for, so that equal work of two cohorts gives equal SQL."""
        self._given[stem] += 1
        return f"{self._stem}{stem}_{self._given[stem]}"

    def _create(self, name: str, columns: str, query: str) -> None:
        self._made.append(name)
        self.connection.execute(f'CREATE TABLE "{name}" ({columns})')
        self.connection.execute(f'INSERT INTO "{name}" {query}')

    def _known(self, name: str, columns: Mapping[str, dt.DataType]) -> ir.Table:
        """A relation whose columns we know, without asking the database for them."""
        return ops.DatabaseTable(name, schema=ibis.schema(columns), source=self.backend).to_expr()

    def write(self, table: ir.Table, path: Path, *, order_by: Sequence[str] = ()) -> int:
        """Write rows to one Parquet file, whole or not at all, and return how many there are."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # One name for all, since no two write one file at once: what a killed process left goes with the next write.
        part = path.with_name(f".{path.name}.part")
        ordered = table.order_by(list(order_by)) if order_by else table
        try:
            rows = self.connection.execute(
                f"COPY ({self.sql(ordered)}) TO '{_quoted(part)}' (FORMAT parquet, COMPRESSION zstd)"
            ).fetchone()
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return int(rows[0]) if rows else 0

    def write_partitions(
        self, table: ir.Table, by: str, files: Mapping[str, Path], *, order_by: Sequence[str] = ()
    ) -> dict[str, int]:
        """Write the rows to one file for each value of column `by` in one pass; returns rows by value.

        Every file of `files` is written, without rows where the value has none. The column itself is not written.
        ValueError when a value has no file: no row may be lost by a name that nobody planned.
        """
        kept = self.cached(table)
        counts = {r[by]: r["n"] for r in self.arrow(kept.group_by(by).aggregate(n=kept.count())).to_pylist()}
        if strays := set(counts) - set(files):
            raise ValueError(f"rows for {len(strays)} value(s) of {by} without a file")
        for value, path in files.items():
            self.write(kept.filter(kept[by] == value).drop(by), path, order_by=order_by)
        self.backend.drop_table(kept.op().name)
        return {value: int(counts.get(value, 0)) for value in files}

    def union(self, tables: Iterable[ir.Table]) -> ir.Table:
        """All rows of tables of equal columns (at least one table)."""
        first, *rest = tables
        return ibis.union(first, *rest) if rest else first

    def whole(self, total: ir.NumericValue, parts: ir.NumericValue, how: InvoiceRounding) -> ir.IntegerValue:
        """A whole `total` divided by positive whole `parts`, exactly, and rounded as `domain.money.whole` does it.

        Both up to 38 digits, as int64 or decimal(38, 0); a quotient outside 64 bits is an error, never another number.
        Two of int64 are divided a hundred times faster.
        """
        if total.type().is_integer() and parts.type().is_integer():
            return _whole_64(total.cast("int64"), parts.cast("int64"), how)
        return _whole(total.cast("decimal(38, 0)"), parts.cast("decimal(38, 0)"), how)

    def uuid5(self, namespace: UUID, text: ir.StringValue) -> ir.StringValue:
        """Name-based UUID (RFC 9562, version 5) of each text, as canonical lower-case text."""
        return _uuid5(ibis.literal(namespace.hex), text)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
