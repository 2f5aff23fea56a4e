"""Where the global phase and every cohort stand, as plain data for `cutover status`. What it prints: `status_views`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from migration_assets.domain.errors import Misconfigured
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.back_test import back_test_of
from migration_assets.wiring.cohort_states import hidden_from_readers, place_of, said_by_target
from migration_assets.wiring.kpis import kpis_of, last_run
from migration_assets.wiring.stage_names import COHORT_STAGES, GLOBAL_STAGES

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from migration_assets.control import AssetStatus
    from migration_assets.wiring.workspace import Workspace

_NO_RUN = "There has been no run of this plan yet: `cutover run` begins the first."
# Asset -> check -> why there is such a check.
Whys = Mapping[str, Mapping[str, str]]


def status_of(workspace: Workspace, instance: DagsterInstance) -> dict[str, Any]:
    """Where the global phase and every cohort stand: the stored verdict of each stage, what failed, key figures.

    All of it is of the plan as it was when the last run froze its record; `plan_changed` says that it is another now.
    """
    record = workspace.control.current_record(workspace.plan.name)
    if record is None:
        return {"ok": False, "plan": workspace.plan.name, "snapshot": None, "reason": _NO_RUN, "cohorts": []}
    basis, changed = workspace.basis_of(record), record.plan_digest != workspace.plan.digest
    control, now, whys = workspace.control, datetime.now(UTC), _whys(workspace)
    cohorts = control.cohorts(record)
    found = control.status(basis, [c.name for c in cohorts], COHORT_STAGES, now)
    back = _as_far_as_known(workspace)
    rows: list[dict[str, Any]] = [
        {
            "cohort": c.name,
            "wave": c.wave,
            "customers": c.customers,
            "rolled_back": back.get(c.name),
            "stages": {
                s.asset: _standing(s, whys) | _taken_back(s, back.get(c.name)) for s in found if s.cohort == c.name
            },
        }
        for c in cohorts
    ]
    there = _holds_a_record(workspace)
    lost = any(r["stages"]["loaded_target"]["state"] == "passed" for r in rows) and not there
    said = said_by_target(workspace) if there else {}
    hidden = hidden_from_readers(workspace) if there else {}
    busy = control.at_work([c.name for c in cohorts])
    for r in rows:
        stages = {asset: s["state"] for asset, s in r["stages"].items()}
        r["hidden"] = list(hidden.get(r["cohort"], ()))
        r["place"], r["next"] = place_of(stages, said.get(r["cohort"]), r["cohort"] in busy, r["hidden"])
    once = {s.asset: _standing(s, whys) for s in control.status(basis, [GLOBAL], GLOBAL_STAGES, now)}
    states = [s["state"] for stages in (once, *(r["stages"] for r in rows)) for s in stages.values()]
    return {
        "ok": bool(rows) and all(s in ("passed", "waived") for s in states) and not lost and not changed,
        "plan": workspace.plan.name,
        "snapshot": record.snapshot,
        "as_of": record.as_of.isoformat(),
        "trial": record.trial,
        "plan_changed": {"then": record.plan_digest, "now": workspace.plan.digest} if changed else None,
        "target_lost": lost,
        "last_global_run": last_run(instance, "global_phase"),
        "global": once,
        "cohorts": rows,
        "kpis": kpis_of(workspace, instance, [c.name for c in cohorts], now),
        "back_test": back_test_of(workspace, [c.name for c in cohorts]),
    }


def _holds_a_record(workspace: Workspace) -> bool:
    """Whether the target is there and has the record of what was loaded."""
    from migration_assets.stages.load.catalog import has_record

    try:
        return has_record(workspace.target)
    except Misconfigured:
        return False


def never_or_taken_back(workspace: Workspace, cohorts: Iterable[str]) -> set[str]:
    """Those of which no load was ever tried, or all were taken back. Misconfigured as `rolled_back_cohorts`."""
    wanted = set(cohorts)
    return (wanted - workspace.control.ever_checked("loaded_target")) | taken_back(workspace, wanted)


def taken_back(workspace: Workspace, cohorts: Iterable[str]) -> set[str]:
    """Those that were taken back and not loaded since. A load that was killed amid its packages has no verdict and can
    have been taken back all the same; where nothing was ever tried and there is no record, the target is not asked."""
    wanted = set(cohorts)
    tried = wanted & workspace.control.ever_checked("loaded_target")
    return wanted & set(rolled_back_cohorts(workspace)) if tried or _holds_a_record(workspace) else set()


def rolled_back_cohorts(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Cohort -> by whom and when it was taken back, for those of which nothing is loaded since. Misconfigured when the
    target cannot say: whoever goes on as if nothing had been taken back would load it again."""
    from migration_assets.stages.rollback.loads import rolled_back

    with workspace.target.transaction(read_only=True) as connection:
        found = rolled_back(connection)
    return {cohort: {"by": actor, "at": at.isoformat()} for cohort, (actor, at) in found.items()}


def _as_far_as_known(workspace: Workspace) -> dict[str, dict[str, str]]:
    """The same for people to look at, who see everything else too while the target is away."""
    try:
        return rolled_back_cohorts(workspace)
    except Misconfigured:
        return {}


def _taken_back(status: AssetStatus, back: Mapping[str, str] | None) -> dict[str, str]:
    """The state of a load that was taken back, in place of one that never was."""
    taken = back is not None and status.asset == "loaded_target" and status.state == "never"
    return {"state": "rolled_back"} if taken else {}


def _whys(workspace: Workspace) -> Whys:
    return {asset: {r.check: r.why for r in suite.rules} for asset, suite in workspace.suites.items()}


def _standing(status: AssetStatus, whys: Whys) -> dict[str, Any]:
    # What a verdict of another basis found says nothing about now.
    open_ = [f for f in status.failing if not f.waived and status.state != "stale"]
    return {
        "state": status.state,
        "changed": status.changed,
        "rows_checked": status.rows_checked,
        "reasons": [f"{f.check}: {f.detail}" for f in open_ if f.severity == "critical" or not f.evaluated],
        "warnings": [
            {"check": f.check, "rows": f.unexpected} for f in open_ if f.severity != "critical" and f.evaluated
        ],
        "failed": [
            {
                "check": f.check,
                "severity": f.severity,
                "evaluated": f.evaluated,
                "rows": f.unexpected,
                "detail": f.detail,
                "why": whys.get(status.asset, {}).get(f.check, ""),
            }
            for f in open_
        ],
    }
