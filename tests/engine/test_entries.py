"""Entries of a text as rows: where they begin and end, which number they have, what a pattern reads of them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from plan_in_code import raw_rows

from migration_assets.domain.patterns import unnamed
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.entries import Cut, entries_of

ORDER = r"(?i)(SO-\d+) (\d{4}-\d\d-\d\d)(?: for (.*))?"
GROUPS = {"number": 1, "day": 2, "price": 3}


def cut_up(engine: DuckDBEngine, *texts: str | None, **how: Any) -> list[tuple[Any, ...]]:
    """(id, position, entry, ...) of the entries of rows that are numbered from one, in that order."""
    rows = raw_rows(engine, *({"id": str(n), "history": text} for n, text in enumerate(texts, start=1)))
    made = entries_of(rows, Cut("history", keep=["id"], **{"separator": ";", **how}))
    return [tuple(row.values()) for row in engine.arrow(made.order_by(["id", "position"])).to_pylist()]


def test_each_entry_is_a_row_with_its_place(engine: DuckDBEngine) -> None:
    assert cut_up(engine, "a; b ;c", "d") == [("1", 1, "a"), ("1", 2, "b"), ("1", 3, "c"), ("2", 1, "d")]


def test_blank_entries_make_no_row_and_take_no_place(engine: DuckDBEngine) -> None:
    assert cut_up(engine, None, "", " \u00a0;\t; a;; b;") == [("3", 1, "a"), ("3", 2, "b")]


def test_where_the_newest_stands_first_a_new_one_renumbers_no_other(engine: DuckDBEngine) -> None:
    before = cut_up(engine, "b;a", newest_first=True)
    after = cut_up(engine, "c;b;a", newest_first=True)
    assert before == [("1", 1, "a"), ("1", 2, "b")]
    assert after == [*before, ("1", 3, "c")]


@pytest.mark.parametrize("separator", ["\n", " | ", "||", ".", "\\", "'", "→"])
def test_a_separator_is_taken_as_it_is_written(engine: DuckDBEngine, separator: str) -> None:
    assert [e for _, _, e in cut_up(engine, f"a b{separator}c+d", separator=separator)] == ["a b", "c+d"]


def test_a_line_of_windows_ends_like_any_other(engine: DuckDBEngine) -> None:
    assert [e for _, _, e in cut_up(engine, "a\r\nb\r\n", separator="\n")] == ["a", "b"]


def test_a_pattern_reads_the_whole_entry_or_nothing_of_it(engine: DuckDBEngine) -> None:
    text = "SO-1 2024-01-02 for 5.00; so-2 2024-01-03;SO-3 2024-01-04 for ; lost SO-4 2024-01-05;SO-5 2024-01-06\nx"
    assert [row[2:] for row in cut_up(engine, text, pattern=ORDER, groups=GROUPS)] == [
        ("SO-1 2024-01-02 for 5.00", True, "SO-1", "2024-01-02", "5.00"),
        ("so-2 2024-01-03", True, "so-2", "2024-01-03", None),
        ("SO-3 2024-01-04 for", False, None, None, None),
        ("lost SO-4 2024-01-05", False, None, None, None),
        ("SO-5 2024-01-06\nx", False, None, None, None),
    ]


def test_alternatives_are_read_as_one_pattern(engine: DuckDBEngine) -> None:
    found = cut_up(engine, "a1;b2;a1b2", pattern="a(1)|b(2)", groups={"a": 1, "b": 2})
    assert [row[3:] for row in found] == [(True, "1", None), (True, None, "2"), (False, None, None)]


def test_nothing_is_lost_of_any_text(engine: DuckDBEngine) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    letters = random.Random(seed)
    texts = ["".join(letters.choice("ab;; \n\u3000é") for _ in range(letters.randrange(30))) for _ in range(200)]
    together: dict[str, str] = {}
    for number, position, entry in cut_up(engine, *texts):
        assert entry == entry.strip() != ""
        assert position == 1 or number in together
        together[number] = together.get(number, "") + entry
    whole = {str(n): "".join(t.replace(";", "").split()) for n, t in enumerate(texts, start=1)}
    assert {n: "".join(t.split()) for n, t in together.items()} == {n: t for n, t in whole.items() if t}


def test_a_pattern_may_have_more_groups_than_an_engine_numbers(engine: DuckDBEngine) -> None:
    fields = [*"abcdefghijk"]
    pattern, groups = unnamed(r"(?i)x(?:-)" + "".join(rf"(?P<{f}>{f}|[(]|\()" for f in fields) + r"(z)?(?P<last>\d)")
    assert (groups["j"], groups["last"]) == (10, 13)
    read = cut_up(engine, "X-abcdefghijk7;x-(((((((((((z8;x-abcdefghijk", pattern=pattern, groups=groups)
    assert [row[3:] for row in read] == [(True, *fields, "7"), (True, *["("] * 11, "8"), (False, *[None] * 12)]
