"""Where the key figures come from: verdicts and reports of this basis, and the runs that moved the cohort."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg

from migration_assets.control import AssetStatus, Basis, Cohort
from migration_assets.stages.store import Store
from migration_assets.wiring.kpis import kpis_of, run_times
from migration_assets.wiring.views import kpis_in_words

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLANNED = tuple(Cohort(name, 0, 0, 1, 1) for name in ("pilot", "rest"))


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


def figures(folder: Path, stages: list[Any], snapshot: str = "snap", *runs: Any, told: str = "told") -> dict[str, Any]:
    store = Store(folder)
    place = store.folder("reconciliation", "pilot")
    place.mkdir(parents=True)
    sources = [{"table": "a", "read": 10, "loaded": 8, "rejected": 1}, {"table": "b", "read": 10, "loaded": 9,
               "rejected": 1}]  # fmt: skip
    report = {"snapshot": snapshot, "run_id": told, "sources": sources}
    (place / "report.json").write_text(json.dumps(report), encoding="utf-8")
    record = SimpleNamespace(snapshot="snap", as_of=NOW)
    control = SimpleNamespace(
        current_record=lambda plan: record, status=lambda *_: tuple(stages), cohorts=lambda _: PLANNED
    )
    workspace: Any = SimpleNamespace(
        store=store,
        control=control,
        plan=SimpleNamespace(name="tiny"),
        basis_of=lambda record: Basis(record.snapshot, "d", record.as_of),
    )
    return kpis_of(workspace, instance(*runs), ["pilot"], NOW + timedelta(minutes=30))


def test_rows_checks_and_time_of_the_run_that_moved_the_cohort(tmp_path: Path) -> None:
    stages = [stage("loaded_target", "moved"), stage("reconciliation", "nightly", failing=("one",))]
    found = figures(tmp_path, stages, "snap", run("moved", 0, 60), run("nightly", 300, 900), told="nightly")
    assert found["left_out"] == ["rest"]
    assert found["overall"] == found["cohorts"]["pilot"] == {
        "rows_read": 20, "rows_loaded": 17, "rows_rejected": 2, "records_per_minute": 17.0,
        "error_rate_percent": 10.0, "checks_run": 20, "checks_passed": 19, "validation_success_percent": 95.0,
        "duration_seconds": 60.0, "counted_from": "2026-01-01T12:15:00+00:00",
        "counted_until": "2026-01-01T12:15:00+00:00",
    }  # fmt: skip


def test_a_report_of_another_snapshot_and_stale_verdicts_do_not_count(tmp_path: Path) -> None:
    found = figures(tmp_path, [stage("loaded_target", "moved", "stale")], "older", run("moved", 0, 60))["overall"]
    assert (found["rows_read"], found["checks_run"], found["duration_seconds"]) == (None, 0, None)


def test_a_run_that_is_still_going_has_lasted_until_now() -> None:
    later = NOW + timedelta(seconds=90)
    known = instance(run("going", 30, None), run("queued", None, None), run("other", 0, 1))
    assert run_times(known, {"going", "queued", "gone"}, later) == {"going": (NOW + timedelta(seconds=30), later)}
    assert run_times(known, set(), later) == {}


def test_rows_that_an_earlier_run_counted_are_told_apart_from_those_of_the_last(tmp_path: Path) -> None:
    """The last run stopped before its reconciliation; the report lies there from the day before."""
    stages = [stage("loaded_target", "now", "failed"), stage("reconciliation", "before")]
    found = figures(tmp_path, stages, "snap", run("before", 0, 60), run("now", 600, 660), told="before")
    pilot = found["cohorts"]["pilot"]
    assert (pilot["counted_from"], pilot["counted_until"]) == ("2026-01-01T12:01:00+00:00", "2026-01-01T12:11:00+00:00")
    said = kpis_in_words(found)
    assert len(said) == 2
    assert "earlier run than checks" in said[0] and said[0].endswith("pilot.")
    assert "not part of this" in said[1] and said[1].endswith("rest.")


def test_a_cohort_that_was_loaded_and_not_reconciled_yet_has_not_loaded_nothing(tmp_path: Path) -> None:
    found = figures(tmp_path, [stage("loaded_target", "now")], "older", run("now", 0, 60))
    pilot = found["cohorts"]["pilot"]
    assert pilot["rows_loaded"] is None and pilot["records_per_minute"] is None and pilot["checks_run"] == 10
    said = kpis_in_words(found)
    assert [s for s in said if "Not reconciled yet" in s and s.endswith("pilot.")]
    assert not [s for s in said if "Nothing was counted yet" in s]


def test_a_cohort_of_which_nothing_is_known_is_named(tmp_path: Path) -> None:
    found = figures(tmp_path, [], "older")
    assert [s for s in kpis_in_words(found) if "Nothing was counted yet" in s and "pilot" in s]
