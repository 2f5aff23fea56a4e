"""Reading any database that SQLAlchemy knows, in one transaction, value by value and exactly or not at all.

The driver's own values are taken, not SQLAlchemy's conversions, which round numerics on SQLite. PostgreSQL has a bulk
path of its own in `postgres_source`.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from migration_assets.connectors.golden_parquet import write_sorted
from migration_assets.connectors.source import UNKNOWN, Column, Look
from migration_assets.domain.errors import SourceUnreadable

BATCH_ROWS = 10_000
_NUMERIC = re.compile(r"NUM|DEC|REAL|FLOA|DOUB", re.IGNORECASE)
# The isolation level that gives one state of the whole database for the length of a transaction.
_SNAPSHOT_LEVEL = {
    "mysql": "REPEATABLE READ",
    "mariadb": "REPEATABLE READ",
    "oracle": "SERIALIZABLE",
    "mssql": "SNAPSHOT",
}


@dataclass(frozen=True)
class SqlOptions:
    """Options of a SQL source. `isolation_level` replaces the one chosen for the database."""

    isolation_level: str | None = None

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> SqlOptions:
        """Options as the plan states them; unknown names are refused."""
        unknown = sorted(set(options) - {"isolation_level"})
        if unknown:
            raise SourceUnreadable(f"unknown source option(s): {', '.join(unknown)}", "known: isolation_level")
        return cls(**options)


@dataclass(frozen=True)
class _Rule:
    """How one column's driver values become Arrow values; `exact` raises ValueError on what cannot be held."""

    name: str
    arrow: pa.DataType
    declared: str
    exact: Callable[[Any], Any]


class SqlSource:
    """A database by SQLAlchemy URL."""

    def __init__(self, url: str, options: SqlOptions | None = None) -> None:
        self._url = _parsed_url(url)
        self._options = options or SqlOptions()

    @contextmanager
    def snapshot(self) -> Iterator[SqlSnapshot]:
        """One transaction, rolled back at the end. SQLite is held read-only from its first read on."""
        engine = _engine(self._url)
        level = self._options.isolation_level or _SNAPSHOT_LEVEL.get(engine.dialect.name)
        try:
            with _refusals("the source database"):
                connection = engine.connect()
            # What the caller does meanwhile is not ours to rename: only our own statements are wrapped.
            with connection:
                with _refusals("the source database"):
                    _begin(connection.execution_options(isolation_level=level) if level else connection)
                yield SqlSnapshot(connection)
        finally:
            engine.dispose()


