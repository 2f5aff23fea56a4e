"""Digests of rows, the same from PostgreSQL and from DuckDB, so that two sides can be compared where their rows lie.

A row's canonical text is its columns one after the other: text with its length in bytes before it, anything else as
PostgreSQL writes it with a bar behind it; a missing value is no characters at all, and so an empty text (`0:`) is not
it. No two different rows have the same text: lengths say where a text ends, and nothing else holds a bar. Nothing is
trimmed, folded or rounded. The digest is MD5: it is to find drift, not forgers. Rows are put into buckets by their key;
a bucket's digest is the exclusive or of its rows', which does not ask for an order.

Two PostgreSQL sides whose columns have the same types need no text: their own hash of a row does, at a third of the
cost. It takes two values for one that the type takes for equal; of the types in `_EXACT` only equal bytes are equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import ibis
from psycopg import sql

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.engine.duckdb import DuckDBEngine

# Types that are written without a bar, in one way only.
_PLAIN = ("uuid", "bigint", "integer", "smallint", "numeric", "boolean", "date", "timestamp")
# Types whose equality is that of their bytes; a numeric only where its type says how many decimals it has.
_EXACT = ("uuid", "bigint", "integer", "smallint", "numeric(", "boolean", "date", "timestamp", "text")
# PostgreSQL takes at most a hundred arguments in one call; a column takes three.
_AT_ONCE = 30

How = Literal["text", "record"]


@dataclass(frozen=True)
class Bucket:
    """How many rows a bucket has, and the exclusive or of their digests."""

    rows: int
    digest: int


class Digested(Protocol):
    """Rows that can be asked for their digests where they lie. `width` says how fine buckets are: each digit more makes
    sixteen of one."""

    def buckets(self, width: int) -> dict[str, Bucket]:
        """Every bucket that has rows, by name."""

    def rows(self, width: int, buckets: Collection[str]) -> Iterator[tuple[str, str]]:
        """Key and digest of each row of these buckets."""


@dataclass(frozen=True)
class ServerRows:
    """Rows of a query, digested by the PostgreSQL server that has them. `types`: column -> type, in the order in which
    both sides have them; `key`: the column that names a row."""

    connection: Connection
    query: sql.Composable
    key: str
    types: Mapping[str, str]
    how: How = "text"

    def buckets(self, width: int) -> dict[str, Bucket]:
        if self.how == "record":
            digest = sql.SQL("coalesce(bit_xor({}), 0)::text").format(self._digest)
        else:
            digest = sql.SQL("bit_xor(('x' || {})::bit(128))::text").format(self._digest)
        statement = sql.SQL("SELECT {bucket}, count(*), {digest} FROM ({query}) t GROUP BY 1").format(
            bucket=self._bucket(width), digest=digest, query=self.query
        )
        base = 10 if self.how == "record" else 2
        return {name: Bucket(rows, int(bits, base)) for name, rows, bits in self.connection.execute(statement)}

    def rows(self, width: int, buckets: Collection[str]) -> Iterator[tuple[str, str]]:
        statement = sql.SQL(
            "SELECT {key}::text, {digest}::text FROM ({query}) t WHERE {bucket} = ANY({buckets})"
        ).format(
            key=sql.Identifier("t", self.key), digest=self._digest, query=self.query, bucket=self._bucket(width),
            buckets=sql.Literal(sorted(buckets)),
        )  # fmt: skip
        yield from self.connection.execute(statement)

    @property
    def _digest(self) -> sql.Composable:
        if self.how == "record":
            columns = sql.SQL(", ").join(sql.Identifier("t", c) for c in self.types)
            return sql.SQL("hash_record_extended(ROW({}), 0)").format(columns)
        return server_digest("t", self.types)

    def _bucket(self, width: int) -> sql.Composable:
        key = sql.Identifier("t", self.key)
        if self.how == "record":
            mask = sql.Literal(16**width - 1)
            return sql.SQL("(hash_record_extended(ROW({}), 1) & {})::text").format(key, mask)
        # A UUID that is made from a name is spread evenly already.
        text = sql.SQL("{}::text") if self.types[self.key] == "uuid" else sql.SQL("md5({}::text)")
        return sql.SQL("left({}, {})").format(text.format(key), sql.Literal(width))


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


def server_digest(
    alias: str, types: Mapping[str, str], instead: Mapping[str, sql.Composable] | None = None
) -> sql.Composed:
    """MD5 of the canonical text of a row, for a statement; `alias` has the columns, but for those with something
    `instead`. The session's time zone is UTC and its date style ISO, as `connection_arguments` has them."""
    columns = {c: (instead or {}).get(c, sql.Identifier(alias, c)) for c in types}
    parts = [part for column, kind in types.items() for part in _server_parts(columns[column], kind)]
    calls = [sql.SQL("concat({})").format(sql.SQL(", ").join(chunk)) for chunk in _chunks(parts, 3 * _AT_ONCE)]
    return sql.SQL("md5({})").format(sql.SQL(" || ").join(calls))


