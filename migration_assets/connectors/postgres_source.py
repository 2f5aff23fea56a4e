"""Reading PostgreSQL in bulk: COPY to Arrow to Parquet inside one read-only, repeatable-read transaction.

Values are converted by Arrow from the server's own text form, block by block, so memory does not grow with the table.
Other databases are read by `sql_source`; writing to PostgreSQL is not done here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from psycopg import sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from migration_assets.connectors.golden_parquet import GoldenWriter
from migration_assets.connectors.loopback import stays_here
from migration_assets.connectors.patient import patient
from migration_assets.connectors.postgres_trail import EVERY_ROW, PostgresTrail, mark_of, since
from migration_assets.connectors.source import UNKNOWN, Column, Look
from migration_assets.domain.errors import SourceUnreadable
from migration_assets.domain.patience import PATIENCE

BLOCK_BYTES = 4 * 1024 * 1024
# Types with an order of their own that does not depend on a collation; everything else is ordered as bytes of text.
_ORDERED = {"int2", "int4", "int8", "oid", "numeric", "bool", "date", "timestamp", "timestamptz", "uuid"}
_PLAIN = {
    "int2": pa.int64(),
    "int4": pa.int64(),
    "int8": pa.int64(),
    "oid": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
}
_UNBOUNDED = pa.decimal128(38, 10)
# Text that the server prints for the values Parquet can hold; used only to find the others after a refusal.
_DATE = r"\d{4}-\d\d-\d\d"
_FITS = {
    "date": f"^{_DATE}$",
    "timestamp": rf"^{_DATE} \d\d:\d\d:\d\d(\.\d{{1,6}})?$",
    "timestamptz": rf"^{_DATE} \d\d:\d\d:\d\d(\.\d{{1,6}})?\+00$",
}
_SETTINGS = {
    "datestyle": "ISO, YMD",
    "timezone": "UTC",
    "intervalstyle": "iso_8601",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    # A row hidden by a policy would be missing without a word; this makes the server refuse instead.
    "row_security": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
_COLUMNS = """
WITH RECURSIVE base AS (
  SELECT a.attnum, a.attname, a.atttypid AS type_id, a.atttypmod AS modifier,
         pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared
  FROM pg_catalog.pg_attribute a WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT b.attnum, b.attname, t.typbasetype, t.typtypmod, b.declared
  FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type_id WHERE t.typtype = 'd')
SELECT b.attname, t.typname, b.modifier, b.declared
FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type_id WHERE t.typtype <> 'd' ORDER BY b.attnum
"""
_TABLE = """
SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND
  ((c.relname = %(name)s AND pg_catalog.pg_table_is_visible(c.oid)) OR
   (n.nspname = %(schema)s AND c.relname = %(rest)s))
ORDER BY c.relname = %(name)s DESC LIMIT 1
"""
_UNIQUE = """
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL
    AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]) AND a.attnotnull) = %s)
"""


@dataclass(frozen=True)
class _PgColumn:
    """A column with the server's base type (domains resolved)."""

    name: str
    base: str
    declared: str
    arrow: pa.DataType
    unbounded: bool

    @property
    def selected(self) -> sql.Composable:
        """How it stands in the SELECT. `money` prints by locale, so it is read as a number.

        A number without a scale comes with exactly ten decimals, or with more and is refused: where Arrow has to add
        decimals itself, it takes numbers of 29 digits and more over its end without a word (seen in pyarrow 26).
        """
        name = sql.Identifier(self.name)
        if not self.unbounded:
            return name
        number = sql.SQL("{}::pg_catalog.numeric").format(name)
        return sql.SQL("CASE WHEN {0} = round({0}, {1}) THEN round({0}, {1}) ELSE {0} END").format(
            number, sql.Literal(_UNBOUNDED.scale)
        )

    @property
    def order(self) -> sql.Composable:
        name = sql.Identifier(self.name)
        return name if self.base in _ORDERED else sql.SQL('{}::text COLLATE "C"').format(name)

    @property
    def orders_alike(self) -> bool:
        """Whether the order above is that of the values as Arrow holds them: text of fixed length is ordered without
        its blanks, and floats as text; a single address is cast to text with a mask that it is not printed with."""
        return self.base in _ORDERED or (pa.types.is_string(self.arrow) and self.base not in ("bpchar", "inet"))

    @property
    def fits(self) -> str | None:
        """Pattern of the values that can be held exactly; None when any can."""
        if pa.types.is_decimal(self.arrow):
            whole = self.arrow.precision - self.arrow.scale
            return rf"^-?0*\d{{0,{whole}}}(\.\d{{0,{self.arrow.scale}}}0*)?$"
        return _FITS.get(self.base)