class SqlSnapshot:
    """Reads within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def columns(self, read_from: str) -> tuple[Column, ...]:
        """Columns of a table or view as the database declares them."""
        return tuple(Column(r.name, str(r.arrow), r.declared) for r in self._rules(read_from))

    def export(
        self, read_from: str, columns: Sequence[str], key: Sequence[str], destination: Path, *, table: str = ""
    ) -> int:
        """See `source.Snapshot.export`. Rows are sorted on this side: collations differ from server to server."""
        by_name = {r.name: r for r in self._rules(read_from)}
        rules = [by_name[name] for name in columns]
        schema = pa.schema([(r.name, r.arrow) for r in rules])
        with _refusals(table or read_from):
            batches = self._batches(read_from, rules, schema, table or read_from)
            return write_sorted(batches, schema, key, destination, ties=columns)

    def mark(self, read_from: str) -> None:
        """No mark: what other databases say of changes (time stamps, mostly) does not show deletions."""

    def look(self, read_from: str, key: Sequence[str], mark: str) -> Look:
        """See `source.Snapshot.look`."""
        return UNKNOWN

    def _batches(self, read_from: str, rules: Sequence[_Rule], schema: pa.Schema, table: str) -> Iterator[pa.Table]:
        schema_name, name = self._place(read_from)
        # NullType keeps the driver's value: no rounding on the way.
        selected = [sa.column(sa.quoted_name(r.name, True), sa.types.NullType()) for r in rules]
        owner = sa.quoted_name(schema_name, True) if schema_name else None
        query = sa.select(*selected).select_from(sa.table(sa.quoted_name(name, True), *selected, schema=owner))
        result = self._connection.execution_options(stream_results=True, yield_per=BATCH_ROWS).execute(query)
        before = 0
        for rows in result.partitions():
            columns = zip(*rows, strict=True)
            arrays = [_array(values, rule, table, before) for values, rule in zip(columns, rules, strict=True)]
            yield pa.Table.from_arrays(arrays, schema=schema)
            before += len(rows)

    def _place(self, read_from: str) -> tuple[str | None, str]:
        """Schema and name of a table or view: the whole name first, then `schema.table`."""
        inspector = sa.inspect(self._connection)
        schema, dot, rest = read_from.partition(".")
        for owner, name in [(None, read_from)] + ([(schema, rest)] if dot else []):
            if _exists(inspector, name, owner):
                return owner, name
        raise SourceUnreadable(f"there is no table or view {read_from}", "check `read_from`")

    def _rules(self, read_from: str) -> list[_Rule]:
        schema, name = self._place(read_from)
        sqlite = self._connection.dialect.name == "sqlite"
        with _refusals(read_from), warnings.catch_warnings():
            # A type unknown to SQLAlchemy is read as text, which is what the warning would announce.
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            found = sa.inspect(self._connection).get_columns(name, schema=schema)
            written = _written_types(self._connection, name, schema) if sqlite else {}
        return [_rule(c["name"], c["type"], written.get(c["name"])) for c in found]


def _parsed_url(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise SourceUnreadable("the source's url is not a database URL", "write dialect://user@host/name") from None


def _engine(url: URL) -> sa.Engine:
    """An engine without a pool. A missing SQLite file would otherwise be made, empty."""
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "file:")):
        path = Path(url.database)
        if not path.is_file():
            raise SourceUnreadable(f"there is no SQLite file {path.name}", "check the source's url")
    try:
        return sa.create_engine(url, poolclass=sa.pool.NullPool)
    except (NoSuchModuleError, ModuleNotFoundError) as missing:
        raise SourceUnreadable(
            f"no driver for {url.drivername}: {missing}", "install the driver's package beside this program"
        ) from None


def _begin(connection: Connection) -> None:
    """Start the transaction now. pysqlite would start none for SELECTs, and each would see its own state."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").fetchone()
    elif connection.dialect.name in {"mysql", "mariadb"}:
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    else:
        connection.exec_driver_sql(
            "SELECT 1 FROM dual" if connection.dialect.name == "oracle" else "SELECT 1"
        ).fetchone()


def _exists(inspector: sa.Inspector, name: str, schema: str | None) -> bool:
    """Whether there is a table or view of that name; a schema the database does not have holds none."""
    try:
        return inspector.has_table(name, schema=schema)
    except sa.exc.OperationalError:
        return False


def _written_types(connection: Connection, name: str, schema: str | None) -> dict[str, str]:
    """SQLite's types as the table's author wrote them: SQLAlchemy calls every unknown one NUMERIC."""
    query = sa.text("SELECT name, type FROM pragma_table_info(:name, :schema)")
    found = connection.execute(query, {"name": name, "schema": schema or "main"})
    return {row.name: row.type for row in found}


def _rule(name: str, declared: sa.types.TypeEngine[Any], written: str | None) -> _Rule:
    """`written` is the declared type of a SQLite column, None on other databases."""
    text = written if written is not None else "" if isinstance(declared, sa.types.NullType) else str(declared)
    if written is not None and isinstance(declared, sa.types.Numeric) and not _NUMERIC.search(written):
        return _Rule(name, pa.string(), text, _text)
    arrow, exact = _conversion(declared, written is not None)
    return _Rule(name, arrow, text, exact)


