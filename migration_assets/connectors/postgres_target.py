"""A PostgreSQL target as a plain client: transactions, exact bulk copy in and out, and complaints without row values.

Rows travel as CSV, in which an empty field is NULL and a quoted empty one is '', microseconds and decimals are written
out, and text is quoted where it has to be. What does not belong here: which rows go where (stages/load), and what they
are compared with (stages/reconcile).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from psycopg import sql

from migration_assets.connectors.loopback import stays_here
from migration_assets.connectors.patient import patient
from migration_assets.domain.errors import Misconfigured, TargetRefused
from migration_assets.domain.patience import PATIENCE, Patience

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

Connection = psycopg.Connection[tuple[Any, ...]]

_BLOCK = 1 << 20
# What a field of the target's CSV is, exactly, when the engine reads it back.
_ENGINE_TYPES = {
    "uuid": "VARCHAR",
    "text": "VARCHAR",
    "bigint": "BIGINT",
    "numeric(28,8)": "DECIMAL(28,8)",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp with time zone": "TIMESTAMPTZ",
}


@dataclass(frozen=True)
class PostgresTarget:
    """One database that takes rows. `url` is a SQLAlchemy URL; nothing is opened before it is needed. `patience`: how
    long it may say nothing."""

    url: str
    patience: Patience = PATIENCE

    @contextmanager
    def transaction(self, *, role: str | None = None, read_only: bool = False) -> Iterator[Connection]:
        """One transaction as that role: committed at the end, rolled back on any exception.

        Misconfigured when the server cannot be reached. psycopg.Error passes: its caller knows which rows it was
        about, and must not let its text out.
        """
        with self._connect() as connection:
            if read_only:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
                # Whole cohorts are read. Fresh tables have no statistics, and a planner that expects a handful of rows
                # would look up each of a million one by one: minutes instead of seconds.
                connection.execute("SET LOCAL enable_nestloop = off")
            if role is not None:
                connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
            yield connection

    def _connect(self) -> Connection:
        try:
            return patient(self.patience).connect(**connection_arguments(self.url, self.patience))
        except psycopg.OperationalError:
            # The driver's text may hold the URL's password.
            raise Misconfigured(
                "the target database cannot be reached",
                "Check that the server runs and that the plan's target is right.",
            ) from None


def connection_arguments(url: str, patience: Patience = PATIENCE) -> dict[str, Any]:
    """A SQLAlchemy URL as psycopg arguments: exact text, TLS verified outside this machine, no endless wait."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    arguments: dict[str, Any] = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        "password": parsed.password,
        "dbname": parsed.database,
        "application_name": "cutover",
        **patience.arguments,
        "options": "-c TimeZone=UTC -c DateStyle=ISO,YMD -c IntervalStyle=postgres -c client_min_messages=warning "
        + patience.options,
        **{k: v if isinstance(v, str) else ",".join(v) for k, v in parsed.query.items()},
    }
    # libpq's default, `prefer`, is content without TLS and never looks at the certificate.
    if not stays_here(arguments, os.environ):
        arguments.setdefault("sslmode", "verify-full")
    return {k: v for k, v in arguments.items() if v is not None}


def has_table(connection: Connection, schema: str, name: str) -> bool:
    """Whether there is such a table, by names that need no quotes. A target of an earlier version may lack it."""
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{schema}.{name}"]).fetchone()
    return bool(found and found[0])


# --- rows in and out ---------------------------------------------------------------------------------------------


def write_csv(engine: DuckDBEngine, rows: ir.Table, path: Path, *, order_by: Sequence[str] = ()) -> None:
    """The rows as CSV that PostgreSQL reads back exactly. The first column must be a key: never empty."""
    ordered = rows.order_by(list(order_by)) if order_by else rows
    engine.connection.execute(
        f"COPY ({engine.sql(ordered)}) TO '{_quoted(path)}' (FORMAT csv, HEADER false, NULLSTR '')"
    )


def copy_in(connection: Connection, table: sql.Composable, columns: Sequence[str], path: Path) -> int:
    """Copy a CSV file into a table and return how many rows it took."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(table, names(columns))
    with connection.cursor() as cursor:
        with path.open("rb") as file, cursor.copy(statement) as copy:
            while block := file.read(_BLOCK):
                copy.write(block)
        return cursor.rowcount


@dataclass(frozen=True)
class CopiedOut:
    """A CSV file of a query's rows, how many there are, and the bytes of the longest."""

    path: Path
    rows: int
    longest: int


