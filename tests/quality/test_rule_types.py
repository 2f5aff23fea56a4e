"""Each rule type finds exactly the rows at fault, names them by surrogate, and passes where there are none."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration_assets.quality.results import CheckResult
from migration_assets.quality.rule import MoneyAtStake, Rule
from migration_assets.quality.rule_type import Scope
from migration_assets.quality.rules import RULE_TYPES
from migration_assets.quality.run import run_suite
from migration_assets.quality.suite import Suite

Rows = list[dict[str, Any]]


def at(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def parquet(folder: Path, name: str, rows: Rows) -> Path:
    path = folder / f"{name}.parquet"
    numbered = [{"_row": i, **row} for i, row in enumerate(rows, start=1)]
    pq.write_table(pa.Table.from_pylist(numbered), path)
    return path


def checked(folder: Path, type_: str, kwargs: dict[str, Any], rows: Rows, others: dict[str, Rows]) -> CheckResult:
    rule = Rule(check="c", table="t", why="It is what we test.", type=type_, kwargs=kwargs, severity="critical")
    tables = {"t": parquet(folder, "t", rows), **{n: parquet(folder, n, r) for n, r in others.items()}}
    (result,) = run_suite(Suite(asset="a", rules=(rule,)), tables)
    return result


PARENTS: dict[str, Rows] = {"p": [{"id": "a", "cur": "EUR", "n": 1}, {"id": "b", "cur": "USD", "n": None}]}
LINK = {"to_table": "p", "to_key": "id"}
CHILD = {"child_table": "k", "child_key": "up"}


def child(up: str, amount: int | Decimal, cur: str = "EUR", live: bool = True) -> dict[str, Any]:
    return {"up": up, "m": amount, "c": cur, "live": live}


TIE = {"key": "id", "amount": "m", "currency": "c", **CHILD, "child_amount": "m", "child_currency": "c"}
MOST = {"key": "id", "limit": "m", **CHILD, "amount": "m", "currency": "c", "child_currency": "c"}

ENTRIES = {"text": "x", "keys": ["id"], "entry_table": "e", "entry": "entry", "position": "position", "separator": "; "}
TEXTS: Rows = [{"id": str(i), "x": text} for i, text in enumerate(["a b; c", "a b; c", "a", None, " ; ", "a; b"])]


def entries(*texts: str) -> dict[str, Rows]:
    """Entries as `row:position:text`."""
    parts = (text.split(":") for text in texts)
    return {"e": [{"id": i, "position": int(n), "entry": entry} for i, n, entry in parts]}


# type, arguments, rows, other tables, rows at fault (1-based)
CASES: list[tuple[str, dict[str, Any], Rows, dict[str, Rows], list[int]]] = [
    ("expect_column_values_to_not_be_null", {"column": "x"}, [{"x": 1}, {"x": None}], {}, [2]),
    ("expect_column_values_to_be_null", {"column": "x"}, [{"x": 1}, {"x": None}], {}, [1]),
    ("expect_column_values_to_be_unique", {"column": "x"}, [{"x": v} for v in (1, 2, 1, None, None)], {}, [1, 3]),
    ("expect_column_values_to_be_in_set", {"column": "x", "value_set": ["a"]}, [{"x": v} for v in "ab"], {}, [2]),
    ("expect_column_values_to_not_be_in_set", {"column": "x", "value_set": ["a"]}, [{"x": v} for v in "ab"], {}, [1]),
    ("expect_column_values_to_match_regex", {"column": "x", "regex": "^a{1}:b$"}, [{"x": "a:b"}, {"x": "b"}], {}, [2]),
    ("expect_column_values_to_not_match_regex", {"column": "x", "regex": "^a"}, [{"x": "ab"}, {"x": "b"}], {}, [1]),
    (
        "expect_column_values_to_be_between",
        {"column": "x", "min_value": 0, "max_value": 5},
        [{"x": v} for v in (-1, 0, 5, 6, None)],
        {},
        [1, 4],
    ),
    (
        "expect_column_value_lengths_to_be_between",
        {"column": "x", "max_value": 2},
        [{"x": v} for v in ("ab", "abc")],
        {},
        [2],
    ),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "x", "column_B": "y"},
        [{"x": 2, "y": 1}, {"x": 1, "y": 1}, {"x": None, "y": 1}],
        {},
        [2],
    ),
    (
        "expect_compound_columns_to_be_unique",
        {"column_list": ["x", "y"]},
        [{"x": 1, "y": v} for v in (1, 2, 1)],
        {},
        [1, 3],
    ),
    ("present", {"columns": ["x", "y"]}, [{"x": "v", "y": 1}, {"x": " ", "y": 1}, {"x": "v", "y": None}], {}, [2, 3]),
    (
        "present",
        {"columns": ["x"], "where": [{"field": "y", "op": "eq", "value": 1}]},
        [{"x": None, "y": 1}, {"x": None, "y": 2}, {"x": None, "y": None}],
        {},
        [1],
    ),
    (
        "absent",
        {"columns": ["x"], "where": [{"field": "y", "op": "ne", "value": "l"}]},
        [{"x": 1, "y": "l"}, {"x": 1, "y": "z"}, {"x": None, "y": "z"}],
        {},
        [2],
    ),
    ("no_rows", {"where": [{"field": "x", "op": "in", "value": ["a", "b"]}]}, [{"x": "a"}, {"x": "c"}], {}, [1]),
    (
        "one_of",
        {"column": "x", "values": ["{a}", "b:c %s ?", "d'e", "\\:f"]},
        [{"x": v} for v in ("{a}", "b:c %s ?", "d'e", "\\:f", "g", None)],
        {},
        [5],
    ),
    (
        "codes_valid",
        {"codes": {"x": ["a"], "y": ["b"]}},
        [{"x": "a", "y": "b"}, {"x": "b", "y": "b"}, {"x": None, "y": "a"}],
        {},
        [2, 3],
    ),
    ("iso_listed", {"columns": ["x"], "iso": "country"}, [{"x": v} for v in ("DE", "XX", None)], {}, [2]),
    ("iso_listed", {"columns": ["x"], "iso": "country"}, [{"x": v} for v in ("XK", "XX")], {}, [2]),
    ("iso_listed", {"columns": ["x"], "iso": "currency"}, [{"x": v} for v in ("EUR", "EURO")], {}, [2]),
    (
        "iso_listed",
        {"columns": ["x"], "iso": "currency", "own": ["BTC"]},
        [{"x": v} for v in ("EUR", "BTC", "XBT")],
        {},
        [3],
    ),
    (
        "not_before",
        {"column": "e", "reference": "s"},
        [{"s": at(2), "e": at(2)}, {"s": at(2), "e": at(1)}, {"s": at(2), "e": None}],
        {},
        [2],
    ),
    (
        "not_before",
        {"column": "e", "reference": "s", "strict": True},
        [{"s": at(2), "e": at(2)}, {"s": at(2), "e": at(3)}],
        {},
        [1],
    ),
    (
        "compare",
        {"left": "x", "op": "le", "right_column": "y"},
        [{"x": 1, "y": 1}, {"x": 2, "y": 1}, {"x": 2, "y": None}],
        {},
        [2],
    ),
    (
        "compare",
        {"left": "x", "op": "gt", "right_value": 0},
        [{"x": Decimal("0.01")}, {"x": Decimal("-0.01")}],
        {},
        [2],
    ),
    (
        "equal_columns",
        {"left": "x", "right": "y"},
        [{"x": 1, "y": 1}, {"x": 1, "y": None}, {"x": None, "y": None}],
        {},
        [2],
    ),
    ("unique_together", {"columns": ["x", "y"]}, [{"x": 1, "y": v} for v in (1, 2, 1, None, None)], {}, [1, 3]),
    (
        "at_most_one",
        {"columns": ["x"], "where": [{"field": "y", "op": "eq", "value": True}]},
        [{"x": 1, "y": True}, {"x": 1, "y": False}, {"x": 1, "y": True}],
        {},
        [1, 3],
    ),
    (
        "no_overlap",
        {"keys": ["x"], "starts": "s", "ends": "e"},
        [
            {"x": 1, "s": at(1), "e": at(3)},
            {"x": 1, "s": at(3), "e": at(5)},
            {"x": 1, "s": at(4), "e": None},
            {"x": 2, "s": at(1), "e": at(9)},
            {"x": 1, "s": at(2), "e": at(2)},
        ],
        {},
        [3],
    ),
    (
        "no_overlap",
        {"keys": ["x"], "starts": "s", "ends": "e"},
        [{"x": 1, "s": at(1), "e": None}, {"x": 1, "s": at(2), "e": at(3)}, {"x": 1, "s": at(8), "e": at(9)}],
        {},
        [2, 3],
    ),
    (
        "no_overlap",
        {"keys": ["x", "z"], "starts": "s", "ends": "e", "differ": "y"},
        [
            {"x": 1, "z": None, "y": True, "s": at(1), "e": at(5)},
            {"x": 1, "z": None, "y": True, "s": at(2), "e": None},
            {"x": 1, "z": None, "y": False, "s": at(5), "e": at(6)},
            {"x": 2, "z": None, "y": False, "s": at(5), "e": at(6)},
            {"x": 1, "z": "k", "y": False, "s": at(1), "e": at(2)},
            {"x": 1, "z": "k", "y": True, "s": at(2), "e": at(3)},
        ],
        {},
        [2, 3],
    ),
    (
        "acyclic",
        {"key": "x", "parent": "y"},
        [
            {"x": "a", "y": None},
            {"x": "b", "y": "a"},
            {"x": "c", "y": "d"},
            {"x": "d", "y": "c"},
            {"x": "e", "y": "e"},
            {"x": "f", "y": "e"},
        ],
        {},
        [3, 4, 5],
    ),
    (
        "references_exist",
        {"column": "x", "to_table": "p", "to_column": "id"},
        [{"x": v} for v in ("a", "c", None, " ")],
        PARENTS,
        [2],
    ),
    (
        "references_exist",
        {"column": "x", "to_table": "q", "to_column": "id"},
        [{"x": v} for v in ("1", "2")],
        {"q": [{"id": 1}]},
        [2],
    ),
    (
        "has_child",
        {"key": "x", **CHILD, "child_where": [{"field": "live", "op": "eq", "value": True}]},
        [{"x": v} for v in "abc"],
        {"k": [child("a", 1), child("b", 1, live=False)]},
        [2, 3],
    ),
    (
        "present_here_or_there",
        {"columns": ["x"], "via": "y", **LINK, "to_columns": ["n"]},
        [{"x": None, "y": "a"}, {"x": None, "y": "b"}, {"x": 1, "y": "b"}],
        PARENTS,
        [2],
    ),
    ("present_here_or_there", {"columns": ["x", "y"]}, [{"x": None, "y": "a"}, {"x": None, "y": None}], {}, [2]),
    (
        "not_linked",
        {"via": "x", **LINK, "to_where": [{"field": "cur", "op": "eq", "value": "USD"}]},
        [{"x": v} for v in ("a", "b", None)],
        PARENTS,
        [2],
    ),
    (
        "matches_referenced",
        {"column": "y", "via": "x", **LINK, "to_column": "cur"},
        [{"x": "a", "y": "EUR"}, {"x": "b", "y": "EUR"}, {"x": "z", "y": "EUR"}],
        PARENTS,
        [2],
    ),
    (
        "within",
        {"starts": "s", "ends": "e", "via": "x", "to_table": "p", "to_key": "id", "to_starts": "ps", "to_ends": "pe"},
        [
            {"x": "a", "s": at(2), "e": at(3)},
            {"x": "a", "s": at(1), "e": at(3)},
            {"x": "a", "s": at(2), "e": None},
            {"x": "b", "s": at(2), "e": None},
        ],
        {"p": [{"id": "a", "ps": at(2), "pe": at(4)}, {"id": "b", "ps": at(2), "pe": None}]},
        [2, 3],
    ),
    (
        "within",
        {
            "starts": "s",
            "ends": "e",
            "via": "x",
            "to_table": "p",
            "to_key": "id",
            "to_ends": "pe",
            "to_where": [{"field": "k", "op": "eq", "value": "stop"}],
        },
        [
            {"x": "a", "s": at(1), "e": at(3)},
            {"x": "a", "s": at(1), "e": at(5)},
            {"x": "a", "s": at(2), "e": None},
            {"x": "b", "s": at(2), "e": None},
        ],
        {
            "p": [
                {"id": "a", "pe": at(4), "k": "stop"},
                {"id": "a", "pe": at(3), "k": "stop"},
                {"id": "a", "pe": at(2), "k": "go"},
                {"id": "b", "pe": at(3), "k": "go"},
            ]
        },
        [2, 3],
    ),
    (
        "total_at_most",
        MOST,
        [
            {"id": "a", "m": 5, "c": "EUR"},
            {"id": "b", "m": 5, "c": "EUR"},
            {"id": "c", "m": 5, "c": "EUR"},
            {"id": "d", "m": 0, "c": "EUR"},
        ],
        {"k": [child("a", 5), child("b", 3), child("b", 3), child("c", 1, "USD")]},
        [2, 3],
    ),
    (
        "total_at_most",
        {**MOST, "foreign": "apart"},
        [{"id": "c", "m": 5, "c": "EUR"}, {"id": "d", "m": 0, "c": "EUR"}],
        {"k": [child("c", 99, "USD"), child("d", 1)]},
        [2],
    ),
    (
        "total_at_most",
        {"key": "id", "limit": "m", **CHILD},
        [{"id": "a", "m": 1}, {"id": "b", "m": 1}],
        {"k": [child("a", 9), child("b", 1), child("b", 1)]},
        [2],
    ),
    (
        "sums_tie",
        TIE,
        [
            {"id": "a", "m": 5, "c": "EUR"},
            {"id": "b", "m": 5, "c": "EUR"},
            {"id": "c", "m": 0, "c": "EUR"},
            {"id": "d", "m": 5, "c": "EUR"},
        ],
        {"k": [child("a", 2), child("a", 3), child("b", 4), child("d", 5), child("d", 1, "USD")]},
        [2, 3, 4],
    ),
    (
        "sums_tie",
        {**TIE, "childless": "pass"},
        [{"id": "c", "m": 7, "c": "EUR"}, {"id": "d", "m": 7, "c": "EUR"}],
        {"k": [child("d", 1)]},
        [2],
    ),
    (
        "adds_up",
        {"total": "x", "parts": ["y", "z"]},
        [{"x": 2**63 - 1, "y": 2**63 - 1, "z": 0}, {"x": 0, "y": 2**63 - 1, "z": 1}, {"x": 3, "y": 3, "z": None}],
        {},
        [2],
    ),
    (
        "adds_up",
        {"total": "x", "parts": ["y", "z"]},
        [
            {"x": Decimal("10.45"), "y": Decimal("5.62"), "z": Decimal("4.83")},
            {"x": Decimal("10.45"), "y": Decimal("5.62"), "z": Decimal("4.82")},
        ],
        {},
        [2],
    ),
    ("counts_balance", {"total": "x", "parts": ["y"]}, [{"x": 1, "y": 1}, {"x": 1, "y": 0}], {}, [2]),
    (
        "currency_exponent",
        {"minor": "m", "major": "p", "quantity": "q", "discount_percent": "d", "currency": "c", "tolerance": 1},
        [
            {"m": 85634, "p": Decimal("218.4540"), "q": 4, "d": Decimal("2.00"), "c": "USD"},
            {"m": 85636, "p": Decimal("218.4540"), "q": 4, "d": Decimal("2.00"), "c": "USD"},
            {"m": 87382, "p": Decimal("218.4540"), "q": 4, "d": Decimal("2.00"), "c": "USD"},
            {"m": 99, "p": Decimal("1.00"), "q": 1, "d": None, "c": "USD"},
        ],
        {},
        [2, 3],
    ),
    (
        "currency_exponent",
        {"minor": "m", "major": "p", "currency": "c"},
        [
            {"m": 150, "p": Decimal("1.50"), "c": "EUR"},
            {"m": 150, "p": Decimal("150"), "c": "JPY"},
            {"m": 150, "p": Decimal("1.50"), "c": "JPY"},
            {"m": 1500, "p": Decimal("1.50"), "c": "KWD"},
            {"m": None, "p": Decimal("1"), "c": "EUR"},
        ],
        {},
        [3],
    ),
    (
        "currency_exponent",
        {"minor": "m", "major": "p", "currency": "c", "quantity": "q", "exponents": {"EUR": 0}, "tolerance": 1},
        [{"m": 9, "p": Decimal("5"), "c": "EUR", "q": 2}, {"m": 8, "p": Decimal("5"), "c": "EUR", "q": 2}],
        {},
        [2],
    ),
    (
        "column_share_at_most",
        {"part": "x", "whole": "y", "percent": 5},
        [{"x": 5, "y": 100}, {"x": 6, "y": 100}],
        {},
        [2],
    ),
    (
        "column_share_at_most",
        {"part": "x", "whole": "y", "most": "z"},
        [{"x": 5, "y": 9, "z": 5}, {"x": 6, "y": 9, "z": 5}, {"x": 0, "y": 0, "z": 0}],
        {},
        [2],
    ),
    (
        "column_share_at_most",
        {"part": "x", "whole": "y", "percent": 50, "where": [{"field": "x", "op": "ge", "value": 5}]},
        [{"x": 4, "y": 4}, {"x": 5, "y": 10}, {"x": 6, "y": 10}, {"x": None, "y": 10}],
        {},
        [3],
    ),
    ("entries_whole", ENTRIES, TEXTS, entries("0:1:a b", "0:2:c", "1:1:a b", "3:1:x", "5:1:b", "5:2:a"), [2, 3, 4, 6]),
    ("entries_whole", {**ENTRIES, "newest_first": True}, TEXTS[4:], entries("5:1:b", "5:2:a", "4:1:x"), [1]),
]


@pytest.mark.parametrize(
    ("type_", "kwargs", "rows", "others", "faults"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)]
)
def test_a_rule_finds_exactly_the_rows_at_fault(
    tmp_path: Path, type_: str, kwargs: dict[str, Any], rows: Rows, others: dict[str, Rows], faults: list[int]
) -> None:
    result = checked(tmp_path, type_, kwargs, rows, others)
    assert result.evaluated, result.detail
    assert not result.passed
    assert result.rows_checked == len(rows)
    assert result.unexpected == len(faults)
    assert result.sample_keys == tuple(f"t#{n}" for n in faults)


@pytest.mark.parametrize(
    ("type_", "kwargs", "rows", "others", "faults"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)]
)
def test_without_the_rows_at_fault_the_rule_passes(
    tmp_path: Path, type_: str, kwargs: dict[str, Any], rows: Rows, others: dict[str, Rows], faults: list[int]
) -> None:
    if type_ == "no_overlap" and faults == [2, 3] and "differ" not in kwargs:
        kept = rows[1:]
    else:
        kept = [r for i, r in enumerate(rows, start=1) if i not in faults]
    padded = pa.Table.from_pylist(rows).schema  # a column that is all null keeps its type
    path = tmp_path / "t.parquet"
    table = pa.Table.from_pylist(kept, schema=padded)
    pq.write_table(table.add_column(0, "_row", pa.array(range(len(kept)), pa.int64())), path)
    rule = Rule(check="c", table="t", why="It is what we test.", type=type_, kwargs=kwargs, severity="critical")
    tables = {"t": path, **{n: parquet(tmp_path, n, r) for n, r in others.items()}}
    (result,) = run_suite(Suite(asset="a", rules=(rule,)), tables)
    assert result.passed, result.detail
    assert (result.unexpected, result.sample_keys) == (0, ())


@pytest.mark.parametrize(
    ("type_", "kwargs", "rows", "others", "faults"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)]
)
def test_no_rule_compares_every_row_with_every_other(
    type_: str, kwargs: dict[str, Any], rows: Rows, others: dict[str, Rows], faults: list[int]
) -> None:
    """A nested loop goes unnoticed on the rows of a test and takes most of an hour on a million."""
    rule = Rule(check="c", table="t", why="It is what we test.", type=type_, kwargs=kwargs, severity="critical")
    with duckdb.connect() as connection:
        for name, some in {"t": rows, **others}.items():
            connection.register("few", pa.Table.from_pylist([{"_row": i, **r} for i, r in enumerate(some)]))
            connection.execute(f"create table {name} as select few.* from few, range(20000)")
        names = ["t", *others]
        types = {n: {str(c[0]): str(c[1]) for c in connection.execute(f"describe {n}").fetchall()} for n in names}
        scope = Scope(table="t", main="t", relations={n: n for n in names}, types=types)
        query = rule.built.defects(scope)
        if query is None:  # a rule of Great Expectations' own
            assert type_.startswith("expect_")
            return
        plan = connection.execute(f"explain {query}").fetchall()[0][1]
    assert not [join for join in ("NL_JOIN", "NESTED_LOOP_JOIN", "CROSS_PRODUCT") if join in plan]


def test_every_rule_type_of_ours_is_among_the_cases() -> None:
    """Those left out have tests of their own below; each joins on one column, or not at all."""
    ours = {name for name in RULE_TYPES if not name.startswith("expect_")}
    assert ours - {case[0] for case in CASES} == {
        "codes_known", "rows_exist", "same_rows", "share_at_most", "field_share_at_most",
    }  # fmt: skip


TABLE_RULES: list[tuple[str, dict[str, Any]]] = [
    ("expect_table_row_count_to_be_between", {"min_value": 3}),
    ("expect_column_max_to_be_between", {"column": "x", "max_value": 1}),
    ("expect_column_min_to_be_between", {"column": "x", "min_value": 2}),
    ("expect_column_unique_value_count_to_be_between", {"column": "x", "min_value": 3}),
]


@pytest.mark.parametrize(("type_", "kwargs"), TABLE_RULES)
def test_a_rule_about_the_whole_table_fails_without_keys(tmp_path: Path, type_: str, kwargs: dict[str, Any]) -> None:
    result = checked(tmp_path, type_, kwargs, [{"x": 1}, {"x": 2}], {})
    assert (result.passed, result.evaluated, result.sample_keys) == (False, True, ())
    assert "observed" in result.detail


def test_same_rows_counts_what_either_side_has_more(tmp_path: Path) -> None:
    arguments = {"columns": ["x"], "to_table": "p", "to_columns": ["id"]}
    result = checked(tmp_path, "same_rows", arguments, [{"x": "a"}, {"x": "a"}], PARENTS)
    assert (result.passed, result.unexpected) == (False, 2)


def test_every_registered_type_is_tested_here_or_with_the_notes() -> None:
    tested = {c[0] for c in CASES} | {t for t, _ in TABLE_RULES}
    elsewhere = {"rows_exist", "same_rows", "codes_known", "share_at_most", "field_share_at_most"}
    assert set(RULE_TYPES) == tested | elsewhere


def note(**fields: Any) -> dict[str, Any]:
    blank = {"entity": "customer", "field": "status", "source_system": "crm", "source_table": "accounts"}
    return {**blank, "source_row": 1, "action": "rejected", "reason": "unknown_code", "old_value": "X", **fields}


def noted(folder: Path, type_: str, kwargs: dict[str, Any], notes: Rows, rows: int) -> CheckResult:
    rule = Rule(
        check="c",
        table="notes",
        why="It is what we test.",
        type=type_,
        kwargs=kwargs,
        severity="critical",
        looked_at="dispositions",
    )
    schema = pa.Table.from_pylist([note()]).schema
    pq.write_table(pa.Table.from_pylist(notes, schema=schema), folder / "notes.parquet")
    there = {"source_system": ["crm"] * rows, "source_table": ["accounts"] * rows, "source_row": range(rows)}
    pq.write_table(pa.table(there), folder / "d.parquet")
    (result,) = run_suite(
        Suite(asset="a", rules=(rule,)), {"notes": folder / "notes.parquet", "dispositions": folder / "d.parquet"}
    )
    return result


def test_unknown_codes_are_counted_by_field_with_the_way_to_their_rows(tmp_path: Path) -> None:
    notes = [note(), note(source_row=2), note(source_row=3, old_value="Y"), note(field="kind"), note(reason="late")]
    result = noted(tmp_path, "codes_known", {}, notes, 10)
    assert (result.unexpected, result.rows_checked) == (4, 10)
    assert set(result.sample_keys) == {"crm.accounts#1", "crm.accounts#2", "crm.accounts#3"}
    assert "(customer.status: 3 with 2 different values; customer.kind: 1 with 1 different value)" in result.detail
    assert "`cutover rejected --reason unknown_code --rows`" in result.detail


@pytest.mark.parametrize(
    "hidden",
    [
        note(old_value="Roe, Jane"),
        note(old_value="jane.roe@example.org"),
        note(old_value="+49 170 1234567"),
        note(field="name", old_value="Jane Roe"),
        note(entity="Jane Roe", old_value="Jane Roe"),
        note(old_value="x" * 5_000),
    ],
)
def test_no_code_is_told_whatever_field_it_stands_in(tmp_path: Path, hidden: dict[str, Any]) -> None:
    result = noted(tmp_path, "codes_known", {}, [hidden], 10)
    assert (result.passed, result.unexpected) == (False, 1)
    assert str(hidden["old_value"]) not in f"{result.detail} {result.sample_keys}"


def test_no_notes_over_rows_that_were_looked_at_is_a_pass(tmp_path: Path) -> None:
    assert noted(tmp_path, "codes_known", {}, [], 10).passed


@pytest.mark.parametrize(("noted_rows", "of", "passes"), [(1, 20, True), (2, 20, False), (1, 21, True)])
def test_a_share_is_of_distinct_source_rows(tmp_path: Path, noted_rows: int, of: int, passes: bool) -> None:
    arguments = {"action": "rejected", "of": "dispositions", "percent": 5}
    notes = [note(source_row=n, field=f) for n in range(noted_rows) for f in ("status", "kind")]
    assert noted(tmp_path, "share_at_most", arguments, notes, of).passed is passes


@pytest.mark.parametrize(
    ("fields", "of", "passes"),
    [
        (["status"] * 5, 10, True),
        (["status"] * 6, 10, False),
        (["status"] * 6, 12, True),
        (["status"] * 4, 4, True),
        (["status", "kind"] * 3, 6, True),
    ],
)
def test_a_share_by_field_is_of_one_field_and_not_of_a_handful(
    tmp_path: Path, fields: list[str], of: int, passes: bool
) -> None:
    """More than half of the table's rows, and five at least; two notes on one row are one."""
    arguments = {"action": "set_aside", "of": "dispositions", "percent": 50}
    notes = [note(source_row=n, field=f, action="set_aside") for n, f in enumerate(fields)] * 2
    others = [note(source_row=n, action="cleaned") for n in range(of)]
    elsewhere = [note(source_row=n, action="set_aside", source_table="contacts") for n in range(9)]
    assert noted(tmp_path, "field_share_at_most", arguments, notes + others + elsewhere, of).passed is passes


