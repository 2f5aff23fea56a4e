"""Facts of small tables, with the numbers a person can count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.profile import cells
from migration_assets.stages.profile.measure import profile_tables
from migration_assets.stages.profile.model import (
    COLUMNS,
    FINDINGS,
    RELATIONSHIPS,
    TABLES,
    Profile,
    ProfiledTable,
    Reference,
)

AS_OF = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine() as made:
        yield made


def written(
    folder: Path, name: str, columns: Mapping[str, Any], key: Sequence[str] = ("id",), **more: Any
) -> ProfiledTable:
    data = {k: v if isinstance(v, pa.Array) else pa.array(v) for k, v in columns.items()}
    rows = len(next(iter(data.values())))
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table({"_row": pa.array(range(1, rows + 1), pa.int64()), **data}), path)
    return ProfiledTable(name, path, tuple(key), **more)


def column(profile: Profile, name: str) -> dict[str, Any]:
    return next(r for r in profile.columns.to_pylist() if r["column"] == name)


def texts(*values: str | None) -> pa.Array:
    return pa.array(values, pa.string())


def test_numbers_of_a_text_column(engine: DuckDBEngine, tmp_path: Path) -> None:
    table = written(
        tmp_path, "crm.a", {"id": texts("1", "2", "3", "4", "5", "6"), "v": texts("ab", "ab", "Cde", "", " ", None)}
    )
    found = column(profile_tables(engine, [table]), "v")
    assert {
        k: found[k] for k in ("rows", "nulls", "blanks", "distinct_values", "is_unique", "content_type", "type")
    } == {
        "rows": 6,
        "nulls": 1,
        "blanks": 2,
        "distinct_values": 4,
        "is_unique": False,
        "content_type": "text",
        "type": "string",
    }
    assert (found["min_value"], found["max_value"]) == ("Cde", "ab")
    assert (found["min_length"], found["max_length"], found["mean_length"]) == (0, 3, "1.6")
    assert found["top_values"] == [{"value": "ab", "rows": 2}, {"value": "Cde", "rows": 1}]
    assert found["patterns"] == [{"value": "aa", "rows": 2}, {"value": "Aaa", "rows": 1}]
    assert found["pattern_style"] == "exact"


def test_numbers_are_exact_decimals(engine: DuckDBEngine, tmp_path: Path) -> None:
    amounts = pa.array([Decimal(v) for v in ("0.10", "0.20", "-0.30", "0.00", "1000000000.05")], pa.decimal128(18, 2))
    table = written(
        tmp_path, "erp.a", {"id": [1, 2, 3, 4, 5], "amount": amounts, "text": texts("1", "2", "3", "4", "10.5")}
    )
    profile = profile_tables(engine, [table])
    found = column(profile, "amount")
    assert (found["sum"], found["mean"], found["p50"]) == ("1000000000.05", "200000000.01", "0.1")
    assert (found["min_value"], found["max_value"], found["zeros"], found["negatives"]) == (
        "-0.3",
        "1000000000.05",
        1,
        1,
    )
    assert (found["p05"], found["p25"], found["p75"], found["p95"]) == ("-0.3", "0", "0.2", "1000000000.05")
    assert column(profile, "text")["sum"] == "20.5"
    assert column(profile, "text")["max_value"] == "10.5"


def test_no_sum_leaves_the_largest_out(engine: DuckDBEngine, tmp_path: Path) -> None:
    wide = pa.array([Decimal(9 * 10**27), Decimal(9 * 10**27), Decimal(1)], pa.decimal128(38, 10))
    columns = {
        "id": [2**63 - 1, -(2**63), 5],
        "wide": wide,
        "infinite": [1.0, float("inf"), 2.0],
        "text": texts("1", "x", "2"),
    }
    profile = profile_tables(engine, [written(tmp_path, "erp.a", columns)])
    assert profile.columns["sum"].to_pylist() == ["4", None, None, None]
    assert profile.columns["min_value"].to_pylist() == [str(-(2**63)), None, None, "1"]


def test_dates_are_ordered_as_dates(engine: DuckDBEngine, tmp_path: Path) -> None:
    table = written(
        tmp_path,
        "crm.a",
        {
            "id": [1, 2],
            "day": pa.array([date(2024, 1, 2), date(2023, 5, 6)]),
            "written": texts("31/12/2023", "15/01/2024"),
            "updated_at": pa.array(
                [datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 22, tzinfo=UTC)], pa.timestamp("us", "UTC")
            ),
        },
    )
    profile = profile_tables(engine, [table], as_of=AS_OF)
    assert (column(profile, "day")["min_value"], column(profile, "day")["max_value"]) == ("2023-05-06", "2024-01-02")
    assert (column(profile, "written")["min_value"], column(profile, "written")["content_type"]) == (
        "2023-12-31",
        "date_dmy",
    )
    (row,) = profile.tables.to_pylist()
    assert (row["newest_column"], row["newest_at"], row["age_days"]) == (
        "updated_at",
        datetime(2024, 5, 22, tzinfo=UTC),
        10,
    )


def test_days_that_no_calendar_has_stop_nothing_and_are_no_ends_of_a_range(
    engine: DuckDBEngine, tmp_path: Path
) -> None:
    table = written(
        tmp_path,
        "crm.a",
        {
            "id": [1, 2, 3],
            "written": texts("0000-01-01", "2024-01-02", "2024-03-04"),
            "day": pa.array([-800_000, 19_000, 2**31 - 1], pa.date32()),
            "updated_at": pa.array([0, 2**63 - 1, 2**59], pa.timestamp("us")),
        },
    )
    profile = profile_tables(engine, [table], as_of=AS_OF)
    ranges = {c: (column(profile, c)["min_value"], column(profile, c)["max_value"]) for c in ("written", "day")}
    assert ranges == {"written": ("2024-01-02", "2024-03-04"), "day": ("2022-01-08", "2022-01-08")}
    counted = {f["column"]: f["rows"] for f in profile.findings.to_pylist() if f["measure"] == "impossible_date"}
    assert counted == {"written": 1, "day": 2, "updated_at": 2}
    assert profile.tables.to_pylist()[0]["newest_at"] == datetime(1970, 1, 1, tzinfo=UTC)


def test_keys_and_duplicates(engine: DuckDBEngine, tmp_path: Path) -> None:
    table = written(
        tmp_path,
        "crm.a",
        {"a": texts("x", "x", "y", None, "x"), "b": [1, 1, 1, 2, 2], "c": texts("q", "q", "r", "s", "t")},
        key=("a", "b"),
    )
    profile = profile_tables(engine, [table])
    (row,) = profile.tables.to_pylist()
    assert (row["rows"], row["key_duplicates"], row["key_nulls"], row["duplicate_rows"]) == (5, 1, 1, 1)
    assert row["candidate_keys"] == []
    found = {f["measure"]: f["sample_keys"] for f in profile.findings.to_pylist() if f["column"] == ""}
    assert found == {"duplicate_key": ["crm.a#1"], "duplicate_row": ["crm.a#1"], "missing_key": ["crm.a#4"]}


@pytest.mark.parametrize("sample", [5, 1000])
def test_candidate_keys(engine: DuckDBEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: int) -> None:
    monkeypatch.setattr("migration_assets.stages.profile.relations.PAIR_SAMPLE", sample)
    table = written(
        tmp_path,
        "erp.lines",
        {
            "invoice_id": [i // 4 for i in range(20)],
            "position": [i % 4 for i in range(20)],
            "kind_code": [i % 5 if i < 19 else 1 for i in range(20)],
            "name": texts(*[f"n{i % 4}" for i in range(20)]),
            "uid": texts(*[f"u{i}" for i in range(20)]),
        },
        key=("invoice_id", "position"),
    )
    (row,) = profile_tables(engine, [table]).tables.to_pylist()
    assert row["candidate_keys"][:2] == ["uid", "invoice_id + position"]
    assert "invoice_id + kind_code" not in row["candidate_keys"]
    assert row["key_duplicates"] == 0


def test_references_are_looked_for_in_the_whole_golden_copy(engine: DuckDBEngine, tmp_path: Path) -> None:
    everyone = written(tmp_path, "crm.customers", {"id": [1, 2, 3]}).path
    here = tmp_path / "here"
    here.mkdir()
    customers = written(here, "crm.customers", {"id": [1]})
    orders = written(
        here,
        "erp.orders",
        {"id": [1, 2, 3, 4], "customer": texts("1", "3", "9", " "), "payer_customer_id": [1, 1, 2, 2]},
        references=(Reference("customer", "crm.customers", "id", everyone),),
    )
    profile = profile_tables(engine, [customers, orders])
    declared, likely = sorted(profile.relationships.to_pylist(), key=lambda r: not r["declared"])
    assert declared == {
        "table": "erp.orders",
        "column": "customer",
        "to_table": "crm.customers",
        "to_column": "id",
        "declared": True,
        "rows": 4,
        "nulls": 1,
        "matched": 2,
        "orphans": 1,
        "share": pytest.approx(2 / 3),
    }
    assert (likely["column"], likely["declared"], likely["matched"]) == ("payer_customer_id", False, 4)
    assert [f["sample_keys"] for f in profile.findings.to_pylist() if f["measure"] == "orphan"] == [["erp.orders#3"]]


def test_empty_tables_and_columns(engine: DuckDBEngine, tmp_path: Path) -> None:
    empty = written(tmp_path, "crm.none", {"id": texts(), "v": pa.array([], pa.int64())})
    hollow = written(
        tmp_path, "crm.hollow", {"id": [1, 2], "v": texts(None, None), "n": pa.array([None, None], pa.int64())}
    )
    profile = profile_tables(engine, [empty, hollow], as_of=AS_OF)
    assert [(t["table"], t["rows"], t["columns"], t["key_nulls"]) for t in profile.tables.to_pylist()] == [
        ("crm.none", 0, 2, 0),
        ("crm.hollow", 2, 3, 0),
    ]
    assert [c["content_type"] for c in profile.columns.to_pylist()] == ["empty", "empty", "integer", "empty", "empty"]
    assert {(f["column"], f["measure"], f["share"]) for f in profile.findings.to_pylist()} == {
        ("v", "missing", 1.0),
        ("n", "missing", 1.0),
    }


def test_nothing_at_all(engine: DuckDBEngine, tmp_path: Path) -> None:
    profile = profile_tables(engine, [])
    assert [t.num_rows for t in (profile.tables, profile.columns, profile.relationships, profile.findings)] == [0] * 4
    only_empty = profile_tables(engine, [written(tmp_path, "crm.none", {"id": texts()})])
    assert (only_empty.tables.num_rows, only_empty.findings.num_rows) == (1, 0)


def test_the_shapes_are_the_promised_ones(engine: DuckDBEngine, tmp_path: Path) -> None:
    profile = profile_tables(engine, [written(tmp_path, "crm.a", {"id": [1], "f": [float("nan")], "b": [True]})])
    made = (profile.tables.schema, profile.columns.schema, profile.relationships.schema, profile.findings.schema)
    assert made == (TABLES, COLUMNS, RELATIONSHIPS, FINDINGS)


def test_batches_change_nothing(engine: DuckDBEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [
        written(tmp_path, "crm.a", {"id": [1, 2, 3], "v": texts("a", "A", None), "w": texts("1", "2", "x")}),
        written(tmp_path, "crm.b", {"id": [1, 2], "a_id": [1, 7], "amount": [-1, 5]}),
    ]
    together = profile_tables(engine, tables, as_of=AS_OF)
    monkeypatch.setattr(cells, "CELLS_PER_BATCH", 1)
    assert profile_tables(engine, tables, as_of=AS_OF) == together


def test_columns_may_have_any_name(engine: DuckDBEngine, tmp_path: Path) -> None:
    names = [
        "value",
        "n",
        "row",
        "column",
        "form",
        "number",
        'a "quoted" one',
        "count",
        "moment",
        "x;--",
        "same",
        "place",
    ]
    table = written(tmp_path, "crm.odd", {n: texts("1", "2", "2") for n in names}, key=("value", "n"))
    profile = profile_tables(engine, [table])
    assert profile.columns["column"].to_pylist() == names
    assert set(profile.columns["distinct_values"].to_pylist()) == {2}


VALUES = st.lists(
    st.one_of(st.none(), st.sampled_from(["", " ", "a", "A", "b1"]), st.text(max_size=6)), min_size=1, max_size=25
)


@given(VALUES)
@settings(max_examples=25, deadline=None)
def test_counts_are_those_of_a_plain_loop(values: list[str | None]) -> None:
    values = [None if v is None else v.encode("utf-8", "replace").decode() for v in values]
    with TemporaryDirectory() as folder, DuckDBEngine(threads=1) as engine:
        profile = profile_tables(engine, [written(Path(folder), "x.t", {"v": texts(*values)}, key=("v",))])
    found = column(profile, "v")
    present = [v for v in values if v is not None]
    filled = Counter(v for v in present if v.strip())
    assert found["rows"] == len(values)
    assert found["nulls"] == len(values) - len(present)
    assert found["blanks"] == sum(not v.strip() for v in present)
    assert found["distinct_values"] == len(set(present))
    assert found["is_unique"] == (len(filled) == len(values))
    assert found["max_length"] == max((len(v) for v in present), default=None)
    (row,) = profile.tables.to_pylist()
    assert row["key_duplicates"] == sum(n - 1 for n in filled.values())
    assert row["key_nulls"] == len(values) - sum(filled.values())
    assert row["duplicate_rows"] == len(values) - len(set(values))
