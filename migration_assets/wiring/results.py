"""How a run of a phase or a cohort went, out of Dagster's events, and what a whole migration comes to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg

from migration_assets.wiring.failed_reconciliation import AFTERMATH
from migration_assets.wiring.stage import EXIT_CODE


@dataclass(frozen=True)
class PhaseResult:
    """How one run went. `stopped_at` names the asset that failed or whose critical check did, `reason` why it broke
    off (a check that failed gives none: `failed_checks` says it better), `aftermath` what became of rows in the target
    that the check was about, `run_id` the run in Dagster's history.
    `rows_written` are rows of the target that were inserted, updated or deleted, `rows_removed` the deleted ones."""

    ok: bool
    stopped_at: str | None
    reason: str | None
    failed_checks: tuple[str, ...]
    rows_written: int
    exit_code: int = 0
    rows_removed: int = 0
    run_id: str | None = None
    aftermath: str | None = None


@dataclass
class Summary:
    """A migration's outcome: the global phase, then each cohort in the order in which it ran."""

    snapshot: str | None = None
    as_of: str | None = None
    global_phase: PhaseResult | None = None
    cohorts: dict[str, PhaseResult] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        phases = [self.global_phase, *self.cohorts.values()]
        return all(p is not None and p.ok for p in phases)

    @property
    def exit_code(self) -> int:
        """0 when all is well, 2 when something asks for other input or configuration, else 1."""
        if self.ok:
            return 0
        return 2 if any(p is not None and p.exit_code == 2 for p in [self.global_phase, *self.cohorts.values()]) else 1

    @property
    def rows_written(self) -> int:
        phases = [self.global_phase, *self.cohorts.values()]
        return sum(p.rows_written for p in phases if p is not None)

    @property
    def rows_removed(self) -> int:
        """Rows that were deleted from the target, because their cohort's load does not have them any more."""
        phases = [self.global_phase, *self.cohorts.values()]
        return sum(p.rows_removed for p in phases if p is not None)

    def to_json(self, plan: str) -> dict[str, Any]:
        """The shape that `cutover run --json` promises."""
        cohorts = [
            {
                "cohort": name,
                "ok": p.ok,
                "stopped_at": p.stopped_at,
                "failed_checks": list(p.failed_checks),
                "reason": p.reason,
                "aftermath": p.aftermath,
                "rows_written": p.rows_written,
                "rows_removed": p.rows_removed,
            }
            for name, p in self.cohorts.items()
        ]
        return {
            "ok": self.ok,
            "plan": plan,
            "snapshot": self.snapshot,
            "as_of": self.as_of,
            "global": {
                "stopped_at": self.global_phase.stopped_at if self.global_phase else None,
                "failed_checks": list(self.global_phase.failed_checks) if self.global_phase else [],
                "reason": self.global_phase.reason if self.global_phase else None,
            },
            "cohorts": cohorts,
            "rows_written": self.rows_written,
            "rows_removed": self.rows_removed,
        }


def loaded_twice(first: PhaseResult, again: PhaseResult) -> PhaseResult:
    """How a cohort went that was loaded twice."""
    return replace(
        again,
        rows_written=first.rows_written + again.rows_written,
        rows_removed=first.rows_removed + again.rows_removed,
    )


def without_run(reason: str) -> PhaseResult:
    """The result for a cohort of which no run can tell how it ended."""
    return PhaseResult(ok=False, stopped_at=None, reason=reason, failed_checks=(), rows_written=0, exit_code=1)


def summed_up(result: dg.ExecuteInProcessResult) -> PhaseResult:
    """How a run went, out of its events."""
    failed_steps = [e for e in result.all_events if e.is_step_failure]
    evaluations = result.get_asset_check_evaluations()
    critical = [e for e in evaluations if not e.passed and e.severity == dg.AssetCheckSeverity.ERROR]
    stopped_at, reason, exit_code = None, None, 0 if result.success and not critical else 1
    if failed_steps:
        stopped_at = failed_steps[0].step_key
        # A blocking check fails its step with a list of names, which `failed_checks` says better.
        reason = None if critical else _reason(failed_steps[0])
        exit_code = _exit_code(failed_steps[0])
    elif critical:
        stopped_at = critical[0].asset_key.to_user_string()
    elif not result.success:
        reason = _reason_outside_steps(result)
    return PhaseResult(
        ok=result.success and not critical,
        stopped_at=stopped_at,
        reason=reason,
        failed_checks=tuple(f"{e.asset_key.to_user_string()}.{e.check_name}" for e in critical),
        rows_written=_total(result, "rows written"),
        exit_code=exit_code,
        rows_removed=_total(result, "rows removed"),
        run_id=result.run_id,
        aftermath=_aftermath(result),
    )


def _aftermath(result: dg.ExecuteInProcessResult) -> str | None:
    """What a stage says became of the rows it found something against."""
    events = [e.step_materialization_data.materialization for e in result.all_events if e.is_step_materialization]
    told = [m.metadata[AFTERMATH].value for m in events if AFTERMATH in m.metadata]
    return str(told[-1]) if told else None


def _total(result: dg.ExecuteInProcessResult, key: str) -> int:
    """Sum of a number over all materializations that state it."""
    total = 0
    for event in (e for e in result.all_events if e.is_step_materialization):
        value = event.step_materialization_data.materialization.metadata.get(key)
        total += value.value if isinstance(value, dg.IntMetadataValue) and value.value is not None else 0
    return total


def was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    failures = [e.step_failure_data.error for e in result.all_events if e.is_step_failure]
    return any(f is not None and f.cls_name == "DagsterExecutionInterruptedError" for f in failures)


def _reason_outside_steps(result: dg.ExecuteInProcessResult) -> str | None:
    """Why a run failed that never came to a step: Dagster could not set itself up, say."""
    failures = [e.job_failure_data for e in result.all_events if e.is_failure and not e.is_step_failure]
    return next((f.error.message.strip() for f in failures if f.error is not None), None)


def _exit_code(event: dg.DagsterEvent) -> int:
    failure = event.step_failure_data.user_failure_data
    value = failure.metadata.get(EXIT_CODE) if failure is not None else None
    return value.value if isinstance(value, dg.IntMetadataValue) and value.value is not None else 1


def _reason(event: dg.DagsterEvent) -> str | None:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else None