@pytest.mark.parametrize(("made", "passes"), [(5, False), (7, True)])
def test_a_share_by_field_is_also_of_a_table_that_another_stage_accounts_for(
    tmp_path: Path, made: int, passes: bool
) -> None:
    """A file of contracts whose rows are customers first: here they have rows, and no disposition."""
    there = {"source_system": "shop", "source_table": "contracts"}
    notes = [note(source_row=n, field="ends_at", action="set_aside", **there) for n in range(5)]
    rows = [{**there, "source_row": n} for n in range(made)]
    arguments = {"action": "set_aside", "of": "dispositions", "percent": 75}
    others = {"dispositions": [{"source_system": "shop", "source_table": "plans", "source_row": 0}], "contract": rows}
    assert checked(tmp_path, "field_share_at_most", arguments, notes, others).passed is passes


def test_money_at_stake_is_summed_by_currency(tmp_path: Path) -> None:
    rule = Rule(
        check="c",
        table="t",
        why="It is what we test.",
        type="expect_column_values_to_not_be_null",
        kwargs={"column": "x"},
        severity="critical",
        money=MoneyAtStake(amount="m", currency="c"),
    )
    rows = [{"x": None, "m": 2**62, "c": "EUR"}] * 3 + [{"x": None, "m": 5, "c": "JPY"}, {"x": 1, "m": 7, "c": "EUR"}]
    schema = pa.schema([("x", pa.int64()), ("m", pa.int64()), ("c", pa.string())])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "t.parquet")
    (result,) = run_suite(Suite(asset="a", rules=(rule,)), {"t": tmp_path / "t.parquet"})
    assert result.amount_minor == {"EUR": 3 * 2**62, "JPY": 5}