def _conversion(declared: sa.types.TypeEngine[Any], sqlite: bool) -> tuple[pa.DataType, Callable[[Any], Any]]:
    """Arrow type and converter of a declared type. SQLite has no date types: what it stores is text."""
    if isinstance(declared, sa.types.Boolean):
        return pa.bool_(), _boolean
    if isinstance(declared, sa.types.Integer):
        return pa.int64(), _integer
    if isinstance(declared, sa.types.Float):
        return pa.float64(), _float
    if isinstance(declared, sa.types.Numeric):
        return _numeric(declared)
    if not sqlite and isinstance(declared, sa.types.DateTime):
        zone = "UTC" if declared.timezone else None
        return pa.timestamp("us", zone), _aware if zone else _naive
    if not sqlite and isinstance(declared, sa.types.Date):
        return pa.date32(), _date
    return pa.string(), _text


def _numeric(declared: sa.types.Numeric[Any]) -> tuple[pa.DataType, Callable[[Any], Any]]:
    if declared.precision is None:
        precision, scale = 38, 10
    else:
        precision, scale = min(declared.precision, 38), min(declared.scale or 0, 38)
    arrow = pa.decimal128(max(precision, scale, 1), scale)
    limit = Decimal(10) ** (arrow.precision - arrow.scale)

    def exact(value: Any) -> Decimal:
        number = _decimal(value)
        if not number.is_finite() or abs(number) >= limit or -_exponent(number) > arrow.scale:
            raise ValueError
        return number

    return arrow, exact


def _exponent(number: Decimal) -> int:
    """Exponent without trailing zeros: 1.50 needs one decimal."""
    digits, exponent = number.as_tuple().digits, int(number.as_tuple().exponent)
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return exponent + zeros if any(digits) else 0


def _decimal(value: Any) -> Decimal:
    """A driver's number. A double is taken by its shortest text, which names it exactly."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError
    try:
        return Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise ValueError from None


def _integer(value: Any) -> int:
    number = _decimal(value) if not isinstance(value, bool) else Decimal(int(value))
    if isinstance(value, str) or not number.is_finite() or number != int(number) or not -(2**63) <= number < 2**63:
        raise ValueError
    return int(number)


def _float(value: Any) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
        raise ValueError
    return float(value)


def _boolean(value: Any) -> bool:
    if value not in (0, 1) or not isinstance(value, int):
        raise ValueError
    return bool(value)


def _date(value: Any) -> dt.date:
    if isinstance(value, dt.datetime) and value.time() == dt.time() and value.tzinfo is None:
        return value.date()
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise ValueError
    return value


def _naive(value: Any) -> dt.datetime:
    if not isinstance(value, dt.datetime) or value.tzinfo is not None:
        raise ValueError
    return value


def _aware(value: Any) -> dt.datetime:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise ValueError
    return value.astimezone(dt.UTC)


def _text(value: Any) -> str:
    """Text as it is; numbers plainly, dates as ISO, bytes as PostgreSQL writes them."""
    if isinstance(value, str):
        value.encode("utf-8")
        if "\0" in value:
            raise ValueError
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\x" + bytes(value).hex()
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, float):
        return repr(value)
    return str(value)


def _array(values: Sequence[Any], rule: _Rule, table: str, before: int) -> pa.Array:
    """One column of a batch, or every value that cannot be held told by row and count."""
    held: list[Any] = []
    bad: list[int] = []
    for index, value in enumerate(values, start=before + 1):
        try:
            held.append(None if value is None else rule.exact(value))
        except ValueError:
            bad.append(index)
    if bad:
        raise SourceUnreadable(
            f"{table}, column {rule.name}, row {bad[0]} as read: the value is not exactly a {rule.arrow}"
            f" (declared {rule.declared or 'without a type'}); {len(bad)} such near there",
            "mend the rows in the source, or read from a view that casts the column to text",
        )
    return pa.array(held, rule.arrow)


@contextmanager
def _refusals(place: str) -> Iterator[None]:
    """Database errors without the statement, its parameters or values."""
    try:
        yield
    except SQLAlchemyError as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        raise SourceUnreadable(
            f"{place} cannot be read ({kind})",
            "check the source's url and rights, and that the table's text is valid in the database's encoding",
        ) from None
