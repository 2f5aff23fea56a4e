"""Runs the two phases of a migration in this process, with full Dagster history, and sums up what happened."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from migration_assets.domain.errors import BadInput
from migration_assets.wiring.stage import EXIT_CODE, PROGRESS

if TYPE_CHECKING:
    from migration_assets.wiring.workspace import Workspace

Report = Callable[[str], None]
QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class PhaseResult:
    """How one run went. `stopped_at` names the asset that failed or whose critical check did."""

    ok: bool
    stopped_at: str | None
    reason: str | None
    failed_checks: tuple[str, ...]
    rows_written: int
    exit_code: int = 0


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

    def to_json(self, plan: str) -> dict[str, Any]:
        """The shape that `cutover run --json` promises."""
        cohorts = [
            {
                "cohort": name,
                "ok": p.ok,
                "stopped_at": p.stopped_at,
                "failed_checks": list(p.failed_checks),
                "reason": p.reason,
                "rows_written": p.rows_written,
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
        }


class Runner:
    """Executes jobs of one workspace against one Dagster instance."""

    def __init__(self, workspace: Workspace, instance: dg.DagsterInstance) -> None:
        from migration_assets.definitions import build_definitions

        self.workspace, self.instance = workspace, instance
        self._definitions = build_definitions(workspace)

    def phase(self, job: str, *, cohort: str | None = None, tags: Mapping[str, str] | None = None) -> PhaseResult:
        """Run one job; a failure is a result, not an exception."""
        result = self._definitions.resolve_job_def(job).execute_in_process(
            partition_key=cohort,
            instance=self.instance,
            raise_on_error=False,
            tags=dict(tags or {}),
            run_config=QUIET,
        )
        return summed_up(result)

    def migrate(
        self,
        *,
        cohorts: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        resume: bool = False,
        report: Callable[[str, int, int], None] = lambda *_: None,
    ) -> Summary:
        """The global phase, then every cohort (or those named), pilot first."""
        summary = Summary()
        report("global phase", 0, 0)
        summary.global_phase = self.phase("global_phase", tags=tags)
        record = self.workspace.control.current_record(self.workspace.plan.name)
        if record is None or not summary.global_phase.ok:
            return summary
        summary.snapshot, summary.as_of = record.snapshot, record.as_of.isoformat()
        wanted = self._wanted(cohorts, resume)
        for i, cohort in enumerate(wanted, start=1):
            report(cohort, i, len(wanted))
            summary.cohorts[cohort] = self.phase("cohort_phase", cohort=cohort, tags=tags)
        return summary

    def _wanted(self, cohorts: Sequence[str], resume: bool) -> list[str]:
        control = self.workspace.control
        record = self.workspace.record()
        known = [c.name for c in control.cohorts(record)]
        if strange := [c for c in cohorts if c not in known]:
            raise BadInput(f"{len(strange)} cohort name(s) not in the plan", f"The cohorts are: {', '.join(known)}.")
        wanted = [c for c in known if not cohorts or c in cohorts]
        if resume:
            now = datetime.now(UTC)
            wanted = [c for c in wanted if not control.standing(c, "reconciliation", record, now).passed]
        return wanted

    def reconcile(
        self, cohorts: Sequence[str] = (), report: Callable[[str, int, int], None] = lambda *_: None
    ) -> dict[str, PhaseResult]:
        """Compare source and target again for every cohort, or those named."""
        wanted = self._wanted(cohorts, resume=False)
        results = {}
        for i, cohort in enumerate(wanted, start=1):
            report(cohort, i, len(wanted))
            results[cohort] = self.phase("reconcile_again", cohort=cohort)
        return results


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
    written = 0
    for event in (e for e in result.all_events if e.is_step_materialization):
        value = event.step_materialization_data.materialization.metadata.get("rows written")
        written += value.value if isinstance(value, dg.IntMetadataValue) and value.value is not None else 0
    return PhaseResult(
        ok=result.success and not critical,
        stopped_at=stopped_at,
        reason=reason,
        failed_checks=tuple(f"{e.asset_key.to_user_string()}.{e.check_name}" for e in critical),
        rows_written=written,
        exit_code=exit_code,
    )


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


@contextmanager
def progress_to(report: Report) -> Iterator[None]:
    """Hear what stages say while they run."""
    logger = logging.getLogger(PROGRESS)

    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            report(record.getMessage())

    handler = Forward()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
