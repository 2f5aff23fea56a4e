"""SQL sources: one snapshot, exact types, keys in order, and no value changed in silence."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration_assets.connectors import postgres_source
from migration_assets.connectors.opening import open_source
from migration_assets.connectors.postgres_source import connection_parameters
from migration_assets.domain.errors import SourceUnreadable


def execute(database: str, *statements: str) -> None:
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def export(url: str, table: str, out: Path, key: tuple[str, ...] = ("id",), without: tuple[str, ...] = ()) -> pa.Table:
    with open_source("sql", url).snapshot() as snapshot:
        names = [c.name for c in snapshot.columns(table) if c.name not in without]
        count = snapshot.export(table, names, key, out, table="crm.t")
    found = pq.read_table(out)
    assert found.num_rows == count
    assert found["_row"].to_pylist() == list(range(1, count + 1))
    return found


# --- PostgreSQL --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "literal", "arrow", "value"),
    [
        ("smallint", "-32768", pa.int64(), -32768),
        ("bigint", "9223372036854775807", pa.int64(), 9223372036854775807),
        ("text", "''", pa.string(), ""),
        ("text", "NULL", pa.string(), None),
        ("text", "'00123'", pa.string(), "00123"),
        ("text", "'NA'", pa.string(), "NA"),
        ("text", r"E'a \"q\",\r\n\\N \\. x'", pa.string(), 'a "q",\r\n\\N \\. x'),
        ("text", r"'\.'", pa.string(), r"\."),
        ("char(5)", "'ab'", pa.string(), "ab   "),
        ("numeric(18,4)", "12345678901234.4567", pa.decimal128(18, 4), Decimal("12345678901234.4567")),
        ("numeric(38,0)", "9" * 38, pa.decimal128(38, 0), Decimal("9" * 38)),
        ("numeric(5,-2)", "12300", pa.decimal128(7, 0), Decimal(12300)),
        ("numeric(2,4)", "0.0012", pa.decimal128(4, 4), Decimal("0.0012")),
        ("numeric", "1234567890123.4567", pa.decimal128(38, 10), Decimal("1234567890123.4567000000")),
        ("numeric", "9" * 28 + ".9999999999", pa.decimal128(38, 10), Decimal("9" * 28 + ".9999999999")),
        ("numeric", "-" + "9" * 28, pa.decimal128(38, 10), Decimal("-" + "9" * 28)),
        ("money", "NULL", pa.decimal128(38, 10), None),
        ("numeric", "1.50000000000000000000", pa.decimal128(38, 10), Decimal("1.5")),
        ("money", "'1234.56'", pa.decimal128(38, 10), Decimal("1234.56")),
        ("float8", "0.1", pa.float64(), 0.1),
        ("float8", "'Infinity'", pa.float64(), float("inf")),
        ("boolean", "false", pa.bool_(), False),
        ("date", "'0001-01-01'", pa.date32(), dt.date(1, 1, 1)),
        ("date", "'9999-12-31'", pa.date32(), dt.date(9999, 12, 31)),
        ("timestamp", "'2024-03-31 02:30:00.123456'", pa.timestamp("us"),
         dt.datetime.fromisoformat("2024-03-31T02:30:00.123456")),
        ("timestamptz", "'0001-01-01 00:00:00+00'", pa.timestamp("us", "UTC"), dt.datetime(1, 1, 1, tzinfo=dt.UTC)),
        ("timestamptz", "'9999-12-31 23:59:59.999999+00'", pa.timestamp("us", "UTC"),
         dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.UTC)),
        ("timestamptz", "'2024-10-27 02:30:00+02'", pa.timestamp("us", "UTC"),
         dt.datetime(2024, 10, 27, 0, 30, tzinfo=dt.UTC)),
        ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", pa.string(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("json", """'{"a":  1.50}'""", pa.string(), '{"a":  1.50}'),
        ("jsonb", """'{"a":  1.50}'""", pa.string(), '{"a": 1.50}'),
        ("text[]", "ARRAY['a,b', NULL, '']", pa.string(), '{"a,b",NULL,""}'),
        ("bytea", r"'\x00ff'", pa.string(), r"\x00ff"),
        ("time", "'24:00:00'", pa.string(), "24:00:00"),
        ("interval", "'1 month 2 days'", pa.string(), "P1M2D"),
        ("int4range", "'[1,5]'", pa.string(), "[1,6)"),
        ("inet", "'10.0.0.1/8'", pa.string(), "10.0.0.1/8"),
    ],
)  # fmt: skip
def test_postgres_value_and_type_arrive_exactly(
    database: str, tmp_path: Path, declared: str, literal: str, arrow: pa.DataType, value: Any
) -> None:
    execute(database, f"CREATE TABLE t (id int PRIMARY KEY, v {declared})", f"INSERT INTO t VALUES (1, {literal})")
    found = export(database, "t", tmp_path / "o.parquet")
    assert found.schema.field("v").type == arrow
    assert found["v"].to_pylist() == [value]


@pytest.mark.parametrize(
    ("declared", "literal"),
    [
        ("numeric", "'NaN'"), ("numeric", "'Infinity'"), ("numeric", "0.12345678901"),
        ("numeric", "1" + "0" * 30), ("numeric", "1" + "0" * 28),
        ("numeric", "9" * 38), ("numeric", "4" + "0" * 28), ("numeric", "-1" + "0" * 33), ("numeric", "1" * 29 + ".5"),
        ("numeric(40,2)", "12345678901234567890123456789012345678.12"),
        ("numeric(40,2)", "9" * 38), ("numeric(10,2)", "'NaN'"), ("date", "'infinity'"),
        ("date", "'0044-03-15 BC'"), ("date", "'10000-01-01'"), ("timestamptz", "'-infinity'"),
        ("timestamp", "'infinity'"), ("timestamptz", "'20000-01-01 00:00:00+00'"),
    ],
)  # fmt: skip
def test_postgres_value_that_cannot_be_held_is_refused_by_row(
    database: str, tmp_path: Path, declared: str, literal: str
) -> None:
    execute(
        database,
        f"CREATE TABLE t (id int PRIMARY KEY, v {declared}, name text)",
        "INSERT INTO t SELECT i, NULL, 'Ada Secret' FROM generate_series(1, 9) i",
        f"INSERT INTO t VALUES (10, {literal}, 'Ada Secret'), (11, {literal}, 'Ada Secret')",
    )
    with pytest.raises(SourceUnreadable) as caught:
        export(database, "t", tmp_path / "o.parquet")
    assert "crm.t#10, column v: not exactly a" in caught.value.message
    assert "2 such" in caught.value.message
    assert caught.value.remedy
    assert "Ada" not in str(caught.value)
    assert "NaN" in literal or literal.strip("'") not in caught.value.message


def test_postgres_scale_beyond_every_decimal_is_refused(database: str, tmp_path: Path) -> None:
    execute(database, "CREATE TABLE t (id int PRIMARY KEY, v numeric(50,45))")
    with pytest.raises(SourceUnreadable, match=r"t\.v has 45 decimals"):
        export(database, "t", tmp_path / "o.parquet")


def test_postgres_domains_keep_the_type_below(database: str, tmp_path: Path) -> None:
    execute(
        database,
        "CREATE DOMAIN amount AS numeric(12,3)",
        "CREATE DOMAIN fee AS amount",
        "CREATE TABLE t (id int PRIMARY KEY, v fee)",
        "INSERT INTO t VALUES (1, 1.234)",
    )
    assert export(database, "t", tmp_path / "o.parquet").schema.field("v").type == pa.decimal128(12, 3)


def test_postgres_order_is_bytewise_and_does_not_depend_on_where_rows_lie(database: str, tmp_path: Path) -> None:
    execute(database, "CREATE TABLE t (id text, n int, note text)")
    values = ["('b',1,'x')", "('10',2,'x')", "('é',3,'x')", "('9',4,'x')", "('B',5,'x')", "(NULL,6,'x')", "('b',0,'x')"]
    orders = []
    for listed in (values, values[::-1]):
        execute(database, "TRUNCATE t", f"INSERT INTO t VALUES {','.join(listed)}")
        orders.append(export(database, "t", tmp_path / "o.parquet")["n"].to_pylist())
    assert orders == [[2, 4, 5, 0, 1, 3, 6]] * 2


def test_postgres_blocks_are_seamless_and_long_values_whole(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_source, "BLOCK_BYTES", 200)
    execute(
        database,
        "CREATE TABLE t (id int PRIMARY KEY, v text)",
        r"INSERT INTO t SELECT i, repeat(E'x\n\"', i) FROM generate_series(1, 200) i",
        "INSERT INTO t VALUES (201, repeat('long ', 2000000))",
    )
    found = export(database, "t", tmp_path / "o.parquet")["v"].to_pylist()
    assert found[:200] == ['x\n"' * n for n in range(1, 201)]
    assert found[200] == "long " * 2_000_000


def test_postgres_one_column_of_nulls_and_empty_texts(database: str, tmp_path: Path) -> None:
    execute(database, "CREATE TABLE t (id text)", "INSERT INTO t VALUES (NULL), (''), (NULL), ('x')")
    assert export(database, "t", tmp_path / "o.parquet")["id"].to_pylist() == ["", "x", None, None]


def test_postgres_snapshot_is_one_state_of_all_tables(database: str, tmp_path: Path) -> None:
    execute(database, "CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)")
    with open_source("sql", database).snapshot() as snapshot:
        execute(database, "INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (1)")
        assert [snapshot.export(t, ["id"], ["id"], tmp_path / f"{t}.parquet") for t in "ab"] == [0, 0]


def test_postgres_names_are_quoted_and_never_become_sql(database: str, tmp_path: Path) -> None:
    odd = 'x"; DROP TABLE t; --'
    quoted = odd.replace('"', '""')
    execute(
        database,
        'CREATE SCHEMA "Sales LT"',
        f'CREATE TABLE "Sales LT"."{quoted}" ("select" int PRIMARY KEY, "{quoted}" text)',
        f"""INSERT INTO "Sales LT"."{quoted}" VALUES (1, 'ok')""",
        'CREATE TABLE "a.b" (id int)',
    )
    found = export(database, f"Sales LT.{odd}", tmp_path / "o.parquet", key=("select",))
    assert found.to_pylist() == [{"_row": 1, "select": 1, odd: "ok"}]
    assert export(database, "a.b", tmp_path / "o.parquet").num_rows == 0
    with pytest.raises(SourceUnreadable, match="no table or view"):
        export(database, "t; DROP TABLE x", tmp_path / "o.parquet")


def test_postgres_secret_columns_need_no_right_to_be_left_out(database: str, tmp_path: Path, role: str) -> None:
    execute(
        database,
        "CREATE TABLE t (id int PRIMARY KEY, name text, secret text)",
        "INSERT INTO t VALUES (1, 'a', 'hush')",
        f"GRANT SELECT (id, name) ON t TO {role}",
    )
    as_role = f"{database}{'&' if '?' in database else '?'}options=-crole%3D{role}"
    assert export(as_role, "t", tmp_path / "o.parquet", without=("secret",)).column_names == ["_row", "id", "name"]
    with pytest.raises(SourceUnreadable, match="SQLSTATE 42501"):
        export(as_role, "t", tmp_path / "o.parquet")


def test_postgres_rows_hidden_by_a_policy_are_refused_not_missed(database: str, tmp_path: Path, role: str) -> None:
    execute(
        database,
        "CREATE TABLE t (id int PRIMARY KEY)",
        "INSERT INTO t VALUES (1), (2)",
        f"GRANT SELECT ON t TO {role}",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY p ON t USING (id = 1)",
    )
    as_role = f"{database}{'&' if '?' in database else '?'}options=-crole%3D{role}"
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        export(as_role, "t", tmp_path / "o.parquet")


@pytest.fixture
def role(database: str) -> Iterator[str]:
    name = "reader_" + database.split("?")[0].rsplit("_", 1)[-1]
    execute(database, f"CREATE ROLE {name}")
    yield name
    execute(database, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_postgres_that_is_not_there_is_said_without_the_password() -> None:
    with pytest.raises(SourceUnreadable) as caught, open_source("sql", "postgresql://u:hush@127.0.0.1:1/x").snapshot():
        pass
    assert "no connection to database x" in caught.value.message
    assert "hush" not in str(caught.value)


def test_certificates_are_verified_beyond_this_machine_unless_the_url_says_otherwise() -> None:
    assert connection_parameters("postgresql+psycopg2://u@db.example/x")["sslmode"] == "verify-full"
    assert connection_parameters("postgresql://u@db.example/x?sslmode=require")["sslmode"] == "require"
    for local in ("127.0.0.1", "localhost", "[::1]", ""):
        assert "sslmode" not in connection_parameters(f"postgresql://u@{local}/x")
    with pytest.raises(SourceUnreadable, match="not a database URL"):
        connection_parameters("postgresql//x")


# --- any other database, by SQLite -------------------------------------------------------------------------------


@pytest.fixture
def sqlite(tmp_path: Path) -> sqlite3.Connection:
    return sqlite3.connect(tmp_path / "legacy.db", isolation_level=None)


@pytest.mark.parametrize(
    ("declared", "stored", "arrow", "value"),
    [
        ("INTEGER", 9223372036854775807, pa.int64(), 9223372036854775807),
        ("TEXT", "00123", pa.string(), "00123"),
        ("TEXT", "", pa.string(), ""),
        ("TEXT", None, pa.string(), None),
        ("VARCHAR(9)", "NA", pa.string(), "NA"),
        ("NUMERIC(12,4)", 1234.5678, pa.decimal128(12, 4), Decimal("1234.5678")),
        ("DECIMAL(10,2)", 19.99, pa.decimal128(10, 2), Decimal("19.99")),
        ("DECIMAL(10,2)", 20, pa.decimal128(10, 2), Decimal("20.00")),
        ("NUMERIC", 0.1, pa.decimal128(38, 10), Decimal("0.1")),
        ("REAL", 0.1, pa.float64(), 0.1),
        ("BOOLEAN", 1, pa.bool_(), True),
        ("DATE", "03/04/2024", pa.string(), "03/04/2024"),
        ("DATETIME", "2024-02-29 10:00:00", pa.string(), "2024-02-29 10:00:00"),
        ("BLOB", b"\x00\xff", pa.string(), r"\x00ff"),
        ("", "1e5", pa.string(), "1e5"),
        ("GEOMETRY", "x", pa.string(), "x"),
    ],
)
def test_sqlite_value_and_type_arrive_exactly(
    sqlite: sqlite3.Connection, tmp_path: Path, declared: str, stored: Any, arrow: pa.DataType, value: Any
) -> None:
    sqlite.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    sqlite.execute("INSERT INTO t VALUES (1, ?)", (stored,))
    found = export(f"sqlite:///{tmp_path}/legacy.db", "t", tmp_path / "o.parquet")
    assert found.schema.field("v").type == arrow
    assert found["v"].to_pylist() == [value]


@pytest.mark.parametrize(
    ("declared", "stored"),
    [
        ("INTEGER", "abc"), ("INTEGER", 1.5), ("DECIMAL(10,2)", 0.30000000000000004), ("DECIMAL(4,2)", 123.45),
        ("DECIMAL(10,2)", "Ada"), ("NUMERIC", float("inf")), ("BOOLEAN", 2), ("REAL", "x"), ("TEXT", "a\0b"),
    ],
)  # fmt: skip
def test_sqlite_value_that_cannot_be_held_is_refused_by_row(
    sqlite: sqlite3.Connection, tmp_path: Path, declared: str, stored: Any
) -> None:
    sqlite.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    sqlite.executemany("INSERT INTO t VALUES (?, ?)", [(1, None), (2, stored), (3, stored)])
    with pytest.raises(SourceUnreadable) as caught:
        export(f"sqlite:///{tmp_path}/legacy.db", "t", tmp_path / "o.parquet")
    assert "crm.t, column v, row 2 as read" in caught.value.message
    assert "2 such" in caught.value.message
    assert len(str(stored)) < 3 or str(stored) not in caught.value.message


def test_sqlite_text_that_is_not_utf8_is_refused_without_its_value(sqlite: sqlite3.Connection, tmp_path: Path) -> None:
    sqlite.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    sqlite.execute("INSERT INTO t VALUES (1, CAST(x'4164FF61' AS TEXT))")
    with pytest.raises(SourceUnreadable, match=r"crm\.t cannot be read") as caught:
        export(f"sqlite:///{tmp_path}/legacy.db", "t", tmp_path / "o.parquet")
    assert "Ad" not in str(caught.value)


def test_sqlite_order_snapshot_and_names(sqlite: sqlite3.Connection, tmp_path: Path) -> None:
    sqlite.execute("PRAGMA journal_mode = wal")
    sqlite.execute('CREATE TABLE "odd ""name""; --" (id TEXT, "group" INTEGER)')
    sqlite.executemany('INSERT INTO "odd ""name""; --" VALUES (?, ?)', [("b", 2), ("B", 1), (None, 0), ("b", 1)])
    with open_source("sql", f"sqlite:///{tmp_path}/legacy.db").snapshot() as snapshot:
        sqlite.execute('INSERT INTO "odd ""name""; --" VALUES (?, ?)', ("a", 9))
        snapshot.export('odd "name"; --', ["id", "group"], ["id"], tmp_path / "o.parquet")
    found = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert [(r["id"], r["group"]) for r in found] == [("B", 1), ("b", 1), ("b", 2), (None, 0)]


def test_sqlite_missing_file_is_not_made(tmp_path: Path) -> None:
    with (
        pytest.raises(SourceUnreadable, match=r"no SQLite file none\.db"),
        open_source("sql", f"sqlite:///{tmp_path}/none.db").snapshot(),
    ):
        pass
    assert not (tmp_path / "none.db").exists()


def test_unknown_database_and_option_are_said_so() -> None:
    with pytest.raises(SourceUnreadable, match="no driver"), open_source("sql", "nosuch://x/y").snapshot():
        pass
    with pytest.raises(SourceUnreadable, match="unknown source option"):
        open_source("sql", "sqlite://", {"isolation": "x"})
    with pytest.raises(SourceUnreadable, match="always read REPEATABLE READ"):
        open_source("sql", "postgresql://x/y", {"isolation_level": "SERIALIZABLE"})
