"""Exact values on the way to PostgreSQL and back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from migration_assets.connectors.postgres_target import (
    PostgresTarget,
    connection_arguments,
    copy_in,
    copy_out,
    read_csv,
    write_csv,
)
from migration_assets.domain.errors import TargetRefused
from migration_assets.engine.duckdb import DuckDBEngine

TYPES = {
    "id": "bigint",
    "t": "text",
    "n": "numeric(28,8)",
    "b": "boolean",
    "d": "date",
    "i": "timestamp with time zone",
}
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("t", pa.string()),
        ("n", pa.decimal128(28, 8)),
        ("b", pa.bool_()),
        ("d", pa.date32()),
        ("i", pa.timestamp("us", "UTC")),
    ]
)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
AWKWARD = st.sampled_from(
    ["", " ", '"', "\\.", "\\N", "NULL", "\n", "\r\n", "\r", ",", "a\n\\.\nb", "x ", "\ufeff", "'"]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "t": st.none() | TEXTS | AWKWARD,
            "n": st.none() | st.decimals(-(10**19), 10**19, places=8, allow_nan=False),
            "b": st.none() | st.booleans(),
            "d": st.none() | st.dates(),
            "i": st.none() | st.datetimes(timezones=st.just(UTC)),
        }
    ),
    max_size=20,
)


def there_and_back(engine: DuckDBEngine, target: PostgresTarget, frame: pa.Table, folder: Path) -> pa.Table:
    columns = ", ".join(f"{c} {t}" for c, t in TYPES.items())
    with target.transaction() as c:
        c.execute(f"CREATE TEMP TABLE probe ({columns}) ON COMMIT DROP")
        write_csv(engine, engine.table(frame), folder / "in.csv", order_by=["id"])
        assert copy_in(c, sql.Identifier("probe"), list(TYPES), folder / "in.csv") == frame.num_rows
        copied = copy_out(c, sql.SQL("SELECT * FROM probe"), folder / "out.csv")
    assert copied.rows == frame.num_rows
    return engine.arrow(read_csv(engine, copied, TYPES).order_by("id")).cast(SCHEMA)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=ROWS)
def test_every_value_comes_back_as_it_went(records: list[dict], database: str, tmp_path: Path) -> None:
    numbered = [{"id": n, **r} for n, r in enumerate(records)]
    frame = pa.Table.from_pylist(numbered, schema=SCHEMA)
    with DuckDBEngine(memory_limit="500MB") as engine:
        assert there_and_back(engine, PostgresTarget(database), frame, tmp_path).to_pylist() == frame.to_pylist()


def test_a_ten_megabyte_cell_comes_back(database: str, tmp_path: Path) -> None:
    record = {"id": 1, "t": "ä\n" * 5_000_000, "n": Decimal("-0.00000001"), "d": date(1, 1, 1),
              "i": datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)}  # fmt: skip
    frame = pa.Table.from_pylist([record], schema=SCHEMA)
    with DuckDBEngine() as engine:
        assert there_and_back(engine, PostgresTarget(database), frame, tmp_path).equals(frame)


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql+psycopg://u@127.0.0.1/d", None),
        ("postgresql+psycopg://u@localhost/d", None),
        ("postgresql+psycopg://u@db.example.com/d", "verify-full"),
        ("postgresql+psycopg://u@10.0.0.5/d?sslmode=require", "require"),
    ],
)
def test_a_server_elsewhere_must_prove_who_it_is(url: str, mode: str | None) -> None:
    assert connection_arguments(url).get("sslmode") == mode


def test_a_value_of_another_type_is_refused_without_being_shown(database: str, tmp_path: Path) -> None:
    with PostgresTarget(database).transaction() as c:
        copied = copy_out(c, sql.SQL("SELECT 1, 'Wanda Geheim'"), tmp_path / "out.csv")
    with DuckDBEngine() as engine, pytest.raises(TargetRefused) as refused:
        read_csv(engine, copied, {"id": "bigint", "n": "bigint"})
    assert "Wanda" not in str(refused.value) and refused.value.__suppress_context__
