"""The drill itself, end to end: what is wrong is found by the check that is there for it, and what is right is not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from world import REPOSITORY, command, make_root

from migration_assets.connectors.databases import databases_of
from migration_assets.drill.changes import Alter, Statement, Words
from migration_assets.drill.clean import PLAN, Case, Clean, clean_copy
from migration_assets.drill.heard import Heard
from migration_assets.drill.mutants import mutants_of
from migration_assets.drill.mutate import NO_ROW, tried
from migration_assets.drill.run import in_target, sprung, told
from migration_assets.drill.trap import Trap
from migration_assets.drill.traps import TRAPS

pytestmark = pytest.mark.pipeline
_BY_ID = {t.id: t for t in TRAPS}


def root_of(folder: Path) -> Path:
    root = make_root(folder)
    # A tree that is being worked in may hold more than the reviewed files.
    for file in sorted((REPOSITORY / "plans" / "acme").rglob("*.*")):
        copy = root / "plans" / "acme" / file.relative_to(REPOSITORY / "plans" / "acme")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    return root


@pytest.fixture(scope="module")
def half(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clean]:
    """A clean copy whose cohort has come as far as its customers."""
    root = root_of(tmp_path_factory.mktemp("drill"))
    env = {**os.environ, "CUTOVER_DATABASE_URL": server, "CUTOVER_HOME": str(root / "home")}
    with clean_copy(root, env, 1, lambda _: None, until="cleansed_customers") as clean:
        yield clean
    assert not (root / "home" / PLAN).exists()
    assert not [d for d in databases_of(server) if d.startswith(PLAN)]


def test_a_clean_copy_raises_no_alarm_and_what_is_planted_is_found(half: Clean) -> None:
    assert half.alarms == ()
    found = {name: sprung(half, _BY_ID[name], 1).caught_by for name in ("I21-own-parent", "I22-erased-back")}
    assert found == {
        "I21-own-parent": "cleansed_customers/customer_hierarchy_acyclic",
        "I22-erased-back": "cleansed_customers/customer_erased_is_empty",
    }


def test_a_case_leaves_nothing_behind_in_the_next_one(half: Clean) -> None:
    again = {sprung(half, _BY_ID["I21-own-parent"], seed).caught_by for seed in (1, 2)}
    assert again == {"cleansed_customers/customer_hierarchy_acyclic"}
    file = half.workspace.store.file("cleansed_customers", "drill_01", "customer")
    fresh = half.case().workspace.store.file("cleansed_customers", "drill_01", "customer")
    assert fresh.samefile(file)


def test_a_plan_that_does_not_hold_is_found_before_anything_runs(half: Clean) -> None:
    mutants = {m.id: m for m in mutants_of(half.workspace.plan)}
    outcome = tried(half, mutants["mapping/invoice.csv:invoice.currency:drop"], 1).outcome
    assert outcome.ending == "caught" and str(outcome.caught_by).startswith("plan/")


def test_a_mutant_by_which_nothing_of_the_company_changes_is_told_apart(half: Clean) -> None:
    """Nobody writes the status so; a code that customers have is another matter."""
    mutants = {m.id: m for m in mutants_of(half.workspace.plan)}
    same = tried(half, mutants["codes/account_status.csv:LEAD:drop"], 1)
    assert same.equivalent and same.reason == NO_ROW and same.outcome.ending == "survived"
    other = tried(half, mutants["codes/account_status.csv:Active:drop"], 1)
    assert not other.equivalent


def test_what_finds_no_row_and_what_breaks_is_not_called_found(half: Clean) -> None:
    nowhere = Trap(
        "I30-x", "transformed", "Nothing.", (Alter("customer", {"name": "'x'"}, "false"),), "cleansed_customers"
    )
    assert sprung(half, nowhere, 1).ending == "not_planted"
    gone = Trap("I30-y", "catalog", "Words that are not there.", (Words("plan.yaml", "no such words", ""),))
    assert sprung(half, gone, 1).ending == "not_planted"
    broken = told(half, "I30-z", "transformed", lambda *_: str(1 // 0))
    assert (broken.ending, broken.caught_by) == ("crashed", None) and "ZeroDivisionError" in broken.detail


def test_a_warning_is_enough_where_the_old_system_contradicts_itself(half: Clean) -> None:
    def warned(case: Case, heard: Heard) -> None:
        heard.warnings.append("shadow_billing/forecast_proved")

    found = told(half, "I1-x", "source", warned)
    assert (found.ending, found.caught_by, found.severity) == ("caught", "shadow_billing/forecast_proved", "warning")
    missed = told(half, "I1-x", "transformed", warned)
    assert (missed.ending, missed.severity) == ("survived", None) and "forecast_proved" in missed.detail
    both = told(half, "I1-x", "source", lambda case, heard: warned(case, heard) or "x/y")
    assert (both.caught_by, both.severity) == ("x/y", "blocking")


@pytest.mark.slow
def test_the_command_from_outside(server: str, tmp_path: Path) -> None:
    """One trap that is found before the load, one after it, and a table of the target that nobody changed."""
    root = root_of(tmp_path)
    home = {"CUTOVER_HOME": str(root / "home")}
    answer = command(root, server, "drill", "--json", "--seed", "2", "--only", "I16", "--only", "I6-loaded", **home)
    found = json.loads(answer.out)
    assert {t["id"] for t in found["traps"]} == {t.id for t in TRAPS if t.invariant == "I16"} | {"I6-loaded"}
    caught = {t["id"]: t["caught_by"] for t in found["traps"]}
    assert caught["I6-loaded"] == caught["I16-loaded"] == "reconciliation/target_equals_source"
    assert found["false_alarms"] == 0
    assert answer.exit_code == (0 if all(caught.values()) else 1)
    strange = command(root, server, "drill", "--json", "--only", "I99", **home)
    assert strange.exit_code == 2 and "no trap is called I99" in strange.out


@pytest.mark.slow
def test_a_narrower_comparison_finds_nothing_where_nothing_is_wrong(server: str, tmp_path: Path) -> None:
    """Every table of the target alone, with a change that changes nothing: what is found otherwise is found rightly."""
    root = root_of(tmp_path)
    env = {**os.environ, "CUTOVER_DATABASE_URL": server, "CUTOVER_HOME": str(root / "home")}
    with clean_copy(root, env, 1, lambda _: None) as clean:
        assert clean.alarms == ()
        for table, declared in clean.workspace.plan.target.tables.items():
            key = next(iter(declared.columns))
            nothing = Statement(table, f"UPDATE app.{table} SET {key} = {key}")
            outcome = told(clean, table, "loaded", lambda case, heard, s=nothing: in_target(case, [s], 1, heard))  # type: ignore[misc]
            assert outcome.ending in ("survived", "not_planted"), (table, outcome)
