"""Digests of rows, the same from PostgreSQL and from DuckDB, so that two sides can be compared where their rows lie.

A row's canonical text is its columns one after the other: text with its length in bytes before it, anything else as
PostgreSQL writes it with a bar behind it; a missing value is no characters at all, and so an empty text (`0:`) is not
it. No two different rows have the same text: lengths say where a text ends, and nothing else holds a bar. Nothing is
trimmed, folded or rounded. The digest is MD5: it is to find drift, not forgers. Rows are put into buckets by their key;
a bucket's digest is the exclusive or of its rows', which does not ask for an order.

What DuckDB makes of its own rows is in `engine_digests`. Two PostgreSQL sides whose columns have the same types need no
text: their own hash of a row does, at less than half the cost. It takes two values for one that the type takes for
equal; of the types in `_EXACT` only equal bytes are equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from psycopg import sql

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection

# Types that are written without a bar, in one way only.
PLAIN = ("uuid", "bigint", "integer", "smallint", "numeric", "boolean", "date", "timestamp")
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


def server_digest(
    alias: str, types: Mapping[str, str], instead: Mapping[str, sql.Composable] | None = None
) -> sql.Composed:
    """MD5 of the canonical text of a row, for a statement; `alias` has the columns, but for those with something
    `instead`. The session's time zone is UTC and its date style ISO, as `connection_arguments` has them."""
    columns = {c: (instead or {}).get(c, sql.Identifier(alias, c)) for c in types}
    parts = [part for column, kind in types.items() for part in _server_parts(columns[column], kind)]
    calls = [sql.SQL("concat({})").format(sql.SQL(", ").join(chunk)) for chunk in _chunks(parts, 3 * _AT_ONCE)]
    return sql.SQL("md5({})").format(sql.SQL(" || ").join(calls))


def digest_of(texts: Mapping[str, str | None], types: Mapping[str, str]) -> str:
    """MD5 of the canonical text of a row whose values are text already, as PostgreSQL casts them."""
    parts = []
    for column, kind in types.items():
        text = texts[column]
        if kind.startswith(PLAIN):
            parts.append(f"{text or ''}|")
        else:
            parts.append(":" if text is None else f"{len(text.encode())}:{text}")
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def _server_parts(column: sql.Composable, kind: str) -> list[sql.Composable]:
    if kind == "boolean":  # alone it would be `t`
        return [sql.SQL("{}::text").format(column), sql.SQL("'|'")]
    if kind.startswith(PLAIN):
        return [column, sql.SQL("'|'")]
    text = column if kind == "text" else sql.SQL("{}::text").format(column)
    return [sql.SQL("octet_length({})").format(text), sql.SQL("':'"), text]


def _chunks(parts: Sequence[sql.Composable], size: int) -> list[Sequence[sql.Composable]]:
    return [parts[i : i + size] for i in range(0, len(parts), size)]


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
