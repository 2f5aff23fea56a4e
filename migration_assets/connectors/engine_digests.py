"""Digests of rows that the engine holds, the same as those of a PostgreSQL server (`row_digests`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from migration_assets.connectors.row_digests import PLAIN, Bucket

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine


@dataclass(frozen=True)
class EngineRows:
    """Rows of the engine, digested by it. `types`: column -> the PostgreSQL type of the other side; a UUID is held as
    lower-case text, everything else as what `read_csv` makes of it."""

    engine: DuckDBEngine
    table: ir.Table
    key: str
    types: Mapping[str, str]

    def buckets(self, width: int) -> dict[str, Bucket]:
        found = self.engine.connection.execute(
            "SELECT bucket, count(*), bit_xor(md5_number_upper(text)), bit_xor(md5_number_lower(text)) "
            f"FROM ({self.engine.sql(self._texts(width))}) GROUP BY bucket"
        ).fetchall()
        return {name: Bucket(rows, _number(upper, lower)) for name, rows, upper, lower in found}

    def rows(self, width: int, buckets: Collection[str]) -> Iterator[tuple[str, str]]:
        found = self.engine.connection.execute(
            f"SELECT key, md5(text) FROM ({self.engine.sql(self._texts(width))}) WHERE list_contains(?, bucket)",
            [sorted(buckets)],
        )
        while block := found.fetchmany(10_000):
            yield from block

    def _texts(self, width: int) -> ir.Table:
        """key, bucket and canonical text of each row."""
        key = self.table[self.key].cast("string")
        bucket = (key if self.types[self.key] == "uuid" else key.hexdigest("md5")).left(width)
        values = {column: self.table[column] for column in self.types}
        return self.table.select(key=key, bucket=bucket, text=_engine_text(values, self.types))


def engine_digest(values: Mapping[str, ir.Value], types: Mapping[str, str]) -> ir.StringValue:
    """MD5 of the canonical text of a row, of values of the engine."""
    return _engine_text(values, types).hexdigest("md5")


@ibis.udf.scalar.builtin(name="strlen")  # type: ignore[untyped-decorator]
def _bytes(text: str) -> int:  # type: ignore[empty-body]
    """Length of a text in bytes."""


def _engine_text(values: Mapping[str, ir.Value], types: Mapping[str, str]) -> ir.StringValue:
    """DuckDB joins what is there and passes over what is missing, as PostgreSQL's `concat` does."""
    parts: list[ir.Value] = []
    for column, kind in types.items():
        value = values[column]
        text = value.cast("string")
        parts += [text, ibis.literal("|")] if kind.startswith(PLAIN) else [
            _bytes(text).cast("string"), ibis.literal(":"), text
        ]  # fmt: skip
    joined: ir.StringValue = ibis.literal("").join(parts)
    return joined


def _number(upper: int, lower: int) -> int:
    """Both halves of a digest as the number that its hex digits make: DuckDB reads the bytes of each from behind."""
    return int.from_bytes(upper.to_bytes(8, "little") + lower.to_bytes(8, "little"), "big")
