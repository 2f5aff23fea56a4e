"""Where the key figures come from: verdicts and reports of this basis, and the runs that moved the cohort."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg

from migration_assets.control import AssetStatus, Basis
from migration_assets.stages.store import Store
from migration_assets.wiring.kpis import kpis_of, run_times

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def stage(asset: str, run_id: str, state: Any = "passed", checks: int = 10, failing: tuple[Any, ...] = ()) -> Any:
    return AssetStatus("pilot", asset, state, checks, 1, failing, NOW, run_id)


def run(run_id: str, started: int | None, ended: int | None) -> Any:
    """A run as Dagster's history has it, in seconds after noon."""
    at = NOW.timestamp()
    return SimpleNamespace(
        dagster_run=SimpleNamespace(run_id=run_id),
        start_time=None if started is None else at + started,
        end_time=None if ended is None else at + ended,
    )


def instance(*runs: Any) -> Any:
    def records(wanted: dg.RunsFilter) -> list[Any]:
        return [r for r in runs if r.dagster_run.run_id in (wanted.run_ids or ())]

    return SimpleNamespace(get_run_records=records)


def figures(folder: Path, stages: list[Any], snapshot: str = "snap", *runs: Any) -> dict[str, Any]:
    store = Store(folder)
    place = store.folder("reconciliation", "pilot")
    place.mkdir(parents=True)
    sources = [{"table": "a", "read": 10, "loaded": 8, "rejected": 1}, {"table": "b", "read": 10, "loaded": 9,
               "rejected": 1}]  # fmt: skip
    (place / "report.json").write_text(json.dumps({"snapshot": snapshot, "sources": sources}), encoding="utf-8")
    record = SimpleNamespace(snapshot="snap", as_of=NOW)
    control = SimpleNamespace(current_record=lambda plan: record, status=lambda *_: tuple(stages))
    workspace: Any = SimpleNamespace(
        store=store,
        control=control,
        plan=SimpleNamespace(name="tiny"),
        basis=lambda snapshot, as_of: Basis(snapshot, "d", as_of),
    )
    return kpis_of(workspace, instance(*runs), ["pilot"], NOW + timedelta(minutes=30))


def test_rows_checks_and_time_of_the_run_that_moved_the_cohort(tmp_path: Path) -> None:
    stages = [stage("loaded_target", "moved"), stage("reconciliation", "nightly", failing=("one",))]
    found = figures(tmp_path, stages, "snap", run("moved", 0, 60), run("nightly", 300, 900))
    assert found["overall"] == found["cohorts"]["pilot"] == {
        "rows_read": 20, "rows_loaded": 17, "rows_rejected": 2, "records_per_minute": 17.0,
        "error_rate_percent": 10.0, "checks_run": 20, "checks_passed": 19, "validation_success_percent": 95.0,
        "duration_seconds": 60.0,
    }  # fmt: skip


def test_a_report_of_another_snapshot_and_stale_verdicts_do_not_count(tmp_path: Path) -> None:
    found = figures(tmp_path, [stage("loaded_target", "moved", "stale")], "older", run("moved", 0, 60))["overall"]
    assert (found["rows_read"], found["checks_run"], found["duration_seconds"]) == (0, 0, None)


def test_a_run_that_is_still_going_has_lasted_until_now() -> None:
    later = NOW + timedelta(seconds=90)
    known = instance(run("going", 30, None), run("queued", None, None), run("other", 0, 1))
    assert run_times(known, {"going", "queued", "gone"}, later) == {"going": (NOW + timedelta(seconds=30), later)}
    assert run_times(known, set(), later) == {}
