"""Runs the two phases of a migration, with full Dagster history and without its daemon. What came of it: `results`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from migration_assets.control import CHANGED_MEANWHILE
from migration_assets.domain.errors import BadInput
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.plan.wording import shown
from migration_assets.stages.cohorts.assign import planned_cohorts
from migration_assets.wiring.copies import verified_copy
from migration_assets.wiring.lanes import Lanes
from migration_assets.wiring.left_runs import own_process
from migration_assets.wiring.partitions import add_cohorts
from migration_assets.wiring.progress import Begun
from migration_assets.wiring.results import PhaseResult, Summary, loaded_twice, summed_up, was_interrupted, without_run
from migration_assets.wiring.stage_names import ARRIVAL, COHORT_STAGES, STAGES_OF
from migration_assets.wiring.status import taken_back
from migration_assets.wiring.tags import AS_OF, DRY_RUN, NEW_SNAPSHOT, PROCESS, REPAIR

if TYPE_CHECKING:
    from migration_assets.control import AssetStatus, Cohort
    from migration_assets.wiring.lanes import Beside
    from migration_assets.wiring.workspace import Workspace

# Hears what begins, and how many stages are ahead by then.
Report = Callable[[Begun], None]
QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Chosen:
    """Cohorts that are to run, and others that stand as they are."""

    run: frozenset[str]
    standing: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CohortRun:
    """One run of one job for one cohort."""

    job: str
    cohort: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Runner:
    """Executes the jobs of one plan's graph against one Dagster instance.

    `beside` are processes that take cohorts while this one does (see `lanes`).
    """

    workspace: Workspace
    instance: dg.DagsterInstance
    definitions: dg.Definitions
    beside: Sequence[Beside] = ()

    def phase(self, job: str, *, cohort: str | None = None, tags: Mapping[str, str] | None = None) -> PhaseResult:
        """Run one job; a failure is a result, not an exception."""
        if cohort is not None:
            add_cohorts(self.instance, [cohort])
        result = self.definitions.resolve_job_def(job).execute_in_process(
            partition_key=cohort,
            instance=self.instance,
            raise_on_error=False,
            tags={**(tags or {}), PROCESS: own_process()},
            run_config=QUIET,
        )
        if was_interrupted(result):
            # Dagster takes Ctrl-C for a failure of the step; whoever pressed it wants everything to stop.
            raise KeyboardInterrupt
        return summed_up(result)

    def run(self, run: CohortRun) -> PhaseResult:
        """Run one job for one cohort."""
        return self.phase(run.job, cohort=run.cohort, tags=run.tags)

    def migrate(
        self,
        *,
        cohorts: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        resume: bool = False,
        report: Report = lambda _: None,
        choose: Callable[[], Chosen] | None = None,
    ) -> Summary:
        """The global phase, then every cohort (or those named): wave by wave, the cohorts of a wave side by side.

        `choose` is asked after the global phase which cohorts are to run.
        """
        summary = Summary()
        self._refuse_unknown(cohorts)
        self._refuse_to_move_the_ground(tags or {})
        report(Begun("global phase", steps=len(STAGES_OF["global_phase"])))
        summary.global_phase = self.phase("global_phase", tags=tags)
        record = self.workspace.control.current_record(self.workspace.plan.name)
        if record is None or not summary.global_phase.ok:
            return summary
        summary.snapshot, summary.as_of = record.snapshot, record.as_of.isoformat()
        job = "cohort_dry_run" if (tags or {}).get(DRY_RUN) == "true" else "cohort_phase"
        wanted, chosen = self._wanted(cohorts, resume), None if choose is None else choose()
        if chosen is not None:
            wanted = [c for c in wanted if c.name in chosen.run]
        summary.cohorts = self._each(job, wanted, tags or {}, report)
        if job == "cohort_phase":
            self._load_what_was_received(summary.cohorts, chosen.standing if chosen else (), tags or {}, report)
        return summary

    def _load_what_was_received(
        self, results: dict[str, PhaseResult], standing: Collection[str], tags: Mapping[str, str], report: Report
    ) -> None:
        """Load cohorts again that others have handed rows to after they had passed, or while they were looked at: until
        none is left, or twice."""
        for _ in range(2):
            good = (name for name, r in results.items() if r.ok or CHANGED_MEANWHILE in (r.reason or ""))
            passed = [*good, *(n for n in standing if n not in results)]
            # Whoever hands rows over withdraws what the receiver's load and reconciliation were found to be.
            received = {s.cohort for s in self._standings(passed) if s.asset in ARRIVAL and s.state == "never"}
            if not received:
                return
            again = self._in_lanes([_runs("cohort_arrival", [n for n in passed if n in received], tags)], report)
            results |= {name: loaded_twice(results[name], r) if name in results else r for name, r in again.items()}

    def _standings(self, cohorts: Sequence[str]) -> Sequence[AssetStatus]:
        now = datetime.now(UTC)
        return self.workspace.control.status(self.workspace.frozen_basis(), cohorts, COHORT_STAGES, now)

    def _refuse_unknown(self, cohorts: Sequence[str]) -> None:
        """Before anything runs: the plan says which cohorts there are going to be."""
        known = [*(c.name for c in planned_cohorts(self.workspace.plan.cohorts.cohorts)), UNASSIGNED]
        if strange := [c for c in cohorts if c not in known]:
            raise BadInput(
                f"no cohort of the plan is called {', '.join(map(shown, strange))}",
                f"The cohorts are: {', '.join(known)}.",
            )

    def _refuse_to_move_the_ground(self, tags: Mapping[str, str]) -> None:
        """A dry run must leave what loaded cohorts stand on where it is: their snapshot and their instant T."""
        if tags.get(DRY_RUN) != "true" or self.workspace.control.real_record(self.workspace.plan.name) is None:
            return
        if tags.get(NEW_SNAPSHOT) == "true" or AS_OF in tags:
            raise BadInput(
                "a dry run cannot take another snapshot or another instant T: cohorts stand on those there are",
                "Leave --new-snapshot and --as-of out; or try them in a home of its own, and set CUTOVER_HOME back to "
                ".cutover afterwards.",
            )

    def reconcile(self, cohorts: Sequence[str] = (), report: Report = lambda _: None) -> dict[str, PhaseResult]:
        """Compare source and target again for every cohort, or those named. GoldenCopyAltered when the copy they stand
        on is not what was taken: a comparison with it would prove nothing."""
        self._refuse_unknown(cohorts)
        verified_copy(self.workspace, self.workspace.record().snapshot)
        wanted = self._wanted(cohorts, resume=False)
        # Nothing is moved, so that no cohort has to wait for another one.
        return self._in_lanes([_runs("reconcile_again", [c.name for c in wanted], {})], report)

    def repair(
        self, cohorts: Sequence[str], tags: Mapping[str, str], report: Report = lambda _: None
    ) -> dict[str, PhaseResult]:
        """Load these cohorts again, so that what others changed in the target is put back, and compare them again."""
        again = [c.name for c in self._wanted(cohorts, resume=False)] if cohorts else []
        waves = ([n for n in again if n != UNASSIGNED], [n for n in again if n == UNASSIGNED])
        repaired = self._in_lanes([_runs("cohort_arrival", w, {**tags, REPAIR: "true"}) for w in waves], report)
        self._load_what_was_received(repaired, (), tags, report)
        return repaired

    def _wanted(self, cohorts: Sequence[str], resume: bool) -> list[Cohort]:
        control = self.workspace.control
        record = self.workspace.record()
        known = control.cohorts(record)
        wanted = [c for c in known if not cohorts or c.name in cohorts]
        if resume:
            found = self._standings([c.name for c in wanted])
            open_ = {s.cohort for s in found if s.state not in ("passed", "waived")}
            if not cohorts:
                # Who took a cohort back does not mean it to come again with whatever else was left over.
                open_ -= taken_back(self.workspace, open_)
            wanted = [c for c in wanted if c.name in open_]
        return wanted

    def _each(
        self, job: str, cohorts: Sequence[Cohort], tags: Mapping[str, str], report: Report
    ) -> dict[str, PhaseResult]:
        """Every cohort: by the plan's mode all of them or none, or wave by wave and the pilot before everybody."""
        if self.workspace.plan.mode.together and job == "cohort_phase":
            return self._together(cohorts, tags, report)
        planned = self.workspace.control.cohorts(self.workspace.record())
        waves = {c.wave for c in planned if c.name != UNASSIGNED}
        # A later wave holds nobody back, whichever comes first in this run.
        pilot = len(waves) > 1 and any(c.wave == min(waves) for c in cohorts)
        steps = [_runs(job, wave, tags) for wave in in_waves(cohorts)]
        if job == "cohort_phase" and len(steps) > 1 and steps[-1] == _runs(job, [UNASSIGNED], tags):
            # Only its load has to wait for all others.
            steps[-2] += _runs("cohort_preparation", [UNASSIGNED], tags)
            steps[-1] = _runs("cohort_arrival", [UNASSIGNED], tags)
        return self._in_lanes(steps, report, pilot_first=pilot)

    def _together(self, cohorts: Sequence[Cohort], tags: Mapping[str, str], report: Report) -> dict[str, PhaseResult]:
        """All cohorts or none; where the pilot stands apart it is moved first, and holds back all others."""
        waves = in_waves([c for c in cohorts if c.name != UNASSIGNED])
        if not self.workspace.plan.mode.pilot_apart or len(waves) < 2:
            return self._big_bang(cohorts, tags, report)
        pilot = self._in_lanes([_runs("cohort_phase", waves[0], tags)], report)
        rest = [c for c in cohorts if c.name not in pilot]
        failed = ", ".join(name for name, r in pilot.items() if not r.ok)
        if failed:
            return pilot | {c.name: _held_back(failed) for c in rest}
        return pilot | self._big_bang(rest, tags, report)

    def _big_bang(self, cohorts: Sequence[Cohort], tags: Mapping[str, str], report: Report) -> dict[str, PhaseResult]:
        """Nothing is loaded before everything of every cohort has been transformed and has passed its checks."""
        ready = self._in_lanes([_runs("cohort_preparation", [c.name for c in cohorts], tags)], report)
        failed = ", ".join(name for name, r in ready.items() if not r.ok)
        if failed:
            return {name: _held_back(failed) if r.ok else r for name, r in ready.items()}
        names = [c.name for c in cohorts if c.name != UNASSIGNED]
        last = [c.name for c in cohorts if c.name == UNASSIGNED]
        return self._in_lanes([_runs("cohort_arrival", wave, tags) for wave in (names, last)], report)

    def _in_lanes(
        self, waves: Sequence[Sequence[CohortRun]], report: Report, pilot_first: bool = False
    ) -> dict[str, PhaseResult]:
        """Runs of a wave side by side, wave after wave. A cohort that has a run in two waves goes on only if the first
        was good."""
        cohorts = dict.fromkeys(r.cohort for wave in waves for r in wave)
        begun, ahead = itertools.count(1), sum(len(STAGES_OF[r.job]) for wave in waves for r in wave)
        report(Begun(f"{len(cohorts)} cohort{'s' * (len(cohorts) != 1)}", steps=ahead))

        def started(run: CohortRun) -> None:
            if run.cohort not in results:
                report(Begun(run.cohort, next(begun), len(cohorts)))

        lanes = Lanes(self.run, self.beside, _lost)
        results: dict[str, PhaseResult] = {}
        for number, wave in enumerate(waves):
            if pilot_first and number == 1 and not all(r.ok for r in results.values()):
                failed = ", ".join(name for name, r in results.items() if not r.ok)
                later = {r.cohort for wave in waves[1:] for r in wave}
                return {name: _held_back(failed) if name in later else results[name] for name in cohorts}
            runs = [r for r in wave if r.cohort not in results or results[r.cohort].ok]
            found = dict(zip((r.cohort for r in runs), lanes.run(runs, started), strict=True))
            results |= {n: loaded_twice(results[n], r) if n in results else r for n, r in found.items()}
        return {name: results[name] for name in cohorts}


