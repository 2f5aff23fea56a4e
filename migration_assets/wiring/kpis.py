"""What the key figures are made of: stored verdicts, stored reports, and the times of Dagster's runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from migration_assets.control.kpis import Interval, Kpis, Measured, kpis
from migration_assets.wiring.reports import stored_report
from migration_assets.wiring.stage_names import AFTER_LOAD, COHORT_STAGES

if TYPE_CHECKING:
    from migration_assets.control import AssetStatus, Basis
    from migration_assets.wiring.call import StageCall
    from migration_assets.wiring.workspace import Workspace


def kpis_of(
    workspace: Workspace, instance: dg.DagsterInstance, cohorts: Sequence[str], now: datetime
) -> dict[str, Any]:
    """Figures of each of these cohorts and of all of them, and the plan's cohorts that are not among them:
    `{"overall": ..., "cohorts": {name: ...}, "left_out": [name]}`."""
    record = workspace.control.current_record(workspace.plan.name)
    basis = workspace.basis_of(record) if record else None
    each = measured(workspace, instance, basis, cohorts, now) if basis else {}
    planned = workspace.control.cohorts(record) if record else ()
    return {
        "overall": kpis(each.values()).to_json(),
        "cohorts": {name: kpis([one]).to_json() for name, one in each.items()},
        "left_out": [c.name for c in planned if c.name not in cohorts],
    }


def kpi_metadata(call: StageCall) -> dict[str, Any]:
    """The cohort's figures up to now, those that are numbers, which Dagster plots over time."""
    now = datetime.now(UTC)
    each = measured(call.workspace, call.instance, call.basis, [call.partition], now)
    return _named(kpis(each.values()))


def _named(figures: Kpis) -> dict[str, Any]:
    return {
        name.replace("_", " "): value for name, value in figures.to_json().items() if isinstance(value, int | float)
    }


def measured(
    workspace: Workspace, instance: dg.DagsterInstance, basis: Basis, cohorts: Sequence[str], now: datetime
) -> dict[str, Measured]:
    """What is known of each cohort on this basis; what stands on another snapshot or plan is left out."""
    found = workspace.control.status(basis, cohorts, COHORT_STAGES, now)
    current = [s for s in found if s.state not in ("never", "stale")]
    reports = {c: stored_report(workspace.store, c) for c in cohorts}
    known = {s.run_id for s in current} | {r["run_id"] for r in reports.values() if "run_id" in r}
    times = run_times(instance, known, now)
    return {c: _measured(basis, reports[c], [s for s in current if s.cohort == c], times) for c in cohorts}


def _measured(
    basis: Basis, report: Mapping[str, Any], stages: Sequence[AssetStatus], times: Mapping[str, Interval]
) -> Measured:
    told = report if report.get("snapshot") == basis.snapshot else {}
    sources, counted = told.get("sources", []), str(told.get("run_id", ""))
    # A later comparison moves nothing, so its time is none of the migration's.
    runs = {s.run_id for s in stages if s.asset not in AFTER_LOAD}
    return Measured(
        **{f"rows_{n}": sum(s[n] for s in sources) for n in ("read", "loaded", "rejected") if told},
        checks_run=sum(s.checks for s in stages),
        checks_passed=sum(s.checks - len(s.failing) for s in stages),
        runs=tuple(times[r] for r in sorted(runs) if r in times),
        rows_at=times[counted][1] if counted in times else None,
        checks_at=max((times[s.run_id][1] for s in stages if s.run_id in times), default=None),
    )


def run_times(instance: dg.DagsterInstance, runs: Collection[str], now: datetime) -> dict[str, Interval]:
    """Start and end of runs in Dagster's history; one that is still going has lasted until now."""
    if not runs:
        return {}
    found = {}
    for record in instance.get_run_records(dg.RunsFilter(run_ids=list(runs))):
        if record.start_time is not None:
            end = now if record.end_time is None else datetime.fromtimestamp(record.end_time, UTC)
            found[record.dagster_run.run_id] = (datetime.fromtimestamp(record.start_time, UTC), end)
    return found


def last_run(instance: dg.DagsterInstance, job: str) -> dict[str, Any] | None:
    """The last finished run of a job in Dagster's history: run_id, ok, ended (ISO 8601); None when there is none."""
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    for record in instance.get_run_records(dg.RunsFilter(job_name=job, statuses=finished), limit=1):
        ended = None if record.end_time is None else datetime.fromtimestamp(int(record.end_time), UTC).isoformat()
        ok = record.dagster_run.status == dg.DagsterRunStatus.SUCCESS
        return {"run_id": record.dagster_run.run_id, "ok": ok, "ended": ended}
    return None
