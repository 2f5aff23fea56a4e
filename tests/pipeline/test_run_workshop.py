"""Orders that a sheet keeps as text in one cell, all the way to a table of orders, in the order of a working day."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from world import REPOSITORY, World, change, command, make_root, opened

from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

COHORT = "everybody_01"
ORDERS = "select order_number, total_minor, currency, status, ordered_on::text from workshop.orders order by 1"
UNREADABLE = "bell for free, spring 2023"


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sheet")
    return Path(shutil.copy(REPOSITORY / "plans/workshop/sample/customers.tsv", folder))


@pytest.fixture(scope="module")
def workshop(server: str, sheet: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = make_root(tmp_path_factory.mktemp("workshop"))
    shutil.copytree(REPOSITORY / "plans/workshop", root / "plans/workshop")
    with opened(root, "workshop", server, {"WORKSHOP_DIR": str(sheet.parent)}) as world:
        yield world


@pytest.fixture(scope="module")
def first(workshop: World) -> Summary:
    return workshop.migrate()


def sources(world: World) -> dict[str, tuple[int, ...]]:
    """(read, loaded, rejected, unexplained of all) of each table of the cohort."""
    report = world.report(COHORT)
    return {
        row["table"]: (row["read"], row["loaded"], row["rejected"], report["unexplained"]) for row in report["sources"]
    }


def ids(world: World) -> dict[str, str]:
    return dict(world.target("select order_number, order_id::text from workshop.orders"))


def test_every_entry_is_an_order_or_is_rejected_and_the_sums_tie(workshop: World, first: Summary) -> None:
    assert first.ok, first.to_json("workshop")
    assert sources(workshop) == {"sheet.customers": (12, 12, 0, 0), "sheet.orders": (19, 18, 1, 0)}
    rows = workshop.target(ORDERS)
    assert len(rows) == 18
    assert rows[0] == ("W-0871", 1200, "EUR", "fulfilled", "2022-09-30")
    assert ("W-1015", 64000, "EUR", "confirmed", "2024-06-17") in rows
    assert ("W-1009", 4550, "EUR", "cancelled", "2024-03-11") in rows
    assert ("W-1012", 2500, "CHF", "fulfilled", "2024-04-20") in rows
    controls = {(c["measure"], c["currency"]): c["target_rows"] for c in workshop.report(COHORT)["controls"]}
    assert {p: n for p, n in controls.items() if p[0] == "ordered"} == {("ordered", "EUR"): 17, ("ordered", "CHF"): 1}
    assert workshop.report(COHORT)["controls_off"] == []


def test_each_order_hangs_on_the_customer_in_whose_cell_it_stood(workshop: World, first: Summary) -> None:
    tied = "workshop.orders join workshop.customers using (customer_id)"
    found = workshop.target(f"select order_number from {tied} where customer_number = '8' order by 1")
    assert [number for (number,) in found] == ["W-0998", "W-0999", "W-1001"]
    assert workshop.target(f"select count(*) from {tied}") == [(18,)]


def test_what_is_no_order_is_rejected_with_its_reason_and_its_text_is_kept(workshop: World, first: Summary) -> None:
    folder = workshop.workspace.store.folder("transformed_billing", COHORT)
    (claim,) = (r for r in pq.read_table(folder / "dispositions.parquet").to_pylist() if r["disposition"] == "rejected")
    assert (claim["source_table"], claim["source_id"], claim["rule"]) == ("orders", "6/2", "entry_unreadable")
    notes = pq.read_table(folder / "notes.parquet").to_pylist()
    rejected = [(n["source_id"], n["reason"], n["old_value"]) for n in notes if n["action"] == "rejected"]
    assert rejected == [("6/2", "entry_unreadable", UNREADABLE)], "and nothing is said of fields it cannot have"
    golden = pq.read_table(workshop.workspace.store.golden_file(str(_snapshot(workshop)), "sheet.customers"))
    assert [text for text in golden["Orders"].to_pylist() if UNREADABLE in (text or "")], "the cell stays as it was"
    report = workshop.report(COHORT)
    assert UNREADABLE not in str(report)


def test_a_second_run_writes_nothing(workshop: World, first: Summary) -> None:
    again = workshop.migrate()
    assert again.ok and again.rows_written == 0


def test_an_edit_of_the_text_adds_changes_and_takes_away_just_those_rows(
    workshop: World, first: Summary, sheet: Path
) -> None:
    before = ids(workshop)
    change(sheet, "W-1014 2024-05-02", "W-1016 2024-06-20 15.00 EUR; W-1014 2024-05-02")
    change(sheet, "45.50 EUR cancelled", "54.50 EUR")
    change(sheet, "W-1013 2024-04-28 310.00 EUR: wheel, built anew", "")
    change(sheet, UNREADABLE, "W-0950 2023-05-01 0.00 EUR: bell for free")
    done = workshop.migrate(new_snapshot="true")
    assert done.ok and done.rows_written == 4, done.to_json("workshop")
    rows, after = {r[0]: r[1:] for r in workshop.target(ORDERS)}, ids(workshop)
    assert rows["W-1009"] == (5450, "EUR", "fulfilled", "2024-03-11")
    assert set(after) - set(before) == {"W-1016", "W-0950"} and set(before) - set(after) == {"W-1013"}
    assert {n: i for n, i in after.items() if n in before} == {n: i for n, i in before.items() if n in after}
    assert sources(workshop)["sheet.orders"] == (19, 19, 0, 0)


def test_a_cut_that_loses_something_stops_before_anything_is_built_on_it(
    workshop: World, first: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    from migration_assets.stages.golden_copy import entries

    present = _snapshot(workshop)
    whole: Callable[..., Any] = entries.entries_of
    monkeypatch.setattr(entries, "entries_of", lambda rows, cut: whole(rows, cut).filter(lambda t: t.position < 3))
    failed = workshop.migrate(new_snapshot="true")
    assert failed.global_phase.stopped_at == "golden_copy"
    assert "sheet_orders_entries_whole" in str(failed.global_phase.failed_checks)
    assert _snapshot(workshop) == present


def test_another_pattern_asks_for_a_new_snapshot(workshop: World, first: Summary, server: str, sheet: Path) -> None:
    plan = workshop.workspace.root / "plans/workshop/plan.yaml"
    change(plan, "W-\\d+", "[VW]-\\d+")
    refused = workshop.reopened().migrate()
    assert refused.global_phase.stopped_at == "golden_copy" and "--new-snapshot" in str(refused.global_phase.reason)
    asked = {"WORKSHOP_DIR": str(sheet.parent)}
    checked = command(workshop.workspace.root, server, "check", "--plan", "workshop", **asked)
    assert checked.exit_code == 0 and "not checked in sheet.orders" in checked.out.replace("\n", " ")
    change(plan, "[VW]-\\d+", "W-\\d+")


def test_a_fault_of_the_declaration_is_told_with_its_place(workshop: World, server: str, sheet: Path) -> None:
    plan = workshop.workspace.root / "plans/workshop/plan.yaml"
    change(plan, "          column: Orders\n", "          column: Order\n")
    asked = {"WORKSHOP_DIR": str(sheet.parent)}
    told = command(workshop.workspace.root, server, "check", "--plan", "workshop", **asked)
    said = (told.out + told.err).replace("\n", " ")
    assert told.exit_code == 2 and "did you mean 'Orders'?" in said
    assert "plan.yaml:31" in said and "sources.sheet.tables.orders.split.column" in said
    change(plan, "          column: Order\n", "          column: Orders\n")


def _snapshot(world: World) -> str | None:
    return world.workspace.store.current_snapshot()