def _runs(job: str, cohorts: Sequence[str], tags: Mapping[str, str]) -> list[CohortRun]:
    return [CohortRun(job, name, tags) for name in cohorts]


def open_instance() -> dg.DagsterInstance:
    """Dagster's own storage, as the environment names it; use as a context manager, or dispose of it."""
    instance = dg.DagsterInstance.get()
    # Dagster opens a connection for each event unless told to keep one, as its webserver is.
    instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=3_600, max_overflow=20)
    return instance


def in_waves(cohorts: Sequence[Cohort]) -> list[list[str]]:
    """Cohorts that may move side by side, wave after wave. What belongs to no customer comes last, when no customer's
    row needs it any more."""
    found: dict[int, list[str]] = {}
    for c in cohorts:
        found.setdefault(c.wave, []).append(c.name)
    return [found[wave] for wave in sorted(found)]


def _held_back(failed: str) -> PhaseResult:
    return without_run(
        f"not loaded, because what has to pass first did not ({failed}). Mend that and run again, or name this cohort "
        "with --cohort to move it all the same."
    )


def _lost(run: CohortRun) -> PhaseResult:
    return without_run(
        f"the process that ran {run.job} for this cohort died; what it had not finished was undone. Run it again with "
        "`cutover run --resume`; where memory is short, with --at-once 1 (the sensor: `at_once: 1` under `sync` in "
        "plan.yaml, and `cutover run`, since the plan is another then)."
    )
