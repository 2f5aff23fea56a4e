"""Digests of equal rows are equal wherever they are made, and those of different rows are not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from migration_assets.connectors.engine_digests import EngineRows
from migration_assets.connectors.postgres_target import Connection, PostgresTarget
from migration_assets.connectors.row_digests import ServerRows, sides_of
from migration_assets.engine.duckdb import DuckDBEngine

TYPES = {
    "id": "uuid", "name": "text", "more": "text", "count": "bigint", "price": "numeric(28,8)", "flag": "boolean",
    "day": "date", "at": "timestamp with time zone",
}  # fmt: skip
ARROW = {
    "id": pa.string(), "name": pa.string(), "more": pa.string(), "count": pa.int64(), "price": pa.decimal128(28, 8),
    "flag": pa.bool_(), "day": pa.date32(), "at": pa.timestamp("us", "UTC"),
}  # fmt: skip
KEY = "6f1d9c1a-0f8e-4f5e-9a3b-1c2d3e4f5a6b"
HARD = {
    "id": KEY, "name": "", "more": None, "count": 0, "price": Decimal("1.50000000"), "flag": False,
    "day": date(1, 1, 1), "at": datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
}  # fmt: skip
TEXT = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=5)
ROW = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "name": TEXT,
        "more": TEXT,
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "price": st.none() | st.decimals(-(10**19), 10**19, places=8),
        "flag": st.none() | st.booleans(),
        "day": st.none() | st.dates(),
        "at": st.none() | st.datetimes(timezones=st.just(UTC)),
    }
)


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(memory_limit="500MB") as engine:
        yield engine


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with PostgresTarget(database).transaction() as c:
        yield c


def in_engine(engine: DuckDBEngine, rows: list[dict[str, Any]]) -> EngineRows:
    table = engine.table(pa.Table.from_pylist(rows, schema=pa.schema(ARROW)))
    return EngineRows(engine, table, "id", TYPES)


def on_server(connection: Connection, rows: list[dict[str, Any]]) -> ServerRows:
    connection.execute("DROP TABLE IF EXISTS rows")
    columns = ", ".join(f'"{c}" {t}' for c, t in TYPES.items())
    connection.execute(f"CREATE TABLE rows ({columns})")
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO rows VALUES ({', '.join(['%s'] * len(TYPES))})", [[r[c] for c in TYPES] for r in rows]
        )
    return ServerRows(connection, sql.SQL("SELECT * FROM rows"), "id", TYPES)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=4, unique_by=lambda r: r["id"]), width=st.integers(0, 2))
@example(rows=[HARD], width=0)
@example(rows=[{**HARD, "name": "NaN", "more": "\r\n|:5", "count": None, "at": datetime(1, 1, 1, tzinfo=UTC)}], width=1)
def test_engine_and_server_digest_the_same_rows_alike(
    engine: DuckDBEngine, connection: Connection, rows: list[dict[str, Any]], width: int
) -> None:
    ours, theirs = in_engine(engine, rows), on_server(connection, rows)
    assert ours.buckets(width) == theirs.buckets(width)
    names = set(ours.buckets(width))
    assert sorted(ours.rows(width, names)) == sorted(theirs.rows(width, names))
    assert {key for key, _ in ours.rows(width, names)} == {r["id"] for r in rows}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=ROW, other=ROW)
@example(one={"id": KEY, "name": "a", "more": "b"}, other={"id": KEY, "name": "ab", "more": ""})
@example(one={"id": KEY, "name": "", "more": None}, other={"id": KEY, "name": None, "more": ""})
@example(one={"id": KEY, "name": "1:a", "more": None}, other={"id": KEY, "name": "1", "more": "a"})
@example(one={"id": KEY, "name": "é", "more": None}, other={"id": KEY, "name": "e\u0301", "more": None})
def test_two_rows_that_differ_never_have_one_digest(
    engine: DuckDBEngine, one: dict[str, Any], other: dict[str, Any]
) -> None:
    same = {**one, "id": KEY} == {**other, "id": KEY}
    digests = [next(in_engine(engine, [{**row, "id": KEY}]).rows(0, {""}))[1] for row in (one, other)]
    assert (digests[0] == digests[1]) == same


@pytest.mark.parametrize(
    ("left", "right", "how"),
    [
        ("id bigint, price numeric(14,4), name text", "id bigint, price numeric(14,4), name text", "record"),
        ("id bigint, price numeric(14,4)", "id bigint, price numeric(14,2)", "text"),
        ("id bigint, price numeric", "id bigint, price numeric", "text"),  # 1.5 and 1.50 are equal to it
        ("id bigint, name character(9)", "id bigint, name character(9)", "text"),  # so are 'a' and 'a '
    ],
)
def test_two_servers_use_their_own_hash_only_where_equal_means_the_same_bytes(
    connection: Connection, left: str, right: str, how: str
) -> None:
    connection.execute(f"CREATE TABLE a ({left})")
    connection.execute(f"CREATE TABLE b ({right})")
    sides = sides_of(connection, connection, (sql.Identifier("a"), sql.Identifier("b")), "id")
    assert [s.how for s in sides] == [how, how]


def test_a_table_of_more_columns_than_a_call_takes_has_a_digest(connection: Connection) -> None:
    columns = [f"c{n}" for n in range(120)]
    connection.execute(f"CREATE TABLE wide ({', '.join(f'{c} text' for c in columns)})")
    connection.execute("INSERT INTO wide (c0, c119) VALUES ('k', 'a'), ('l', 'a')")
    side = ServerRows(connection, sql.SQL("SELECT * FROM wide"), "c0", dict.fromkeys(columns, "text"))
    assert sum(b.rows for b in side.buckets(1).values()) == 2
