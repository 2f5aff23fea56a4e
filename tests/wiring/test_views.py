"""What the command line says of a reconciliation and of where the cohorts stand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from migration_assets.stages.store import Store
from migration_assets.wiring.execute import PhaseResult
from migration_assets.wiring.views import reconciliation_of


def workspace(folder: Path, **reports: dict[str, Any]) -> Any:
    """A plan of which each named cohort has a stored report."""
    store = Store(folder)
    for cohort, report in reports.items():
        place = store.folder("reconciliation", cohort)
        place.mkdir(parents=True)
        (place / "report.json").write_text(json.dumps(report), encoding="utf-8")
    control = SimpleNamespace(current_record=lambda plan: SimpleNamespace(snapshot="snap"))
    return SimpleNamespace(store=store, control=control, plan=SimpleNamespace(name="tiny"))


def report(cohort: str, run_id: str, **changes: Any) -> dict[str, Any]:
    return {"ok": True, "snapshot": "snap", "run_id": run_id, "cohort": cohort, "unexplained": 0, **changes}


def result(**changes: Any) -> PhaseResult:
    given = {"ok": True, "stopped_at": None, "reason": None, "failed_checks": (), "rows_written": 0, "run_id": "today"}
    return PhaseResult(**{**given, **changes})


def test_the_report_of_this_run_counts(tmp_path: Path) -> None:
    found = reconciliation_of(workspace(tmp_path, pilot=report("pilot", "today")), {"pilot": result()})
    assert found == {
        "ok": True, "snapshot": "snap", "cohorts": [{"run_id": "today", "cohort": "pilot", "unexplained": 0}],
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
