"""Mechanical mutants: every row, value and column has its own, each says something else than the plan does."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

from migration_assets.drill.changes import Statement, WholeFile
from migration_assets.drill.mutants import drawn, mutants_of
from migration_assets.drill.mutants.csv_text import rows_of
from migration_assets.plan.load import load_plan

ACME = load_plan(Path(__file__).resolve().parents[2] / "plans" / "acme")
MUTANTS = mutants_of(ACME)


@cache
def ids(place: str) -> frozenset[str]:
    return frozenset(m.id for m in MUTANTS if m.place == place)


def test_no_two_have_one_name() -> None:
    assert [n for n, times in Counter(m.id for m in MUTANTS).items() if times > 1] == []


def test_every_row_of_the_mapping_is_dropped_and_given_a_fixed_value() -> None:
    for row in ACME.mapping:
        where = f"mapping/{row.entity}.csv:{row.feed}.{row.field}"
        assert {f"{where}:drop", f"{where}:fixed_value"} <= ids("mapping")


def test_money_is_read_in_another_unit_and_rounded_otherwise() -> None:
    money = [r for r in ACME.mapping if r.rule == "money"]
    assert money
    for row in money:
        where = f"mapping/{row.entity}.csv:{row.feed}.{row.field}"
        assert {f"{where}:other_unit", f"{where}:other_rounding"} <= ids("mapping")


def test_every_code_leads_elsewhere_or_nowhere() -> None:
    for file in sorted((ACME.folder / "codes").glob("*.csv")):
        rows = rows_of(file)
        several = len({r["target"] for r in rows}) > 1
        for row in rows:
            wanted = {f"codes/{file.name}:{row['code']}:drop"}
            if several:
                wanted.add(f"codes/{file.name}:{row['code']}:other_target")
            assert wanted <= ids("codes")


def test_every_column_of_the_target_has_one() -> None:
    columns = {f"target:{table}.{c}" for table, t in ACME.target.tables.items() for c in t.columns}
    assert ids("target") == columns
    assert all(isinstance(m.change, Statement) for m in MUTANTS if m.place == "target")


def test_every_price_of_the_catalog_has_one() -> None:
    wanted = {f"catalog.yaml:prices.{i}.unit_price" for i in range(len(ACME.catalog.prices))}
    assert wanted <= ids("catalog")


def test_a_changed_file_is_another_file() -> None:
    for mutant in MUTANTS:
        if isinstance(mutant.change, WholeFile) and mutant.change.file.endswith(".csv"):
            before = rows_of(ACME.folder / mutant.change.file)
            assert before and mutant.change.text.count("\n") > 0
            file = ACME.folder / mutant.change.file
            assert mutant.change.text != file.read_text(encoding="utf-8"), mutant.id


def test_a_draw_is_by_seed() -> None:
    assert [m.id for m in drawn(MUTANTS, 1, 40)] == [m.id for m in drawn(MUTANTS, 1, 40)]
    assert {m.id for m in drawn(MUTANTS, 1, 40)} != {m.id for m in drawn(MUTANTS, 2, 40)}
    assert len(drawn(MUTANTS, 1, None)) == len(MUTANTS) and drawn(MUTANTS, 1, 0) == []
    assert {m.place for m in drawn(MUTANTS, 1, 200)} == {"mapping", "codes", "catalog", "target"}
