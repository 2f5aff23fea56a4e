"""A fault is planted where it was asked for, in as many rows, and nowhere else; the clean copy keeps what it had."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from migration_assets.drill.changes import Alter, Copy, Remove, RowChange, Value, WholeFile, Words
from migration_assets.drill.planting import NothingToPlant, plant_rows, plant_words

ROWS = [{"key": f"k{i}", "amount": i, "currency": "EUR" if i % 2 else "JPY"} for i in range(10)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def planted(file: Path, change: RowChange, seed: int = 1) -> list[dict[str, object]]:
    plant_rows([file], change, seed)
    found: list[dict[str, object]] = pq.read_table(file).to_pylist()
    return found


def test_one_row_is_changed_and_its_type_stays(file: Path) -> None:
    before = pq.read_schema(file)
    after = planted(file, Alter("table", {"amount": "amount * 100"}, "currency = 'JPY' AND amount > 0"))
    changed = [(a, b) for a, b in zip(ROWS, after, strict=True) if a != b]
    assert len(changed) == 1 and changed[0][1]["amount"] == int(str(changed[0][0]["amount"])) * 100
    assert changed[0][0]["currency"] == "JPY" and pq.read_schema(file).equals(before)


def test_one_row_is_gone(file: Path) -> None:
    after = planted(file, Remove("table", "currency = 'EUR'"))
    gone = [r for r in ROWS if r not in after]
    assert len(gone) == 1 and gone[0]["currency"] == "EUR" and len(after) == 9


def test_a_row_that_is_to_be_alone_has_no_other_like_it_whatever_is_asked_of_the_others(tmp_path: Path) -> None:
    rows = [
        {"customer": c, "allowed": a, "key": i} for i, (c, a) in enumerate([("x", True), ("x", False), ("y", True)])
    ]
    for seed in range(10):
        own = tmp_path / f"{seed}.parquet"
        pq.write_table(pa.Table.from_pylist(rows), own)
        assert [r["key"] for r in planted(own, Remove("table", "allowed", alone=("customer",)), seed)] == [0, 1]
        with pytest.raises(NothingToPlant):
            planted(own, Alter("table", {"key": "9"}, "customer = 'x'", alone=("customer",)), seed)


def test_a_copy_stands_beside_its_row(file: Path) -> None:
    after = planted(file, Copy("table", {"key": "key || 'x'"}))
    (copy,) = [r for r in after if r not in ROWS]
    assert len(after) == 11 and {**copy, "key": str(copy["key"]).removesuffix("x")} in ROWS


def test_the_same_seed_takes_the_same_row_and_another_seed_may_take_another(file: Path, tmp_path: Path) -> None:
    def gone(seed: int) -> str:
        own = tmp_path / f"{seed}.parquet"
        pq.write_table(pa.Table.from_pylist(ROWS), own)
        after = planted(own, Remove("table"), seed)
        return str(next(r["key"] for r in ROWS if r not in after))

    assert gone(3) == gone(3)
    assert len({gone(seed) for seed in range(20)}) > 1


def test_raw_rows_are_the_same_in_the_cohorts_file_and_in_that_of_all(tmp_path: Path) -> None:
    whole = pa.Table.from_pylist([{**row, "_row": i} for i, row in enumerate(ROWS)])
    everything, cohort = tmp_path / "all.parquet", tmp_path / "cohort.parquet"
    pq.write_table(whole, everything)
    pq.write_table(whole.slice(5), cohort)
    plant_rows([cohort, everything], Alter("table", {"amount": "-1"}), 1)
    (hit,) = [r for r in pq.read_table(everything).to_pylist() if r["amount"] == -1]
    assert hit in pq.read_table(cohort).to_pylist() and hit["_row"] >= 5


def test_a_file_that_shares_the_content_keeps_it(file: Path, tmp_path: Path) -> None:
    shared = tmp_path / "clean.parquet"
    os.link(file, shared)
    planted(file, Remove("table"))
    assert pq.read_table(shared).to_pylist() == ROWS


@pytest.mark.parametrize("change", [Remove("table", "amount > 99"), Alter("table", {"amount": "1"}, "false"),
                                    Remove("table", rows=11)])  # fmt: skip
def test_what_finds_no_row_is_not_taken_for_planted(file: Path, change: RowChange) -> None:
    with pytest.raises(NothingToPlant):
        plant_rows([file], change, 1)
    assert pq.read_table(file).to_pylist() == ROWS


def test_a_column_that_is_not_there_is_a_mistake_of_the_trap(file: Path) -> None:
    with pytest.raises(ValueError, match="has no column nothing"):
        plant_rows([file], Alter("table", {"nothing": "1"}), 1)


def test_words_of_a_plan_are_replaced_once_and_the_clean_copy_keeps_its_own(tmp_path: Path) -> None:
    clean, own = tmp_path / "clean.yaml", tmp_path / "own" / "plan.yaml"
    own.parent.mkdir()
    clean.write_text("a: 1\nb: 1\n", encoding="utf-8")
    os.link(clean, own)
    plant_words(own.parent, Words("plan.yaml", ": 1", ": 2"))
    assert own.read_text(encoding="utf-8") == "a: 2\nb: 1\n"
    assert clean.read_text(encoding="utf-8") == "a: 1\nb: 1\n"
    for nowhere in (
        Words("plan.yaml", "c: 1", ""),
        Value("plan.yaml", ("z",), 7),
        Value("plan.yaml", ("a", "deep"), 7),
        WholeFile("plan.yaml", own.read_text(encoding="utf-8")),
    ):
        with pytest.raises(NothingToPlant, match="stays as it is"):
            plant_words(own.parent, nowhere)
    plant_words(own.parent, Value("plan.yaml", ("b",), [1, {"d": 2}]))
    plant_words(own.parent, Value("plan.yaml", ("b", 1, "d"), 7))
    assert yaml.safe_load(own.read_text(encoding="utf-8")) == {"a": 2, "b": [1, {"d": 7}]}
    plant_words(own.parent, WholeFile("plan.yaml", "c: 3\n"))
    assert own.read_text(encoding="utf-8") == "c: 3\n"