def copy_out(connection: Connection, query: sql.Composable, path: Path) -> CopiedOut:
    """Write the rows of a query to a CSV file."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(query)
    rows = longest = 0
    with connection.cursor() as cursor, path.open("wb", buffering=_BLOCK) as file, cursor.copy(statement) as copy:
        for row in copy:  # the protocol sends one message for each row
            file.write(row)
            rows += 1
            if len(row) > longest:
                longest = len(row)
    return CopiedOut(path, rows, longest)


def read_csv(engine: DuckDBEngine, copied: CopiedOut, types: Mapping[str, str]) -> ir.Table:
    """Rows that `copy_out` wrote, held in the engine. `types`: column -> PostgreSQL type, in the file's order."""
    import duckdb

    columns = ", ".join(f"'{name}': '{_ENGINE_TYPES[kind]}'" for name, kind in types.items())
    name = f"target_{uuid4().hex}"
    # DuckDB refuses lines longer than it was told (2 MB unless told), and its buffer has to hold one.
    line = max(1 << 21, copied.longest + 1)
    # Told its line ends: left to detect them, it takes a lone carriage return inside a text for one.
    statement = (
        f"CREATE TABLE {name} AS SELECT * FROM read_csv('{_quoted(copied.path)}', auto_detect = false, "
        "header = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\n', nullstr = '', "
        f"allow_quoted_nulls = false, max_line_size = {line}, buffer_size = {line * 4}, columns = {{{columns}}})"
    )
    try:
        engine.connection.execute(statement)
    except (duckdb.ConversionException, duckdb.InvalidInputException):
        # Its message quotes the line it stumbled on, with whatever personal data is in it.
        raise TargetRefused(
            "the target holds a value that its column's type in the plan cannot",
            "Materialize target_schema: it lists every column whose type has changed.",
        ) from None
    return engine.backend.table(name)


def names(columns: Sequence[str], prefix: str = "") -> sql.Composed:
    """Column names for a statement, separated by commas, each after the prefix (`t` gives `t.a, t.b`)."""
    return sql.SQL(", ").join(sql.Identifier(prefix, c) if prefix else sql.Identifier(c) for c in columns)


def engine_type(kind: str) -> dt.DataType:
    """The type that values of a column of the target have once `read_csv` has read them."""
    from migration_assets.engine.statements import ibis_type

    return ibis_type(_ENGINE_TYPES[kind])


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


# --- complaints --------------------------------------------------------------------------------------------------

_COPY_LINE = re.compile(r"COPY ([^,\s]+), line (\d+)(?:, column ([^\s:]+))?")
# `Key (a, b)=(1, 2) already exists`; an excluded range has parentheses of its own, which only the end may cut off.
_DETAIL_PAIR = re.compile(r"\((.+?)\)=\((.*?)\)", re.DOTALL)
_FIRST_VALUE = re.compile(r"\(([^,()]+)[,)]")
# Classes whose first line names objects of the schema and never values of rows.
_SAFE_CLASSES = ("08", "23", "25", "42", "53", "55", "57")


@dataclass(frozen=True)
class Complaint:
    """What PostgreSQL said, taken apart. `message` may be shown. `line`, `first_value` and `detail_key` only serve to
    find the row: they can hold personal data and are never shown."""

    sqlstate: str
    message: str
    table: str
    constraint: str
    column: str
    line: int = 0
    first_value: str = ""
    detail_key: tuple[str, str] | None = None


def is_lost(error: psycopg.Error) -> bool:
    """Whether the connection went, rather than that the server said no: its own words come with a state."""
    return isinstance(error, psycopg.OperationalError) and not error.sqlstate


def complaint(error: psycopg.Error) -> Complaint:
    """Take an error apart so that no value of a row is left in what may be shown."""
    diag, state = error.diag, error.sqlstate or ""
    where = _COPY_LINE.search(diag.context or "")
    detail = diag.message_detail or ""
    pair = _DETAIL_PAIR.search(detail) if state.startswith("23") else None
    first = _FIRST_VALUE.search(detail) if state in ("23502", "23514") else None
    shown = diag.message_primary if state[:2] in _SAFE_CLASSES else type(error).__name__
    if is_lost(error):
        shown = "the connection was lost"
    return Complaint(
        sqlstate=state,
        message=shown or type(error).__name__,
        table=diag.table_name or (where[1] if where else ""),
        constraint=diag.constraint_name or "",
        column=diag.column_name or (where[3] if where and where[3] else ""),
        line=int(where[2]) if where else 0,
        first_value=first[1] if first else "",
        detail_key=(pair[1], pair[2]) if pair else None,
    )
