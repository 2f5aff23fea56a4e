"""What the command line says of a reconciliation and of where the cohorts stand."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from migration_assets.control import Cohort
from migration_assets.plan.models import Control
from migration_assets.stages.store import Store
from migration_assets.wiring.results import PhaseResult, Summary
from migration_assets.wiring.stage_names import COHORT_STAGES, GLOBAL_STAGES
from migration_assets.wiring.views import (
    ending_of,
    print_failed_hint,
    print_reconciliation,
    print_summary,
    reconciliation_of,
)

COHORTS = ("pilot", "rest")
NO_RUNS: Any = SimpleNamespace(get_run_records=lambda *_, **__: [])
THERE = SimpleNamespace(check="tables_there", why="What is not there holds nothing.")
COUNT = Control(measure="contracts", kind="count", source="erp.contracts", target="subscriptions", owner="finance")


def workspace(folder: Path, **reports: dict[str, Any]) -> Any:
    """A plan of which each named cohort has a stored report."""
    store = Store(folder)
    for cohort, report in reports.items():
        place = store.folder("reconciliation", cohort)
        place.mkdir(parents=True)
        (place / "report.json").write_text(json.dumps(report), encoding="utf-8")
    record = SimpleNamespace(snapshot="snap", as_of=None, trial=False, plan_digest="d" * 64)
    control = SimpleNamespace(
        current_record=lambda plan: record,
        cohorts=lambda record: [
            Cohort(name, wave=0, position=i, customers=5, rows=9) for i, name in enumerate(COHORTS)
        ],
        status=lambda *_: (),
        at_work=lambda _: frozenset(),
    )
    source = SimpleNamespace(may_be_empty=False)
    plan = SimpleNamespace(
        name="tiny",
        digest="d" * 64,
        controls=(COUNT,),
        source_tables={"erp.contracts": source},
        target=SimpleNamespace(schema_name="app"),
    )
    return SimpleNamespace(
        store=store,
        suites={asset: SimpleNamespace(rules=(THERE,)) for asset in (*GLOBAL_STAGES, *COHORT_STAGES)},
        control=control,
        environment=SimpleNamespace(reports=folder / "reports"),
        plan=plan,
        record=lambda: record,
        basis_of=lambda record: SimpleNamespace(snapshot=record.snapshot, as_of=record.as_of),
    )


def report(cohort: str, run_id: str, **changes: Any) -> dict[str, Any]:
    return {"ok": True, "snapshot": "snap", "run_id": run_id, "cohort": cohort, "unexplained": 0, **changes}


def result(**changes: Any) -> PhaseResult:
    given = {"ok": True, "stopped_at": None, "reason": None, "failed_checks": (), "rows_written": 0, "run_id": "today"}
    return PhaseResult(**{**given, **changes})


def test_the_report_of_this_run_counts(tmp_path: Path) -> None:
    found = reconciliation_of(workspace(tmp_path, pilot=report("pilot", "today")), {"pilot": result()})
    assert found == {
        "ok": True, "plan": "tiny", "snapshot": "snap",
        "cohorts": [{"run_id": "today", "cohort": "pilot", "unexplained": 0}],
        "controls_silent": [], "reports": str(tmp_path / "reports"),
    }  # fmt: skip


def test_a_report_with_findings_is_shown_though_its_critical_check_failed(tmp_path: Path) -> None:
    off = report("pilot", "today", ok=False, unexplained=3)
    failed = result(ok=False, stopped_at="reconciliation", failed_checks=("reconciliation.nothing_missing",))
    found = reconciliation_of(workspace(tmp_path, pilot=off), {"pilot": failed})
    assert not found["ok"] and found["cohorts"][0]["unexplained"] == 3


@pytest.mark.parametrize(
    ("went", "said"),
    [
        ({"ok": False, "stopped_at": "reconciliation", "reason": "cohort `pilot` may not go on"}, "may not go on"),
        ({"ok": False, "stopped_at": "reconciliation", "reason": "the server went away"}, "went away"),
        ({"ok": False, "stopped_at": "loaded_target", "reason": None}, "stopped at loaded_target"),
        ({"ok": False, "stopped_at": None, "reason": "the process died", "run_id": None}, "died"),
        ({"ok": False, "stopped_at": "reconciliation", "reason": None}, "no report of this run"),
        ({"run_id": "today"}, "no report of this run"),
    ],
)
def test_an_old_report_is_not_shown_as_todays(tmp_path: Path, went: dict[str, Any], said: str) -> None:
    found = reconciliation_of(workspace(tmp_path, pilot=report("pilot", "yesterday")), {"pilot": result(**went)})
    (cohort,) = found["cohorts"]
    assert not found["ok"] and set(cohort) == {"cohort", "error"} and said in cohort["error"]


def test_a_cohort_without_any_report_is_an_error(tmp_path: Path) -> None:
    found = reconciliation_of(workspace(tmp_path), {"pilot": result()})
    assert not found["ok"] and "no report" in found["cohorts"][0]["error"]


def both(folder: Path, seen: int) -> Any:
    """A plan whose control saw so many rows in the second cohort, and none in the first."""
    controls = [[{"measure": "contracts", "source_rows": n, "target_rows": n}] for n in (0, seen)]
    reports = {c: report(c, "today", controls=k) for c, k in zip(COHORTS, controls, strict=True)}
    return workspace(folder, **reports)


def test_a_control_that_saw_nothing_in_all_cohorts_is_a_finding(tmp_path: Path) -> None:
    silent = both(tmp_path, seen=0)
    everybody = {c: result() for c in COHORTS}
    found = reconciliation_of(silent, everybody)
    assert not found["ok"] and [c["measure"] for c in found["controls_silent"]] == ["contracts"]
    ending = ending_of(silent, NO_RUNS, Summary(global_phase=result(), cohorts=everybody))
    assert not ending["ok"] and ending["controls_silent"] == found["controls_silent"]
    assert "control contracts saw no row of erp.contracts" in printed(print_reconciliation, found)


def test_a_control_that_saw_a_row_in_one_cohort_is_none(tmp_path: Path) -> None:
    found = reconciliation_of(both(tmp_path, seen=1), {c: result() for c in COHORTS})
    assert found["ok"] and found["controls_silent"] == []


def test_one_cohort_alone_says_nothing_about_silence(tmp_path: Path) -> None:
    assert reconciliation_of(both(tmp_path, seen=0), {"pilot": result()})["ok"]


def printed(show: Any, found: dict[str, Any]) -> str:
    out = Console(file=io.StringIO(), width=200)
    show(out, found)
    return out.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(("stopped", "said"), [(False, "stop nothing"), (True, "not good")])
def test_checks_that_only_warn_are_called_warnings(stopped: bool, said: str) -> None:
    figures = {"checks_run": 40, "checks_passed": 37}
    told = printed(lambda out, f: print_failed_hint(out, f, stopped=stopped), figures)
    assert told.startswith("3 results of checks are") and said in told and ("warnings" in told) != stopped
    assert printed(lambda out, f: print_failed_hint(out, f, stopped=stopped), figures | {"checks_passed": 40}) == ""


def test_what_was_changed_left_out_or_could_not_be_read_is_printed(tmp_path: Path) -> None:
    change = {
        "table": "erp.contracts", "field": "subscription.status", "action": "defaulted", "rule": "code", "reason": "x",
    }  # fmt: skip
    off = {"measure": "billed", "kind": "sum", "currency": "EUR", "difference": "0", "unreadable": 3}
    line = {"kind": "missing", "table": "subscriptions", "key": "k", "column": ""}
    cohorts = {
        c: report(c, "today", changes=[{**change, "rows": 2, "rounded_minor": "0.25"}], controls_off=[off],
                  differences=[line], differences_total=501, ok=False)
        for c in COHORTS
    }  # fmt: skip
    said = printed(
        print_reconciliation,
        reconciliation_of(
            workspace(tmp_path, **cohorts), {c: result(aftermath="its rows are hidden") for c in COHORTS}
        ),
    )
    assert "pilot: its rows are hidden" in said
    assert "Values defaulted, set aside or rounded, by rule" in said and "defaulted" in said
    assert " 4 " in said and " 0.5 " in said
    assert "control billed EUR is off by 0, 3 values that are no exact number or date" in said
    assert "500 more differences" in said


@pytest.mark.parametrize(("removed", "said"), [((0, 2), "2 rows were removed"), ((0, 0), "")])
def test_rows_that_left_with_the_source_are_said_with_their_cohort(removed: tuple[int, int], said: str) -> None:
    cohorts = {name: result(rows_written=9, rows_removed=n) for name, n in zip(COHORTS, removed, strict=True)}
    summary = Summary("snap", "now", result(), cohorts)
    text = io.StringIO()
    print_summary(Console(file=text, width=150), summary)
    assert ("removed" in text.getvalue()) == bool(said) and said in text.getvalue()
    assert "rest 2" in text.getvalue() or not said
    found = summary.to_json("tiny")
    assert (found["rows_removed"], [c["rows_removed"] for c in found["cohorts"]]) == (sum(removed), list(removed))


def test_totals_that_are_the_same_on_both_sides_are_counted_and_the_others_listed(tmp_path: Path) -> None:
    amounts = {f"{a}_minor": "0" for a in ("source", "rejected", "excluded", "waived", "target", "difference")}
    same = [{**amounts, "measure": f"m{n}", "currency": "EUR", "source_minor": "5", "target_minor": "5"} for n in "ab"]
    less = {**amounts, "measure": "lost", "currency": "EUR", "source_minor": "7", "rejected_minor": "7"}
    for money, said, unsaid in (
        ([*same, less], "2 others are the same on both sides", "ma"),
        (same, "2 control totals are the same on both sides", "Control totals in minor units"),
    ):
        folder = tmp_path / str(len(money))
        found = reconciliation_of(workspace(folder, pilot=report("pilot", "today", money=money)), {"pilot": result()})
        told = printed(print_reconciliation, found)
        assert said in told and unsaid not in told
        assert ("lost" in told) == (less in money)
