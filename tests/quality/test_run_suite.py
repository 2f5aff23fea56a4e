"""What every check promises: no green on zero rows, no personal data, no noise, right counts in threads."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE, Field
from migration_assets.quality.rule import Rule
from migration_assets.quality.run import run_suite
from migration_assets.quality.suite import Suite, load_suite

EXPECTATIONS = Path(__file__).parents[2] / "expectations"
ARROW = {
    "integer": pa.int64(),
    "money": pa.int64(),
    "decimal": pa.decimal128(28, 8),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "instant": pa.timestamp("us", "UTC"),
}


def rule(check: str, type_: str, table: str = "t", **fields: Any) -> Rule:
    defaults = {"why": "It is what we test.", "severity": "critical", "kwargs": {}}
    return Rule(check=check, table=table, type=type_, **{**defaults, **fields})


def write(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def empty_tables(folder: Path, suite: Suite) -> dict[str, Path]:
    """Each table a suite reads, with the right columns and no row."""
    columns: dict[str, dict[str, pa.DataType]] = {}
    for r in suite.rules:
        for table, names in r.reads().items():
            columns.setdefault(table, {}).update(dict.fromkeys(names, pa.int64()))
    for table in columns:
        if table in ENTITIES:
            columns[table] = schema_of(table)
    return {
        t: write(folder / f"{t}.parquet", {n: pa.array([], kind) for n, kind in (c or {"x": pa.int64()}).items()})
        for t, c in columns.items()
    }


def schema_of(entity: str) -> dict[str, pa.DataType]:
    fields = (*ENTITIES[entity].fields, *PROVENANCE)
    return {f.name: ARROW.get(f.type, pa.string()) for f in fields}


@pytest.mark.parametrize("path", sorted(EXPECTATIONS.glob("*.yaml")), ids=lambda p: p.stem)
def test_no_check_is_green_on_zero_rows(tmp_path: Path, path: Path) -> None:
    suite = load_suite(path).model_copy(update={"may_be_empty": ()})
    results = run_suite(suite, empty_tables(tmp_path, suite))
    assert len(results) == len(suite.rules)
    assert [r.check for r in results if r.passed] == []
    assert all("no rows" in r.detail and r.rows_checked == 0 for r in results)


def test_a_table_the_plan_allows_to_be_empty_passes_and_says_so(tmp_path: Path) -> None:
    suite = Suite(asset="a", rules=(rule("c", "rows_exist"),))
    path = write(tmp_path / "t.parquet", {"x": pa.array([], pa.int64())})
    (result,) = run_suite(suite, {"t": path}, may_be_empty={"t"})
    assert result.passed and result.evaluated and result.rows_checked == 0
    assert "may be empty" in result.detail


def test_rows_at_fault_are_seen_though_what_was_to_be_looked_at_may_be_empty(tmp_path: Path) -> None:
    notes = {
        "entity": ["subscription"],
        "field": ["plan_code"],
        "reason": ["unknown_code"],
        "old_value": ["Three year"],
    }
    tables = {
        "notes": write(tmp_path / "notes.parquet", notes),
        "dispositions": write(tmp_path / "dispositions.parquet", {"source_row": pa.array([], pa.int64())}),
    }
    suite = Suite(asset="a", rules=(rule("c", "codes_known", table="notes", looked_at="dispositions"),))
    (result,) = run_suite(suite, tables, may_be_empty={"dispositions", "notes"})
    assert (result.passed, result.rows_checked, result.unexpected) == (False, 1, 1)
    assert "subscription.plan_code: 1 with" in result.detail


def test_a_source_table_that_may_be_empty_is_known_by_its_whole_name(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"x": pa.array([], pa.int64())})
    suite = Suite(asset="a", rules=(rule("c", "rows_exist", table="crm.suppressions"),))
    (allowed,) = run_suite(suite, {"crm.suppressions": path}, may_be_empty={"crm.suppressions"})
    (refused,) = run_suite(suite, {"crm.suppressions": path}, may_be_empty={"crm"})
    assert allowed.passed and not refused.passed
    assert "`crm.suppressions`" in refused.detail


def test_an_empty_list_of_defects_is_judged_by_what_was_looked_at(tmp_path: Path) -> None:
    suite = Suite(asset="a", rules=(rule("c", "no_rows", looked_at="balance.read"),), may_be_empty=("t",))
    tables = {"t": write(tmp_path / "t.parquet", {"x": pa.array([], pa.int64())})}
    (looked,) = run_suite(suite, {**tables, "balance": write(tmp_path / "b.parquet", {"read": [3, 4]})})
    (blind,) = run_suite(suite, {**tables, "balance": write(tmp_path / "b.parquet", {"read": [0]})})
    assert (looked.passed, looked.rows_checked) == (True, 7)
    assert not blind.passed


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (rule("c", "rows_exist", "absent"), "table `absent` is not there"),
        (rule("c", "present", kwargs={"columns": ["nope"]}), "`t` has no column `nope`"),
        (rule("c", "expect_column_values_to_not_be_null", kwargs={"column": "nope"}), "`t` has no column `nope`"),
        (rule("c", "references_exist", kwargs={"column": "x", "to_table": "u", "to_column": "y"}), "table `u`"),
        (rule("c", "compare", kwargs={"left": "mail", "op": "lt", "right_value": 5}), "BinderException"),
        (
            rule("c", "expect_column_values_to_be_between", kwargs={"column": "mail", "min_value": 5}),
            "InvalidColumnTypeError",
        ),
    ],
)
def test_a_rule_that_cannot_be_evaluated_has_failed_and_blocks(tmp_path: Path, bad: Rule, cause: str) -> None:
    path = write(tmp_path / "t.parquet", {"x": [1], "mail": ["jane.roe@example.org"]})
    info = bad.model_copy(update={"severity": "info"})
    good = rule("good", "rows_exist")
    failed, passed = run_suite(Suite(asset="a", rules=(info, good)), {"t": path})
    assert (failed.passed, failed.evaluated, failed.blocks) == (False, False, True)
    assert cause in failed.detail
    assert "jane" not in failed.detail
    assert passed.passed


def test_a_missing_file_or_an_empty_list_of_files_is_a_missing_table(tmp_path: Path) -> None:
    suite = Suite(asset="a", rules=(rule("c", "rows_exist"),))
    for files in (tmp_path / "absent.parquet", []):
        (result,) = run_suite(suite, {"t": files}, may_be_empty={"t"})
        assert not result.passed and not result.evaluated


def test_several_files_are_one_table(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{i}.parquet", {"x": [1, 1]}) for i in range(3)]
    (result,) = run_suite(
        Suite(asset="a", rules=(rule("c", "expect_column_values_to_be_unique", kwargs={"column": "x"}),)), {"t": files}
    )
    assert (result.rows_checked, result.unexpected) == (6, 6)
    assert result.sample_keys == tuple(f"t#{n}" for n in range(1, 7))


def test_at_most_ten_rows_are_named_and_all_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"_row": list(range(1, 301)), "x": pa.array([None] * 300, pa.string())})
    (result,) = run_suite(Suite(asset="a", rules=(rule("c", "present", kwargs={"columns": ["x"]}),)), {"t": path})
    assert (result.unexpected, len(result.sample_keys), result.sample_keys[9]) == (300, 10, "t#10")


def test_odd_names_of_tables_columns_and_files_are_only_names(tmp_path: Path) -> None:
    odd = 'a "b" {c}; drop: %s'
    folder = tmp_path / "it's"
    folder.mkdir()
    path = write(folder / "x.parquet", {odd: [1, 1], "select": [1, None]})
    rules = (
        rule("u", "unique_together", "crm.my table", kwargs={"columns": [odd]}),
        rule("g", "expect_column_values_to_be_unique", "crm.my table", kwargs={"column": "select"}),
    )
    one, two = run_suite(Suite(asset="a", rules=rules), {"crm.my table": path})
    assert (one.unexpected, two.passed) == (2, True)


PLANTED = ("Jane Roe", "jane.roe@example.org", "+491701234567", "Musterweg 7", "ATU99999999")


def planted(field: Field, entity: str) -> Any:
    """A value for every field: personal where it is personal, wrong where rules look at it."""
    by_type: dict[str, Any] = {
        "integer": -5,
        "money": -5,
        "decimal": -5,
        "boolean": True,
        "date": datetime(2026, 1, 1, tzinfo=UTC).date(),
        "instant": datetime(2026, 1, 1, tzinfo=UTC),
        "email": PLANTED[1] + " ",
        "phone": PLANTED[2] + "x",
        "code": PLANTED[0],
        "country": PLANTED[0],
        "currency": PLANTED[0],
    }
    if field.name in ("source_system", "source_table"):
        return {"source_system": "crm", "source_table": entity}[field.name]
    return 7 if field.name == "source_row" else by_type.get(field.type, f"{PLANTED[3]} {PLANTED[4]}")


@pytest.mark.parametrize(
    "asset", ["cleansed_customers", "transformed_entitlements", "transformed_billing", "reference_data"]
)
def test_no_result_shows_a_personal_value_even_when_every_cell_holds_one(tmp_path: Path, asset: str) -> None:
    suite = load_suite(EXPECTATIONS / f"{asset}.yaml")
    tables = empty_tables(tmp_path, suite)
    for entity in suite.tables & set(ENTITIES):
        fields = (*ENTITIES[entity].fields, *PROVENANCE)
        twice = {f.name: pa.array([planted(f, entity)] * 2, ARROW.get(f.type, pa.string())) for f in fields}
        write(tables[entity], twice)
    for table in ("notes", "dispositions"):
        names = pq.read_schema(tables[table]).names
        row = {n: pa.array([PLANTED[1]] * 2) for n in names} | {"source_row": pa.array([7, 7])}
        row |= {n: pa.array(["crm"] * 2) for n in ("source_system", "source_table")}
        if table == "notes":
            row |= {"reason": pa.array(["unknown_code", "unknown_code"]), "old_value": pa.array(list(PLANTED[:2]))}
        write(tables[table], row)
    results = run_suite(suite, tables)
    told = "\n".join(f"{r.detail} {r.sample_keys} {r.amount_minor}" for r in results)
    assert sum(not r.passed for r in results) > len(results) / 3
    assert [r.detail for r in results if not r.evaluated] == []
    for value in PLANTED:
        assert value not in told
    assert all(key.startswith(("crm.", "notes#", "dispositions#")) for r in results for key in r.sample_keys)


def test_a_key_column_with_data_in_it_is_never_shown_as_text(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.parquet",
        {"who": ["jane.roe@example.org", "6f9619ff-8b86-d011-b42d-00c04fc964ff"], "table": ["crm.a", "crm.b"]},
    )
    rules = (
        rule("c", "no_rows", key=("who",)),
        rule("d", "no_rows", key=("table",)),
    )
    by_who, by_table = run_suite(Suite(asset="a", rules=rules), {"t": path})
    assert by_who.sample_keys == ("t#1", "t#6f9619ff-8b86-d011-b42d-00c04fc964ff")
    assert by_table.sample_keys == ("t#crm.a", "t#crm.b")


def test_checks_are_silent_and_leave_nothing_behind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "t.parquet", {"x": ["jane.roe@example.org"]})
    rules = (
        rule("a", "compare", kwargs={"left": "x", "op": "lt", "right_value": 5}),
        rule("b", "expect_column_values_to_be_null", kwargs={"column": "x"}),
    )
    with caplog.at_level(logging.WARNING):
        run_suite(Suite(asset="a", rules=rules), {"t": path})
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert "jane" not in caplog.text
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_two_suites_at_once_give_each_its_own_counts(tmp_path: Path) -> None:
    def check(size: int) -> list[int]:
        path = write(tmp_path / f"{size}.parquet", {"x": pa.array([None] * size, pa.int64()), "y": [1] * size})
        rules = (
            rule("a", "expect_column_values_to_not_be_null", kwargs={"column": "x"}),
            rule("b", "present", kwargs={"columns": ["x"]}),
            rule("c", "expect_column_values_to_be_unique", kwargs={"column": "y"}),
        )
        return [r.unexpected for r in run_suite(Suite(asset="a", rules=rules), {"t": path}, threads=1)]

    sizes = [100 + n for n in range(12)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(check, sizes)) == [[s, s, s] for s in sizes]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parents=st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=10),
    values=st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=1, max_size=30),
)
def test_cycles_and_repeats_are_those_that_plain_python_finds(
    tmp_path: Path, parents: list[int | None], values: list[int | None]
) -> None:
    def comes_back(start: int) -> bool:
        node, seen = parents[start], set()
        while node is not None and node < len(parents) and node not in seen:
            if node == start:
                return True
            seen.add(node)
            node = parents[node]
        return False

    tree = write(tmp_path / "n.parquet", {"key": list(range(len(parents))), "up": pa.array(parents, pa.int64())})
    flat = write(tmp_path / "v.parquet", {"x": pa.array(values, pa.int64())})
    rules = (
        rule("a", "acyclic", "n", kwargs={"key": "key", "parent": "up"}),
        rule("u", "unique_together", "v", kwargs={"columns": ["x"]}),
    )
    cycles, repeats = run_suite(Suite(asset="a", rules=rules), {"n": tree, "v": flat})
    assert cycles.unexpected == sum(comes_back(n) for n in range(len(parents)))
    assert repeats.unexpected == sum(v is not None and values.count(v) > 1 for v in values)
