"""One tick: what changed in the sources since the last golden copy, brought over, and only what that touches run again.

T stays where the migration record froze it: a tick follows the data, not the clock. Where a cohort reads exactly what
it read before, what was found of it is carried to the new snapshot (`touched`, `control.carry`); nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from migration_assets.control import Basis, Tick, TickLog, TickState, carry_verdicts
from migration_assets.domain.errors import CutoverError, StageRefused
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.golden_copy.changes import changes_json
from migration_assets.wiring.budgets import carry_share
from migration_assets.wiring.copies import copy_to_compare, take_changes
from migration_assets.wiring.execute import Chosen
from migration_assets.wiring.reports import carry_report
from migration_assets.wiring.stage_names import COHORT_STAGES, GLOBAL_STAGES
from migration_assets.wiring.status import never_or_taken_back
from migration_assets.wiring.tags import ACTOR, AS_OF, SNAPSHOT, TICK
from migration_assets.wiring.touched import inputs_of

if TYPE_CHECKING:
    from migration_assets.control import MigrationRecord
    from migration_assets.stages.golden_copy.delta import Delta
    from migration_assets.wiring.execute import Report, Runner
    from migration_assets.wiring.results import Summary
    from migration_assets.wiring.workspace import Workspace

_STANDS = ("passed", "waived")


@dataclass(frozen=True)
class TickResult:
    """What a tick found and did. `carried`: cohorts in which nothing had changed; `summary`: the runs, if any."""

    tick: Tick
    tables: tuple[Mapping[str, Any], ...]
    carried: tuple[str, ...] = ()
    summary: Summary | None = None

    @property
    def ok(self) -> bool:
        return self.tick.state in ("quiet", "done")

    def to_json(self, plan: str) -> dict[str, Any]:
        """The shape that `cutover delta --json` promises."""
        cohorts = self.summary.to_json(plan) if self.summary is not None else {}
        return {
            "ok": self.ok,
            "plan": plan,
            "tick": self.tick.tick_id,
            "state": self.tick.state,
            "reason": self.tick.reason,
            "snapshot_before": self.tick.snapshot_before,
            "snapshot": self.tick.snapshot_after,
            "lag_seconds": self.tick.lag_seconds,
            "tables": [changes_json(t) for t in self.tables],
            "carried": list(self.carried),
            "cohorts": cohorts.get("cohorts", []),
            "rows_written": cohorts.get("rows_written", 0),
            "rows_removed": cohorts.get("rows_removed", 0),
        }


def moved_cohorts(workspace: Workspace, record: MigrationRecord) -> list[str]:
    """Cohorts of the record that a load has been tried for, and that were not taken back since: ticks follow them, and
    leave the others to `cutover run`.

    StageRefused when there are none.
    """
    planned = [c.name for c in workspace.control.cohorts(record)]
    away = never_or_taken_back(workspace, planned)
    moved = [name for name in planned if name not in away]
    if record.trial or not set(moved) - {UNASSIGNED}:
        raise StageRefused(
            "nothing has been loaded yet, so that there is nothing to keep in step", "Run `cutover run`."
        )
    return moved


def unfinished(workspace: Workspace, moved: Sequence[str]) -> list[str]:
    """Cohorts that an earlier tick did not come to. One that a check has stopped waits for other data."""
    states = _states(workspace, moved)
    first = {c: next((s for s in of_cohort if s not in _STANDS), "passed") for c, of_cohort in states.items()}
    return [c for c, state in first.items() if state in ("never", "stale")]


def _states(workspace: Workspace, cohorts: Sequence[str]) -> dict[str, list[str]]:
    """The state of each stage of each cohort, in order."""
    found = workspace.control.status(workspace.frozen_basis(), cohorts, COHORT_STAGES, _now())
    states: dict[str, list[str]] = {c: [] for c in cohorts}
    for status in found:
        states[status.cohort].append(status.state)
    return states


def run_tick(runner: Runner, actor: str, *, thorough: bool = False, report: Report = lambda _: None) -> TickResult:
    """Look at the sources, take what changed, run what that touches. How it went is kept, whatever happens.

    StageRefused before the first load, and while another tick or a rollback is on its way.
    """
    workspace = runner.workspace
    log = TickLog(workspace.control, workspace.plan.name)
    with workspace.control.delta_lock():
        record = workspace.record()
        moved = moved_cohorts(workspace, record)
        number = log.begin(record.snapshot, thorough=thorough, now=_now())
        try:
            result = _Ticking(runner, actor, record, moved, report).run(log, number, thorough)
        except BaseException as e:
            log.end(number, "failed", now=_now(), reason=_why(e))
            raise
    return result


@dataclass(frozen=True)
class _Ticking:
    """One tick under way, on the record that was there when it began."""

    runner: Runner
    actor: str
    record: MigrationRecord
    moved: Sequence[str]
    report: Report

    @property
    def workspace(self) -> Workspace:
        return self.runner.workspace

    def run(self, log: TickLog, number: int, thorough: bool) -> TickResult:
        """Look, copy, run; and note how it ended."""
        # A tick that was broken off between its copy and its cohort plan left a copy that nothing stands on yet.
        current = self.workspace.store.current_snapshot() or self.record.snapshot
        finishing = current != self.record.snapshot
        # What is wrong with that one may have been mended in the source since.
        delta = self._taken(current, thorough)
        if delta is None and not finishing and not unfinished(self.workspace, self.moved):
            return self._nothing_new(log, number)
        before = {} if finishing else self._inputs(self.record.snapshot)
        carried: list[str] = []
        basis, standing = self.workspace.frozen_basis(), self._standing()

        def choose() -> Chosen:
            carried.extend(self._carried(before, basis, standing))
            return Chosen(frozenset(self.moved) - set(carried), frozenset(carried))

        tags = {AS_OF: self.record.as_of.isoformat(), ACTOR: self.actor, TICK: "true"}
        if delta is not None:
            tags[SNAPSHOT] = delta.manifest.snapshot
        summary = self.runner.migrate(tags=tags, report=self.report, choose=choose)
        return self._ended(log, number, delta, summary, carried)

    def _taken(self, current: str, thorough: bool) -> Delta | None:
        """The next copy after the current one. Nobody may work on the one before meanwhile, which may become the
        current one again."""
        with self.workspace.control.phase_lock(shared=False):
            earlier = copy_to_compare(self.workspace, current, thorough=thorough)
            return take_changes(self.workspace, earlier, self.actor, lambda _: None)

    def _standing(self) -> set[str]:
        """Cohorts of which every stage stands."""
        return {c for c, states in _states(self.workspace, self.moved).items() if all(s in _STANDS for s in states)}

    def _inputs(self, snapshot: str) -> dict[str, str]:
        return inputs_of(self.workspace, snapshot, self.moved)

    def _carried(self, before: Mapping[str, str], basis: Basis, standing: set[str]) -> list[str]:
        """Cohorts that stood and read what they read before: their verdicts go on standing."""
        record = self.workspace.record()
        after = self._inputs(record.snapshot) if before else {}
        same = [c for c in self.moved if c in standing and c in before and before[c] == after[c]]
        if len(same) < len(self.moved):
            # What belongs to no customer goes or stays by what the others need: it looks again when one of them ran.
            same = [c for c in same if c != UNASSIGNED]
        now_basis = self.workspace.frozen_basis()
        if now_basis == basis:
            return same
        for cohort in same:
            carry_report(self.workspace.store, cohort, now_basis.snapshot)
            carry_share(self.workspace, cohort, basis, now_basis)
            carry_verdicts(
                self.workspace.control, cohort, COHORT_STAGES, basis, now_basis, after[cohort], self.actor, _now()
            )
        return same

    def _nothing_new(self, log: TickLog, number: int) -> TickResult:
        """The sources are as they were. A cohort that a check has stopped is no news, and no success either."""
        stopped = sorted(set(self.moved) - self._standing())
        why = f"nothing changed, and {', '.join(stopped)} waits for what stopped it to be mended" if stopped else ""
        state: TickState = "failed" if stopped else "quiet"
        tick = log.end(number, state, now=_now(), snapshot=self.record.snapshot, reason=why)
        return TickResult(tick, ())

    def _ended(
        self, log: TickLog, number: int, delta: Delta | None, summary: Summary, carried: Sequence[str]
    ) -> TickResult:
        first = summary.global_phase
        stopped = [f"{name} ({r.reason})" if r.reason else name for name, r in summary.cohorts.items() if not r.ok]
        reason = ""
        if first is None or not first.ok:
            reason = f"the global phase stopped at {first.stopped_at if first else GLOBAL_STAGES[0]}"
        elif stopped:
            reason = f"stopped: {', '.join(stopped)}"
        detail = {"ran": list(summary.cohorts), "carried": list(carried), "rows_written": summary.rows_written}
        changes = [c for c in delta.changes if c.changed] if delta is not None else []
        tick = log.end(
            number,
            "done" if summary.ok else "failed",
            now=_now(),
            snapshot=summary.snapshot or self.workspace.store.current_snapshot(),
            changes=changes,
            reason=reason,
            detail=detail,
        )
        return TickResult(tick, log.tables(number), tuple(carried), summary)


def _why(error: BaseException) -> str:
    """What is kept of an error that a tick ended with."""
    if isinstance(error, CutoverError):
        return error.message
    return "interrupted" if isinstance(error, KeyboardInterrupt) else f"unexpected {type(error).__name__}"


def _now() -> datetime:
    return datetime.now(UTC)
