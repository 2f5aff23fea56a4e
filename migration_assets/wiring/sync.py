"""Ticks by themselves: a sensor that looks at the sources, and the job that it asks for. The tick itself: `delta`.

The look reads no rows where a source can tell without; only when something may have changed is there a run. Runs take
the locks that all stages take (decision 4), so that a tick never meets a global run or a cohort's half way.

Annotations are real here, not text: Dagster reads those of the op.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from migration_assets.control import TickLog
from migration_assets.domain.errors import CutoverError
from migration_assets.plan.sync_models import Sync, may_run
from migration_assets.wiring.copies import look
from migration_assets.wiring.delta import moved_cohorts, run_tick, unfinished
from migration_assets.wiring.execute import Runner
from migration_assets.wiring.left_runs import close_left_runs, marked
from migration_assets.wiring.runners import Graph, with_others

if TYPE_CHECKING:
    from migration_assets.control import Tick
    from migration_assets.stages.golden_copy.delta import Seen
    from migration_assets.wiring.workspace import Workspace

JOB = "delta_tick"
SENSOR = "delta_sync"
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_UNDER_WAY = [s for s in dg.DagsterRunStatus if s not in _ENDED]
# After failures the wait doubles, up to so many times.
_DOUBLINGS = 6


@dataclass(frozen=True)
class Cursor:
    """What the sensor knows from one evaluation to the next. `in_step_at`: the last look that found nothing to do;
    `backlog`: rows that may have changed, at most, at the last look (None: some tables cannot tell)."""

    in_step_at: str = ""
    backlog: int | None = 0

    @classmethod
    def of(cls, text: str | None) -> "Cursor":
        """The cursor that Dagster kept; a new one where it kept none, or one of another version."""
        try:
            return cls(**json.loads(text or "{}"))
        except (json.JSONDecodeError, TypeError):
            return cls()

    def text(self) -> str:
        return json.dumps(asdict(self))


def delta_job(workspace: "Workspace", graph: Graph) -> dg.JobDefinition:
    """The job of one tick. Its runs of the global phase and of cohorts stand in the history beside it."""

    # An op may not bear the name of a job.
    @dg.op(name="tick", description="Bring over what changed in the sources, and run only what that touches.")
    def tick(context: dg.OpExecutionContext) -> None:
        settings = _settings(workspace)
        if not may_run(settings.windows, datetime.now(UTC)):
            context.add_output_metadata({"state": "left to the next window: the plan's windows have closed meanwhile"})
            return
        marked(context.instance, context.run)
        alone = Runner(workspace, context.instance, graph(workspace))
        try:
            with with_others(alone, graph, settings.at_once, lambda _: None, at_need=True) as runner:
                result = run_tick(runner, "delta sensor", report=lambda begun: context.log.info(str(begun)))
        except CutoverError as e:
            raise dg.Failure(description=str(e), allow_retries=False) from None
        found = result.to_json(workspace.plan.name)
        context.add_output_metadata(
            {
                "state": result.tick.state,
                "rows changed": sum(t["changed"] for t in found["tables"]),
                "rows written": found["rows_written"],
                **({"lag seconds": lag} if (lag := result.tick.lag_seconds) is not None else {}),
                "cohorts run": len(found["cohorts"]),
                "cohorts unchanged": len(result.carried),
            }
        )
        if not result.ok:
            raise dg.Failure(description=result.tick.reason, allow_retries=False)

    @dg.job(name=JOB, executor_def=dg.in_process_executor, description="One delta tick; the same as `cutover delta`.")
    def job() -> None:
        tick()

    return job


def delta_sensor(workspace: "Workspace", job: dg.JobDefinition) -> dg.SensorDefinition:
    """Looks at the sources as often as the plan says, and asks for a tick when there may be something to bring over."""
    settings = _settings(workspace)

    @dg.sensor(
        job=job,
        name=SENSOR,
        minimum_interval_seconds=settings.every_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.follow else dg.DefaultSensorStatus.STOPPED,
        description="Keeps the target in step with the sources once something has been loaded.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now, cursor = datetime.now(UTC), Cursor.of(context.cursor)
        try:
            return evaluated(workspace, context.instance, settings, cursor, now)
        except CutoverError as e:
            return dg.SensorResult(skip_reason=e.message, cursor=cursor.text())

    return sensor


def _settings(workspace: "Workspace") -> Sync:
    return workspace.plan.file.sync or Sync(follow=workspace.plan.mode.follows)


def evaluated(
    workspace: "Workspace", instance: dg.DagsterInstance, sync: Sync, cursor: Cursor, now: datetime
) -> dg.SensorResult:
    """A run to be asked for, or why there is none. CutoverError before the first load, or when a source is away."""
    log = TickLog(workspace.control, workspace.plan.name)
    lag = _lag(log.last_seen(), cursor, now)
    if not may_run(sync.windows, now):
        return _skipped(f"the plan's windows are closed; {lag}", cursor)
    record = workspace.record()
    moved = moved_cohorts(workspace, record)
    close_left_runs(instance)
    if instance.get_runs(dg.RunsFilter(job_name=JOB, statuses=_UNDER_WAY), limit=1):
        return _skipped(f"a tick is on its way; {lag}, backlog {_rows(cursor.backlog)}", cursor)
    past = log.last(_DOUBLINGS)
    if (again := _not_before(past, sync)) is not None and now < again:
        return _skipped(f"the last tick failed ({past[0].reason}); the next one at {again:%H:%M:%S} UTC; {lag}", cursor)
    seen, waiting = look(workspace, record.snapshot), unfinished(workspace, moved)
    if not seen and not waiting:
        return _skipped(f"nothing changed; {lag}, backlog 0 rows", Cursor(now.isoformat(), 0))
    backlog = Cursor(cursor.in_step_at, _backlog(seen))
    runs = instance.get_runs_count(dg.RunsFilter(job_name=JOB, statuses=_ENDED))
    # Asked for twice, it runs once: the key changes when a tick has been noted, or a run has ended without one.
    key = f"{record.snapshot}/{past[0].tick_id if past else 0}/{runs}"
    tags = {"cutover/backlog": _rows(backlog.backlog), "cutover/snapshot": record.snapshot}
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key, tags=tags)], cursor=backlog.text())


def _skipped(reason: str, cursor: Cursor) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason, cursor=cursor.text())


def _lag(last_seen: datetime | None, cursor: Cursor, now: datetime) -> str:
    """How old the state is that the target is in step with, in words."""
    known = [
        *([last_seen] if last_seen else []),
        *([datetime.fromisoformat(cursor.in_step_at)] if cursor.in_step_at else []),
    ]
    return f"lag {int((now - max(known)).total_seconds())} s" if known else "no tick yet"


def _not_before(past: "tuple[Tick, ...]", sync: Sync) -> datetime | None:
    """When to try again after the last ticks have failed one after the other."""
    failed = next((n for n, t in enumerate(past) if t.state != "failed"), len(past))
    if not failed or past[0].ended_at is None:
        return None
    return past[0].ended_at + timedelta(seconds=sync.every_seconds * 2**failed)


def _backlog(seen: "tuple[Seen, ...]") -> int | None:
    counts = [s.changed for s in seen]
    return None if None in counts else sum(c for c in counts if c is not None)


def _rows(backlog: int | None) -> str:
    return "unknown until it is read" if backlog is None else f"{backlog:,} row{'s' * (backlog != 1)} at most"
