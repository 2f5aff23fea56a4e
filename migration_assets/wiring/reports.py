"""The reports that the cohorts' reconciliations leave in the store, read back, and what they say taken together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from migration_assets.stages.reconcile.silence import silent_controls
from migration_assets.wiring.stage_names import AFTER_LOAD

if TYPE_CHECKING:
    from migration_assets.stages.store import Store
    from migration_assets.wiring.results import PhaseResult
    from migration_assets.wiring.workspace import Workspace


def stored_report(store: Store, cohort: str) -> dict[str, Any]:
    """What the last reconciliation of a cohort wrote, whichever run that was; empty when there was none."""
    path = store.folder("reconciliation", cohort) / "report.json"
    if not path.exists():
        return {}
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def carry_report(store: Store, cohort: str, snapshot: str) -> None:
    """Let the report of a cohort in which nothing changed be one of the next snapshot; it says of which it was."""
    path, report = store.folder("reconciliation", cohort) / "report.json", stored_report(store, cohort)
    if report and report["snapshot"] != snapshot:
        told = {**report, "snapshot": snapshot, "unchanged_since": report.get("unchanged_since", report["snapshot"])}
        part = path.with_name(f".{path.name}.part")
        part.write_text(json.dumps(told, indent=1), encoding="utf-8")
        part.replace(path)


def reports_of(workspace: Workspace, results: Mapping[str, PhaseResult]) -> dict[str, dict[str, Any]]:
    """The report of each run's cohort, or its `error`: one that broke off leaves an earlier run's report lying there,
    which says nothing about today."""
    found = {}
    for cohort, result in results.items():
        report = stored_report(workspace.store, cohort)
        error = _no_report(result, report)
        told = {"aftermath": result.aftermath} if result.aftermath else {}
        found[cohort] = ({"cohort": cohort, "error": error} if error else report) | told
    return found


def _no_report(result: PhaseResult, report: Mapping[str, Any]) -> str | None:
    if result.reason is not None or result.stopped_at not in (None, *AFTER_LOAD):
        return result.reason or f"stopped at {result.stopped_at}"
    if not report or report.get("run_id") != result.run_id:
        return "the reconciliation left no report of this run; run `cutover reconcile` again"
    return None


def silent_in(workspace: Workspace, reports: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Controls that saw no row in any cohort; none where a cohort is missing, for it might be the one that has some."""
    record = workspace.control.current_record(workspace.plan.name)
    everybody = {c.name for c in workspace.control.cohorts(record)} if record else set()
    reported = {name for name, report in reports.items() if "error" not in report}
    if not everybody or not everybody <= reported:
        return []
    may_be_empty = {name for name, table in workspace.plan.source_tables.items() if table.may_be_empty}
    return silent_controls(workspace.plan.controls, may_be_empty, reports.values())