def engine_digest(values: Mapping[str, ir.Value], types: Mapping[str, str]) -> ir.StringValue:
    """The same of values of the engine."""
    return _engine_text(values, types).hexdigest("md5")


def digest_of(texts: Mapping[str, str | None], types: Mapping[str, str]) -> str:
    """The same of a row whose values are text already, as PostgreSQL casts them."""
    parts = []
    for column, kind in types.items():
        text = texts[column]
        if kind.startswith(_PLAIN):
            parts.append(f"{text or ''}|")
        else:
            parts.append(":" if text is None else f"{len(text.encode())}:{text}")
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def _server_parts(column: sql.Composable, kind: str) -> list[sql.Composable]:
    if kind == "boolean":  # alone it would be `t`
        return [sql.SQL("{}::text").format(column), sql.SQL("'|'")]
    if kind.startswith(_PLAIN):
        return [column, sql.SQL("'|'")]
    text = column if kind == "text" else sql.SQL("{}::text").format(column)
    return [sql.SQL("octet_length({})").format(text), sql.SQL("':'"), text]


@ibis.udf.scalar.builtin(name="strlen")  # type: ignore[untyped-decorator]
def _bytes(text: str) -> int:  # type: ignore[empty-body]
    """Length of a text in bytes."""


def _engine_text(values: Mapping[str, ir.Value], types: Mapping[str, str]) -> ir.StringValue:
    """DuckDB joins what is there and passes over what is missing, as PostgreSQL's `concat` does."""
    parts: list[ir.Value] = []
    for column, kind in types.items():
        value = values[column]
        text = value.cast("string")
        parts += [text, ibis.literal("|")] if kind.startswith(_PLAIN) else [
            _bytes(text).cast("string"), ibis.literal(":"), text
        ]  # fmt: skip
    joined: ir.StringValue = ibis.literal("").join(parts)
    return joined


def _chunks(parts: Sequence[sql.Composable], size: int) -> list[Sequence[sql.Composable]]:
    return [parts[i : i + size] for i in range(0, len(parts), size)]


def _number(upper: int, lower: int) -> int:
    """Both halves of a digest as the number that its hex digits make: DuckDB reads the bytes of each from behind."""
    return int.from_bytes(upper.to_bytes(8, "little") + lower.to_bytes(8, "little"), "big")


# --- two PostgreSQL sides ----------------------------------------------------------------------------------------

_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(c.collisdeterministic, true)
FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname
"""


def sides_of(
    left: Connection, right: Connection, tables: tuple[sql.Identifier, sql.Identifier], key: str
) -> tuple[ServerRows, ServerRows]:
    """A table of each of two servers, by the columns that the left one has. Their own hash where both are of one
    version and each column has the same exact type, else canonical text.

    The right table has every column of the left one, whatever its type.
    """
    named = [_columns(c, t) for c, t in zip((left, right), tables, strict=True)]
    columns = [c for c in named[0] if c in named[1]]
    same = all(named[0][c] == named[1][c] and named[0][c][1] and named[0][c][0].startswith(_EXACT) for c in columns)
    version = left.info.server_version // 10_000 == right.info.server_version // 10_000
    how: How = "record" if same and version else "text"
    return tuple(  # type: ignore[return-value]
        ServerRows(c, _selected(t, columns), key, {name: kinds[name][0] for name in columns}, how)
        for c, t, kinds in zip((left, right), tables, named, strict=True)
    )


def _columns(connection: Connection, table: sql.Identifier) -> dict[str, tuple[str, bool]]:
    """Type of each column, and whether only equal texts are equal in it."""
    name = table.as_string(connection)
    return {n: (kind, exact) for n, kind, exact in connection.execute(_COLUMNS, [name])}


def _selected(table: sql.Identifier, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(map(sql.Identifier, columns)), table)
