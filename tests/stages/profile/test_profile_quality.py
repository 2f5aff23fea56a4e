"""Each quality measure on values that are and are not what it looks for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.profile.measure import profile_tables
from migration_assets.stages.profile.model import ProfiledTable
from migration_assets.stages.profile.quality import DIMENSIONS, MEASURES, NO_RULE

AS_OF = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine() as made:
        yield made


def findings(engine: DuckDBEngine, folder: Path, **columns: Any) -> dict[tuple[str, str], dict[str, Any]]:
    rows = len(next(iter(columns.values())))
    path = folder / "t.parquet"
    numbers = pa.array(range(1, rows + 1), pa.int64())
    pq.write_table(pa.table({"_row": numbers, "id": numbers, **columns}), path)
    profile = profile_tables(engine, [ProfiledTable("crm.t", path, ("id",))], as_of=AS_OF)
    return {(f["column"], f["measure"]): f for f in profile.findings.to_pylist()}


GOOD_DAYS = [f"2024-01-{d:02}" for d in range(1, 21)]
CASES = [
    ("missing", "v", ["a", None, None], [2, 3]),
    ("blank", "v", ["a", "", "\u00a0 "], [2, 3]),
    ("placeholder", "v", ["a", "NULL", "n/a", "NA", "None"], [2, 3]),
    ("bad_email", "email", ["a@b.org", "c@d.org", "x@", "e@f", "g@h..org"], [3, 4, 5]),
    ("bad_phone", "phone", ["+44 20 7946 0000", "020-7946-0000 x12", "12345", "0800 REVERSE"], [3, 4]),
    ("impossible_date", "v", [*GOOD_DAYS, "2023-02-29", "31/31/2024"], [21, 22]),
    ("impossible_date", "v", [*GOOD_DAYS, "0000-01-01", "0000-00-00", "31/12/0000"], [21, 22, 23]),
    ("impossible_date", "v", ["2024-01-01 00:00:00", "0000-12-31 23:59:59", "0001-01-01 00:00:00"], [2]),
    ("impossible_date", "v", pa.array([0, -719_529, 2_932_897, 2**31 - 1], pa.date32()), [2, 3, 4]),
    (
        "impossible_date",
        "v",
        pa.array([0, 2**63 - 1, -(2**63) + 1, -(2**56), 2**59, None], pa.timestamp("us")),
        [2, 3, 4, 5],
    ),
    ("impossible_date", "v", pa.array([0, 2**63 - 1, 2**59], pa.timestamp("us", "UTC")), [2, 3]),
    ("unlike_column", "v", [*(str(n) for n in range(20)), "12 pieces"], [21]),
    ("mojibake", "v", ["MÃ¼ller", "Müller", "donâ€™t", "gone \ufffd"], [1, 3, 4]),
    ("control_character", "v", ["a\u200bb", "a\tb", "a\nb", "a\x1b[31mb", "\u202eabc"], [1, 4, 5]),
    ("surrounding_space", "v", [" a", "b\u00a0", "c d", "\u3000e"], [1, 2, 4]),
    ("case_variant", "v", ["Acme", "Acme", "ACME", "acme ", "Other"], [3, 4]),
    ("minority_format", "v", ["AB-12"] * 9 + ["AB12", "CD-34"], [10]),
    ("minority_format", "v", ["31/12/2023", "30/11/2023", "01/02/2023", "2024-01-31"], [4]),
    ("negative_amount", "amount", [-1, 0, 1], [1]),
    ("outlier", "v", [*range(100, 130), 100_000], [31]),
    ("implausible_date", "v", [date(1, 1, 1), date(2024, 1, 1), date(9999, 12, 31)], [1, 3]),
    ("future_date", "signed_on", [date(2024, 6, 2), date(2024, 6, 1), date(2020, 1, 1)], [1]),
    ("not_finite", "v", [1.5, float("nan"), float("inf"), float("-inf")], [2, 3, 4]),
]


@pytest.mark.parametrize(("measure", "name", "values", "rows"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_measure(
    engine: DuckDBEngine, tmp_path: Path, measure: str, name: str, values: list[Any], rows: list[int]
) -> None:
    found = findings(engine, tmp_path, **{name: pa.array(values)})[name, measure]
    assert found["rows"] == len(rows)
    assert found["share"] == pytest.approx(len(rows) / len(values))
    assert found["sample_keys"] == [f"crm.t#{r}" for r in rows]
    assert found["dimension"] == MEASURES[measure]


def test_clean_columns_have_no_findings(engine: DuckDBEngine, tmp_path: Path) -> None:
    clean = {
        "email": [f"u{i}@example.org" for i in range(30)],
        "phone": [f"+44 20 7946 {i:04}" for i in range(30)],
        "has_phone": ["Yes", "No"] * 15,
        "name": ["Zoë", "Jon", "Ana", "Ng", "O'Hara"] * 6,
        "amount": [f"{i}.50" for i in range(30)],
        "balance": list(range(-15, 15)),
        "credit_amount": [-5] * 30,
        "expires_on": [date(2030, 1, 1)] * 30,
        "zip": [f"{i:05}" for i in range(30)],
    }
    assert findings(engine, tmp_path, **{k: pa.array(v) for k, v in clean.items()}) == {}


def test_dates_that_end_before_they_start(engine: DuckDBEngine, tmp_path: Path) -> None:
    found = findings(
        engine,
        tmp_path,
        starts_on=pa.array(["2024-01-01", "2024-03-01", None]),
        ends_on=pa.array(["2024-02-01", "2024-02-01", "2024-01-01"]),
    )
    assert found["ends_on", "inverted_dates"]["sample_keys"] == ["crm.t#2"]
    assert found["ends_on", "inverted_dates"]["rows"] == 1


def test_future_is_unknown_without_as_of(engine: DuckDBEngine, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"_row": [1], "id": [1], "signed_on": [date(2999, 1, 1)]}), path)
    profile = profile_tables(engine, [ProfiledTable("crm.t", path, ("id",))])
    assert "future_date" not in profile.findings["measure"].to_pylist()
    assert profile.tables["age_days"].to_pylist() == [None]


def test_at_most_five_samples_also_of_one_value(engine: DuckDBEngine, tmp_path: Path) -> None:
    found = findings(engine, tmp_path, v=pa.array(["Acme"] * 10 + ["ACME"] * 7))
    assert found["v", "case_variant"]["rows"] == 7
    assert found["v", "case_variant"]["sample_keys"] == [f"crm.t#{r}" for r in range(11, 16)]


def test_the_action_is_the_plans_rule(engine: DuckDBEngine, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"_row": [1, 2], "id": [1, 2], "v": ["a", None], "w": ["b", None]}), path)
    table = ProfiledTable("crm.t", path, ("id",))
    profile = profile_tables(engine, [table], rules={("crm.t", "v"): "default: 0"})
    assert {f["column"]: f["action"] for f in profile.findings.to_pylist()} == {"v": "default: 0", "w": NO_RULE}
    assert {f["action"] for f in profile_tables(engine, [table]).findings.to_pylist()} == {""}


def test_findings_come_with_the_largest_share_first(engine: DuckDBEngine, tmp_path: Path) -> None:
    found = findings(engine, tmp_path, v=pa.array(["", None, None, None, " a", " b"])).values()
    listed = [(f["measure"], f["rows"]) for f in found]
    assert listed == [("surrounding_space", 2), ("blank", 1), ("missing", 3)], "what is merely missing comes last"


def test_every_measure_belongs_to_one_of_the_four_dimensions() -> None:
    assert set(MEASURES.values()) == set(DIMENSIONS)
