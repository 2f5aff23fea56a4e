"""When the sensor asks for a tick, and what it says when it does not. The looks at sources are handed in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from migration_assets.control import ControlDatabase, TickLog, migrate
from migration_assets.domain.errors import StageRefused
from migration_assets.plan.modes import MODES, Strategy
from migration_assets.plan.sync_models import Sync
from migration_assets.stages.golden_copy.delta import Seen
from migration_assets.wiring import sync
from migration_assets.wiring.delta import TickResult
from migration_assets.wiring.execute import Runner
from migration_assets.wiring.progress import Begun
from migration_assets.wiring.sync import JOB, Cursor, evaluated
from migration_assets.wiring.workspace import Workspace

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass
class Situation:
    """A plan that has been loaded, what its sources show, and which cohorts an earlier tick did not come to."""

    workspace: Any
    instance: dg.DagsterInstance
    log: TickLog
    seen: tuple[Seen, ...] = ()
    waiting: list[str] = field(default_factory=list)

    def ask(self, now: datetime = NOW, cursor: Cursor | None = None, **settings: Any) -> dg.SensorResult:
        return evaluated(self.workspace, self.instance, Sync(**settings), cursor or Cursor(), now)

    def key(self, **more: Any) -> str:
        found = self.ask(**more)
        assert found.run_requests is not None
        [request] = found.run_requests
        assert request.run_key is not None
        return request.run_key

    def why(self, **more: Any) -> str:
        found = self.ask(**more)
        assert not found.run_requests and found.skip_reason is not None
        return str(
            found.skip_reason.skip_message if isinstance(found.skip_reason, dg.SkipReason) else found.skip_reason
        )


@pytest.fixture
def situation(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Situation]:
    migrate(database)
    control = ControlDatabase(database)
    workspace = SimpleNamespace(
        control=control, plan=SimpleNamespace(name="acme"), record=lambda: SimpleNamespace(snapshot="S1")
    )
    with dg.instance_for_test() as instance:
        found = Situation(workspace, instance, TickLog(control, "acme"))
        monkeypatch.setattr(sync, "look", lambda *_: found.seen)
        monkeypatch.setattr(sync, "moved_cohorts", lambda *_: ["pilot"])
        monkeypatch.setattr(sync, "unfinished", lambda *_: found.waiting)
        yield found


def ticked(log: TickLog, state: Any, seconds: int, **more: Any) -> int:
    """A tick that began so many seconds ago and took one."""
    number = log.begin("S1", thorough=False, now=NOW - seconds * SECOND)
    log.end(number, state, now=NOW - (seconds - 1) * SECOND, **more)
    return number


def test_where_nothing_changed_nothing_runs_and_the_lag_is_told(situation: Situation) -> None:
    assert situation.why() == "nothing changed; no tick yet, backlog 0 rows"
    ticked(situation.log, "done", 40)
    assert situation.why() == "nothing changed; lag 40 s, backlog 0 rows"
    cursor = situation.ask().cursor
    assert situation.why(now=NOW + 7 * SECOND, cursor=Cursor.of(cursor)) == "nothing changed; lag 7 s, backlog 0 rows"


def test_a_change_asks_for_one_run_however_often_it_is_seen(situation: Situation) -> None:
    ticked(situation.log, "done", 100)
    situation.seen = (Seen("crm.accounts", 3), Seen("erp.invoices", 4))
    key = situation.key()
    assert situation.key(now=NOW + 60 * SECOND) == key
    assert Cursor.of(situation.ask().cursor).backlog == 7
    ticked(situation.log, "done", 5)
    assert situation.key() != key, "after a tick the next change is another one"


def test_a_run_that_ended_without_a_tick_is_asked_for_again(situation: Situation) -> None:
    situation.seen = (Seen("crm.accounts", None),)
    key = situation.key()
    run = dg.DagsterRun(job_name=JOB, status=dg.DagsterRunStatus.FAILURE)
    situation.instance.add_run(run)
    assert situation.key() != key
    assert Cursor.of(situation.ask().cursor).backlog is None


def test_what_an_earlier_tick_did_not_come_to_is_a_reason_too(situation: Situation) -> None:
    situation.waiting = ["pilot"]
    assert situation.key()


def test_while_a_tick_is_on_its_way_no_other_is_asked_for(situation: Situation) -> None:
    situation.seen = (Seen("crm.accounts", 3),)
    situation.instance.add_run(dg.DagsterRun(job_name=JOB, status=dg.DagsterRunStatus.STARTED))
    assert situation.why(cursor=Cursor("", 3)) == "a tick is on its way; no tick yet, backlog 3 rows at most"


def test_outside_the_windows_it_waits(situation: Situation) -> None:
    situation.seen = (Seen("crm.accounts", 3),)
    night = {"windows": [{"opens": "20:00", "closes": "06:00"}]}
    assert "windows are closed" in situation.why(**night)
    assert situation.key(now=NOW + 9 * 3600 * SECOND, **night)


def test_a_run_that_the_closing_of_the_windows_has_overtaken_does_nothing(situation: Situation) -> None:
    """It was queued, or tried again; the next window has its own."""
    later = (datetime.now(UTC) + timedelta(hours=n) for n in (2, 3))
    opens, closes = (f"{at:%H:%M}" for at in later)
    situation.workspace.plan.file = SimpleNamespace(sync=Sync(windows=[{"opens": opens, "closes": closes}]))

    def graph(_: Workspace) -> dg.Definitions:
        raise AssertionError("nothing may run")

    done = sync.delta_job(situation.workspace, graph).execute_in_process(instance=situation.instance)
    assert done.success and situation.log.last() == ()


def test_a_tick_has_the_processes_that_the_plan_gives_it(situation: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    """They begin when there is a second cohort, and what the tick is about stands in the log of its run."""
    situation.workspace.plan.file = SimpleNamespace(sync=Sync(at_once=3))
    situation.workspace.environment = None
    found: list[int] = []

    def run_tick(runner: Runner, actor: str, *, report: Any) -> TickResult:
        found.append(len(runner.beside))
        report(Begun("pilot", 1, 2))
        number = situation.log.begin("S1", thorough=False, now=NOW)
        return TickResult(situation.log.end(number, "quiet", now=NOW), ())

    monkeypatch.setattr(sync, "run_tick", run_tick)
    job = sync.delta_job(situation.workspace, lambda _: dg.Definitions())
    done = job.execute_in_process(instance=situation.instance)
    assert done.success and found == [2]
    said = [r.event_log_entry.user_message for r in situation.instance.get_records_for_run(done.run_id).records]
    assert "pilot (1/2)" in said


def test_after_failures_it_waits_longer_each_time(situation: Situation) -> None:
    situation.seen = (Seen("crm.accounts", 3),)
    ticked(situation.log, "failed", 100, reason="no connection")
    assert "the last tick failed (no connection); the next one at 12:00:21 UTC" in situation.why()
    assert situation.key(now=NOW + 21 * SECOND)
    ticked(situation.log, "failed", 60, reason="no connection")
    # Twice in a row: four intervals from the end of the last one.
    assert "12:03:01" in situation.why()
    ticked(situation.log, "quiet", 20)
    assert situation.key()


def test_before_the_first_load_the_sensor_says_what_it_waits_for(
    situation: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> list[str]:
        raise StageRefused("nothing has been loaded yet", "Run `cutover run`.")

    monkeypatch.setattr(sync, "moved_cohorts", refuse)
    situation.workspace.plan.file = SimpleNamespace(sync=Sync(every_seconds=30))
    job = sync.delta_job(situation.workspace, lambda _: dg.Definitions())
    sensor = sync.delta_sensor(situation.workspace, job)
    with dg.build_sensor_context(instance=situation.instance) as context:
        found = sensor.evaluate_tick(context)
    assert (found.run_requests or [], found.skip_message) == ([], "nothing has been loaded yet")


@pytest.mark.parametrize(
    ("settings", "strategy", "running"),
    [
        (Sync(every_seconds=30), "phased", True),
        (Sync(follow=False), "parallel", False),
        (None, "phased", False),
        (None, "big_bang", False),
        (None, "parallel", True),
        (None, "hybrid", True),
    ],
)
def test_the_plan_says_whether_the_sensor_runs_from_the_start(
    settings: Sync | None, strategy: Strategy, running: bool
) -> None:
    plan = SimpleNamespace(file=SimpleNamespace(sync=settings), mode=MODES[strategy])
    workspace: Any = SimpleNamespace(plan=plan)
    sensor = sync.delta_sensor(workspace, sync.delta_job(workspace, lambda _: dg.Definitions()))
    assert (sensor.default_status == dg.DefaultSensorStatus.RUNNING) is running
    assert sensor.minimum_interval_seconds == (30 if settings and settings.every_seconds == 30 else 60)


def test_a_cursor_that_cannot_be_read_is_a_new_one() -> None:
    assert [Cursor.of(t) for t in (None, "", "{", '{"other": 1}')] == [Cursor()] * 4
    assert Cursor.of(Cursor("2026-06-30T12:00:00+00:00", None).text()) == Cursor("2026-06-30T12:00:00+00:00", None)
