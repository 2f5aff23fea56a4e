"""What the command line says of a reconciliation and of where the cohorts stand."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.control import AssetStatus, Cohort, FailedCheck
from migration_assets.plan.models import Control
from migration_assets.stages.store import Store
from migration_assets.wiring.execute import PhaseResult, Summary
from migration_assets.wiring.kpis import last_run
from migration_assets.wiring.views import (
    ending_of,
    print_reconciliation,
    print_status,
    print_summary,
    reconciliation_of,
    status_of,
)

COHORTS = ("pilot", "rest")
NO_RUNS: Any = SimpleNamespace(get_run_records=lambda *_, **__: [])
COUNT = Control(measure="contracts", kind="count", source="erp.contracts", target="subscriptions", owner="finance")


def workspace(folder: Path, **reports: dict[str, Any]) -> Any:
    """A plan of which each named cohort has a stored report."""
    store = Store(folder)
    for cohort, report in reports.items():
        place = store.folder("reconciliation", cohort)
        place.mkdir(parents=True)
        (place / "report.json").write_text(json.dumps(report), encoding="utf-8")
    record = SimpleNamespace(snapshot="snap", as_of=None, trial=False)
    control = SimpleNamespace(
        current_record=lambda plan: record,
        cohorts=lambda record: [
            Cohort(name, wave=0, position=i, customers=5, rows=9) for i, name in enumerate(COHORTS)
        ],
        status=lambda *_: (),
    )
    source = SimpleNamespace(may_be_empty=False)
    plan = SimpleNamespace(name="tiny", controls=(COUNT,), source_tables={"erp.contracts": source})
    return SimpleNamespace(
        store=store,
        control=control,
        plan=plan,
        record=lambda: record,
        basis=lambda snapshot, as_of: SimpleNamespace(snapshot=snapshot, as_of=as_of),
        frozen_basis=lambda: record,
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
        "controls_silent": [],
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
        print_reconciliation, reconciliation_of(workspace(tmp_path, **cohorts), {c: result() for c in COHORTS})
    )
    assert "Values defaulted, set aside or rounded, by rule" in said and "defaulted" in said
    assert " 4 " in said and " 0.5 " in said
    assert "control billed EUR is off by 0, 3 values that are no exact number or date" in said
    assert "500 more differences" in said


@pytest.fixture
def held(database: str) -> PostgresTarget:
    """A target with the record of what was loaded."""
    target = PostgresTarget(database)
    with target.transaction() as connection:
        connection.execute("CREATE SCHEMA cutover")
        connection.execute("CREATE TABLE cutover.crosswalk ()")
    return target


def standing(folder: Path, target: PostgresTarget, **states: Any) -> dict[str, Any]:
    """The status of a plan in which every stage has passed but those named; these failed one critical check."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    failed = FailedCheck("tables_there", "critical", True, 1, "one table is gone", {}, False)

    def status(record: Any, cohorts: Any, assets: Any, now: Any) -> tuple[AssetStatus, ...]:
        return tuple(
            AssetStatus(c, a, states.get(a, "passed"), 4, 1, (failed,) if a in states else (), at, "run")
            for c in cohorts for a in assets
        )  # fmt: skip

    found = workspace(folder)
    found.control.status = status
    found.record = lambda: SimpleNamespace(snapshot="snap", as_of=at, trial=False)
    found.target = target
    return status_of(found, NO_RUNS)


def test_status_is_good_when_every_stage_has_passed_or_is_signed_for(tmp_path: Path, held: PostgresTarget) -> None:
    assert standing(tmp_path, held)["ok"] and standing(tmp_path, held, loaded_target="waived")["ok"]


def test_status_notices_that_the_target_is_gone(tmp_path: Path, held: PostgresTarget, database: str) -> None:
    with held.transaction() as connection:
        connection.execute("DROP SCHEMA cutover CASCADE")
    dropped = PostgresTarget(database.replace("/test_", "/gone_"))
    for target in (held, dropped):
        found = standing(tmp_path, target)
        assert not found["ok"] and "holds no record of what was loaded" in printed(print_status, found)
        assert not standing(tmp_path, target, loaded_target="never")["target_lost"], "nothing was loaded into it yet"


def test_status_says_that_the_last_global_phase_failed(tmp_path: Path, held: PostgresTarget) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert last_run(instance, "global_phase") is None
        for outcome in ("good", "bad"):
            job = dg.JobDefinition(name="global_phase", graph_def=graph_of(outcome))
            ran = job.execute_in_process(instance=instance, raise_on_error=False)
            assert last_run(instance, "global_phase") == {
                "run_id": ran.run_id,
                "ok": outcome == "good",
                "ended": last_run(instance, "global_phase")["ended"],  # type: ignore[index]
            }
    found = standing(tmp_path, held) | {"last_global_run": {"run_id": "a1b2c3d4e5", "ok": False, "ended": "today"}}
    assert "last global phase (today) did not come through" in printed(print_status, found)


def graph_of(outcome: str) -> dg.GraphDefinition:
    @dg.op
    def work() -> None:
        if outcome == "bad":
            raise RuntimeError("no")

    return dg.GraphDefinition(name="work_graph", node_defs=[work])


@pytest.mark.parametrize("stage", ["target_schema", "cohort_plan", "loaded_target"])
@pytest.mark.parametrize("state", ["failed", "never", "stale"])
def test_status_is_not_good_where_a_stage_does_not_stand(
    tmp_path: Path, held: PostgresTarget, stage: str, state: str
) -> None:
    assert not standing(tmp_path, held, **{stage: state})["ok"]


def test_status_shows_the_global_phase_and_why_it_failed(tmp_path: Path, held: PostgresTarget) -> None:
    said = printed(print_status, standing(tmp_path, held, target_schema="failed"))
    assert "Global phase" in said and "global target_schema: tables_there: one table is gone" in said


def test_status_shows_the_key_figures_of_each_cohort_and_of_all(tmp_path: Path, held: PostgresTarget) -> None:
    found = standing(tmp_path, held, loaded_target="failed")
    assert set(found["kpis"]["cohorts"]) == set(COHORTS)
    assert found["kpis"]["cohorts"]["pilot"]["checks_run"] == 28
    assert found["kpis"]["overall"]["checks_passed"] == 54
    said = printed(print_status, found)
    assert "Key figures" in said and "96.429" in said


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
