"""`cutover reconcile --repair`: the ordinary load of the cohorts that differ, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from migration_assets.wiring.conflicts import conflicts_in
from migration_assets.wiring.status import taken_back
from migration_assets.wiring.views import reconciliation_of

if TYPE_CHECKING:
    from migration_assets.wiring.execute import Report, Runner
    from migration_assets.wiring.results import PhaseResult

_COUNTED = ("missing", "changed", "extra")


def repaired(
    runner: Runner, results: Mapping[str, PhaseResult], tags: Mapping[str, str], begin: Report
) -> dict[str, Any]:
    """Put right what `results`, of a reconciliation just made, found to differ, and compare again: the report of it,
    with `repair`, one entry for each cohort that was loaded again.

    A load writes exactly the rows that differ. Rows that nobody migrated are never removed, and what others have made
    of money, or of columns that the plan gives to somebody else, waits for a person.
    """
    workspace = runner.workspace
    before = {c["cohort"]: c for c in reconciliation_of(workspace, results)["cohorts"] if c.get("differences_total")}
    # What the plan has had taken back is to be loaded anew, not repaired.
    before = {name: before[name] for name in before.keys() - taken_back(workspace, before)}
    again = runner.repair(list(before), tags, begin)
    report = reconciliation_of(workspace, {**results, **again})
    now = {c["cohort"]: c for c in report["cohorts"]}
    waiting = [c.cohort for c in conflicts_in(workspace).conflicts()]
    report["repair"] = [
        {
            "cohort": name,
            "before": _rows(found),
            "rows_written": again[name].rows_written,
            "after": _rows(now[name]),
            "waiting_for_a_person": waiting.count(name),
        }
        for name, found in before.items()
    ]
    return report


def _rows(cohort: Mapping[str, Any]) -> dict[str, int] | None:
    """Rows that differ, by how; None of a cohort that was not compared to the end."""
    targets = cohort.get("targets")
    return None if targets is None else {kind: sum(t[kind] for t in targets) for kind in _COUNTED}