def is_postgres(url: str) -> bool:
    """Whether a SQLAlchemy URL names a PostgreSQL database."""
    return url.split(":", 1)[0].split("+", 1)[0] in {"postgresql", "postgres"}


class PostgresSource:
    """A PostgreSQL database, by SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        self._parameters = connection_parameters(url)

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """One REPEATABLE READ READ ONLY transaction; rolled back at the end."""
        connection = self._connect()
        try:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            for name, value in _SETTINGS.items():
                connection.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
            yield PostgresSnapshot(connection)
        finally:
            connection.close()

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            return patient(PATIENCE).connect(**self._parameters)
        except psycopg.OperationalError as refused:
            place = f"{self._parameters.get('dbname')} on {self._parameters.get('host', 'the local socket')}"
            raise SourceUnreadable(
                f"no connection to database {place}: {str(refused).strip().splitlines()[0]}",
                "check the source's url, that the server runs, and its certificate (sslmode, sslrootcert in the url)",
            ) from None


class PostgresSnapshot:
    """Reads within one transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def columns(self, read_from: str) -> tuple[Column, ...]:
        """Columns of a table or view, domains resolved to their base type."""
        with _refusals(read_from):
            oid, _ = self._table(read_from)
            found = self._pg_columns(oid, read_from)
        return tuple(Column(c.name, str(c.arrow), c.declared) for c in found)

    def export(
        self, read_from: str, columns: Sequence[str], key: Sequence[str], destination: Path, *, table: str = ""
    ) -> int:
        """See `source.Snapshot.export`. The server sorts; where the key is not known to be unique, ties are broken
        by the other columns, so that the order never depends on where rows lie on disk."""
        oid, relation = self._table(read_from)
        by_name = {c.name: c for c in self._pg_columns(oid, read_from)}
        chosen = [by_name[name] for name in columns]
        order = [by_name[name] for name in key]
        if not self._is_unique(oid, key):
            order += [c for c in chosen if c.name not in set(key)]
        schema = pa.schema([(c.name, c.arrow) for c in chosen])
        statement = _copy_statement(relation, chosen, order)
        with _refusals(table or read_from), GoldenWriter(destination, schema) as writer:
            for block, count in self._blocks(statement):
                writer.write(self._converted(block, count, chosen, schema, writer.received, table or read_from))
        return writer.rows

    def mark(self, read_from: str) -> str | None:
        """See `source.Snapshot.mark`: the transaction horizon, for ordinary tables."""
        with _refusals(read_from):
            mark = mark_of(self._connection, self._table(read_from)[0])
        return None if mark is None else mark.to_text()

    def look(self, read_from: str, key: Sequence[str], mark: str) -> Look:
        """See `source.Snapshot.look`. No row written since and as many as before: the very same rows."""
        with _refusals(read_from):
            oid, relation = self._table(read_from)
            found = since(self._connection, mark, relation, mark_of(self._connection, oid))
            if found is None:
                return UNKNOWN
            types = {c.name: c for c in self._pg_columns(oid, read_from)}
            in_bytes = self._connection.info.parameter_status("server_encoding") == "UTF8"
            by_key = in_bytes and self._is_unique(oid, key) and all(types[k].orders_alike for k in key)
        rows, candidates, horizon = found

        def read(columns: Sequence[str], where: sql.Composable) -> Iterator[pa.Table]:
            return self._rows(relation, [types[c] for c in columns], where, read_from)

        return Look(trail=PostgresTrail(rows, candidates, by_key, horizon, read))

    def _rows(
        self, relation: sql.Composable, chosen: Sequence[_PgColumn], where: sql.Composable, table: str
    ) -> Iterator[pa.Table]:
        """Some rows, in no order."""
        schema = pa.schema([(c.name, c.arrow) for c in chosen])
        statement = _copy_statement(relation, chosen, (), where)
        received = 0
        with _refusals(table):
            for block, count in self._blocks(statement):
                yield self._converted(block, count, chosen, schema, received, table)
                received += count

    def _blocks(self, statement: sql.Composed) -> Iterator[tuple[bytes, int]]:
        """Whole rows, in blocks of about BLOCK_BYTES; libpq hands over one row at a time, each in memory of its own,
        which is dear to keep until the block is full."""
        block, count = bytearray(), 0
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in copy:
                block += row
                count += 1
                if len(block) >= BLOCK_BYTES:
                    yield bytes(block), count
                    block, count = bytearray(), 0
        if count:
            yield bytes(block), count

    def _converted(
        self, block: bytes, count: int, columns: Sequence[_PgColumn], schema: pa.Schema, before: int, table: str
    ) -> pa.Table:
        try:
            rows = _parsed(block, schema)
        except pa.ArrowInvalid:
            raise _refused(block, columns, before, table) from None
        if rows.num_rows != count:
            raise SourceUnreadable(
                f"{table}: {count} rows came, {rows.num_rows} were understood", "report this as a defect"
            )
        return rows

    def _table(self, read_from: str) -> tuple[int, sql.Composable]:
        """A table by its whole name in the search path, or by `schema.table`. Names are taken as written."""
        schema, _, rest = read_from.partition(".")
        found = self._connection.execute(_TABLE, {"name": read_from, "schema": schema, "rest": rest}).fetchone()
        if found is None:
            raise SourceUnreadable(
                f"there is no table or view {read_from}", "check `read_from` (names are case-sensitive)"
            )
        return int(found[0]), sql.Identifier(found[1], found[2])

    def _pg_columns(self, oid: int, read_from: str) -> list[_PgColumn]:
        rows = self._connection.execute(_COLUMNS, (oid,)).fetchall()
        return [
            _PgColumn(name, base, declared, _arrow(name, base, modifier, read_from), _is_unbounded(base, modifier))
            for name, base, modifier, declared in rows
        ]

    def _is_unique(self, oid: int, key: Sequence[str]) -> bool:
        found = self._connection.execute(_UNIQUE, (oid, sorted(key))).fetchone()
        return bool(found and found[0])