def test_dates_and_instants_compare_as_what_they_are(tmp_path: Path) -> None:
    rows = [{"s": date(2026, 1, 2), "e": date(2026, 1, 1)}]
    assert checked(tmp_path, "not_before", {"column": "e", "reference": "s"}, rows, {}).unexpected == 1


def test_sums_that_do_not_tie_are_stated_exactly_by_currency_with_the_gap_at_stake(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "m": Decimal("880.3484"), "c": "USD"},
        {"id": "b", "m": Decimal("5.0000"), "c": "USD"},
        {"id": "c", "m": Decimal("7.0000"), "c": "JPY"},
        {"id": "d", "m": Decimal("1.0000"), "c": "USD"},
    ]
    children = [child("a", Decimal("713.796000")), child("b", Decimal("5.100000")), child("d", Decimal("1.000000"))]
    kids = [{**k, "c": "USD"} for k in children] + [child("c", Decimal("6.000000"), "JPY")]
    result = checked(tmp_path, "sums_tie", TIE, rows, {"k": kids})
    assert result.unexpected == 3
    assert "JPY m 7, k.m 6, apart by 1; USD m 885.3484, k.m 718.896, apart by 166.6524" in result.detail


def test_by_how_much_sums_are_apart_can_be_the_money_at_stake(tmp_path: Path) -> None:
    rows = [{"id": "a", "m": 100, "c": "USD"}, {"id": "b", "m": 50, "c": "USD"}, {"id": "c", "m": 9, "c": "EUR"}]
    kids = [child("a", 70, "USD"), child("b", 55, "USD"), child("c", 9)]
    rule = Rule(check="c", table="t", why="It is what we test.", type="sums_tie", kwargs=TIE, severity="warning",
                money=MoneyAtStake(amount="apart", currency="c"))  # fmt: skip
    tables = {"t": parquet(tmp_path, "t", rows), "k": parquet(tmp_path, "k", kids)}
    (result,) = run_suite(Suite(asset="a", rules=(rule,)), tables)
    assert (result.unexpected, dict(result.amount_minor), result.blocks) == (2, {"USD": 35}, False)


def test_a_share_is_told_by_names_of_the_plan_and_never_by_data(tmp_path: Path) -> None:
    rows = [{"rule": "by_mail", "name": "Jane Doe", "x": 6, "y": 9, "z": 5}]
    told = {"part": "x", "whole": "y", "most": "z"}
    said = checked(tmp_path, "column_share_at_most", {**told, "named": "rule"}, rows, {}).detail
    assert "by_mail: 6 of 9 (67 %)" in said
    said = checked(tmp_path, "column_share_at_most", {**told, "named": "name"}, rows, {}).detail
    assert "6 of 9 (67 %)" in said and "Jane" not in said


@pytest.mark.parametrize("limits", [{}, {"percent": 5, "most": "z"}])
def test_a_share_has_one_limit(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="percent or most"):
        RULE_TYPES["column_share_at_most"].model_validate({"part": "x", "whole": "y", **limits})