def connection_parameters(url: str) -> dict[str, Any]:
    """psycopg parameters of a SQLAlchemy URL. Beyond this machine the server's certificate is verified unless the URL
    itself says otherwise (`?sslmode=`): libpq's own default would fall back to plain text."""
    try:
        parsed: URL = make_url(url)
        given = parsed.translate_connect_args(username="user", database="dbname")
    except (ArgumentError, ValueError):
        raise SourceUnreadable("the source's url is not a database URL", "write postgresql://user@host/name") from None
    query = {name: value if isinstance(value, str) else ",".join(value) for name, value in parsed.query.items()}
    parameters: dict[str, Any] = {**PATIENCE.arguments, "client_encoding": "UTF8", **given, **query}
    if "sslmode" not in parameters and not stays_here(parameters, os.environ):
        parameters = {"sslrootcert": "system", **parameters, "sslmode": "verify-full"}
    return parameters


def _copy_statement(
    relation: sql.Composable,
    columns: Sequence[_PgColumn],
    order: Iterable[_PgColumn],
    where: sql.Composable = EVERY_ROW,
) -> sql.Composed:
    comma = sql.SQL(", ")
    by = comma.join([c.order for c in order])
    return sql.SQL("COPY (SELECT {} FROM {} WHERE {} {}) TO STDOUT (FORMAT csv)").format(
        comma.join([c.selected for c in columns]),
        relation,
        where,
        sql.SQL("ORDER BY {}").format(by) if by.as_string() else sql.SQL(""),
    )


def _is_unbounded(base: str, modifier: int) -> bool:
    return base == "money" or (base == "numeric" and modifier == -1)


def _arrow(name: str, base: str, modifier: int, read_from: str) -> pa.DataType:
    if _is_unbounded(base, modifier):
        return _UNBOUNDED
    if base == "numeric":
        return _decimal(name, modifier, read_from)
    return _PLAIN.get(base, pa.string())


def _decimal(name: str, modifier: int, read_from: str) -> pa.DataType:
    """Precision and scale as PostgreSQL packs them; the scale is an 11-bit signed number."""
    precision, scale = ((modifier - 4) >> 16) & 0xFFFF, (((modifier - 4) & 0x7FF) ^ 1024) - 1024
    if scale > 38:
        raise SourceUnreadable(
            f"{read_from}.{name} has {scale} decimals, more than the 38 digits that can be kept exactly",
            "read from a view that casts the column to text, or to fewer decimals",
        )
    return pa.decimal128(min(38, max(precision - min(scale, 0), scale)), max(scale, 0))


def _parsed(block: bytes, schema: pa.Schema) -> pa.Table:
    """CSV as PostgreSQL writes it: an unquoted empty field is NULL, a quoted one is an empty text."""
    return pacsv.read_csv(
        pa.BufferReader(block),
        read_options=pacsv.ReadOptions(column_names=schema.names, use_threads=False, block_size=len(block) + 1),
        parse_options=pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pacsv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )


def _refused(block: bytes, columns: Sequence[_PgColumn], before: int, table: str) -> SourceUnreadable:
    """Which values of a block cannot be held, by column, first row and count; the values themselves stay out."""
    texts = _parsed(block, pa.schema([(c.name, pa.binary()) for c in columns]))
    lines = [line for c in columns if (line := _misfits(texts[c.name].combine_chunks(), c, before, table))]
    return SourceUnreadable(
        "; ".join(lines) or f"{table}: a value after row {before} is not what its column type says",
        "mend the rows in the source, or read from a view that casts the column to text",
    )


def _misfits(values: pa.Array, column: _PgColumn, before: int, table: str) -> str:
    if pa.types.is_string(column.arrow):
        bad = [index for index, value in enumerate(values.to_pylist()) if value is not None and not _is_utf8(value)]
        kind = "not valid UTF-8"
    elif column.fits is not None:
        misfit = pc.invert(pc.match_substring_regex(values.cast(pa.string()), column.fits))
        bad = pc.indices_nonzero(pc.fill_null(misfit, False)).to_pylist()
        kind = f"not exactly a {column.arrow} (infinite, NaN, before year 1, after 9999 or too many digits)"
    else:
        return ""
    return f"{table}#{before + bad[0] + 1}, column {column.name}: {kind}; {len(bad)} such near there" if bad else ""


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@contextmanager
def _refusals(table: str) -> Iterator[None]:
    """Server errors without their DETAIL, which echoes row values. Class 42 messages hold names only."""
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate or "connection lost"
        said = f": {error.diag.message_primary}" if re.match("42", state) else ""
        raise SourceUnreadable(
            f"{table} cannot be read (SQLSTATE {state}){said}",
            "check that the role may SELECT all planned columns, that no row policy hides rows, and the server's log",
        ) from None
