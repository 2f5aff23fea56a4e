"""What forked processes do: stages of the small migration, one after the other, until they are killed.

Run by `forked`, never by the test's own process: what is changed here, for good, is that process's.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import disk_faults
import psycopg

from migration_assets.wiring.environment import Environment

Send = Callable[[Any], None]


@dataclass(frozen=True)
class Kill:
    """When the process is to end as by kill -9: at effect number `effect` (from 1) of that stage, or after so many
    seconds of it."""

    asset: str
    effect: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class BadDisk:
    """During that stage, writes to files whose path holds `place` fail after so many bytes (disk_faults)."""

    asset: str
    place: str
    after: int
    error: int


class Effects:
    """Counts what can be seen from outside, at the moment before it happens and, for calls to a database, after: files
    below `home` that are made, renamed or removed, and calls to a database. Kills the process at the number given."""

    def __init__(self, home: Path) -> None:
        self.count, self.last = 0, 0
        self._home = str(home)
        sys.addaudithook(self._heard)
        for owner, name in ((psycopg.Cursor, "execute"), (psycopg.Connection, "commit"), (psycopg.Copy, "write")):
            setattr(owner, name, self._around(getattr(owner, name)))

    def until(self, last: int | None) -> None:
        """Begin to count again; 0 or None: nothing is to happen."""
        self.count, self.last = 0, last or 0

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            flags = arguments[2] or 0
            if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        elif event not in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.chmod"):
            return
        if any(self._home in str(a) for a in arguments[:2]):
            self._happens()

    def _around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self._happens()
            result = call(*arguments, **named)
            self._happens()
            return result

        return counted

    def _happens(self) -> None:
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def run_steps(
    send: Send,
    environment: Environment,
    steps: Sequence[tuple[str, str]],
    kill: Kill | None = None,
    disk: BadDisk | None = None,
) -> None:
    """Run stages in order, up to one that did less than the number at which it was to be killed.

    Sends ("began", asset), then ("done", asset, seconds, effects) or ("failed", asset, exit code, why); with a bad disk
    at the end ("struck", whether a write has failed).
    """
    effects = Effects(environment.plan_home)
    run = _opened(environment)
    for asset, partition in steps:
        send(("began", asset))
        began, mine = time.monotonic(), kill is not None and kill.asset == asset
        effects.until(kill.effect if kill and mine else None)
        if kill and mine and kill.seconds is not None:
            threading.Timer(kill.seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
        if disk and disk.asset == asset:
            disk_faults.arm(disk.place, disk.after, disk.error)
        result = run(asset, partition)
        if not result.ok:
            send(("failed", asset, result.exit_code, result.reason or ", ".join(result.failed_checks)))
            break
        send(("done", asset, time.monotonic() - began, effects.count))
        if kill and mine and kill.effect is not None:
            break
    if disk is not None:
        send(("struck", disk_faults.struck()))


def resume(send: Send, environment: Environment, cohort: str, seconds: float | None = None) -> None:
    """`cutover run --resume`, killed after so many seconds; sends its summary."""
    runner = _runner(environment)
    send("began")
    if seconds is not None:
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
    summary = runner.migrate(cohorts=(cohort,), resume=True)
    send(summary.to_json(environment.plan) | {"exit_code": summary.exit_code})


def reconcile(send: Send, environment: Environment, cohort: str) -> None:
    """`cutover reconcile`; sends whether it found all well, or the exit code and words of what refused it."""
    from migration_assets.domain.errors import CutoverError

    try:
        send(_runner(environment).reconcile((cohort,))[cohort].ok)
    except CutoverError as refused:
        send((refused.exit_code, str(refused)))


def command(send: Send, environment: Environment, work: Callable[[Any], Any], last: int | None = None) -> None:
    """Something done with a runner, killed at effect number `last` of it; sends what it gives back, or the exit code
    and words of what refused it, and how many effects it had."""
    from migration_assets.domain.errors import CutoverError

    effects, runner = Effects(environment.plan_home), _runner(environment)
    effects.until(last)
    try:
        found = work(runner)
    except CutoverError as refused:
        found = (refused.exit_code, str(refused))
    send((found, effects.count))


def migrate(runner: Any) -> bool:
    """`cutover run`."""
    return bool(runner.migrate().ok)


def delta(runner: Any) -> tuple[bool, list[str], list[str]]:
    """`cutover delta`: whether all is in step, the cohorts that ran, and those that were carried."""
    from migration_assets.wiring.delta import run_tick

    found = run_tick(runner, "tester").to_json("")
    return found["ok"], [c["cohort"] for c in found["cohorts"]], found["carried"]


def rollback(runner: Any) -> list[str]:
    """`cutover rollback --cohort base_01`: the cohorts taken back."""
    from migration_assets.wiring.rollback import take_back

    return list(take_back(runner.workspace, runner.instance, ["base_01"], "tester")["cohorts"])


def rollback_without_entry(runner: Any) -> None:
    """The same, killed when it is about to tell the audit log."""
    _die_before_entry("rolled_back")
    rollback(runner)


def again(runner: Any) -> bool:
    """`cutover run --resume --cohort base_01`."""
    return bool(runner.migrate(cohorts=("base_01",), resume=True).ok)


def again_without_entry(runner: Any) -> None:
    """The same, killed when it is about to tell the audit log of the load."""
    _die_before_entry("loaded")
    again(runner)


def _die_before_entry(action: str) -> None:
    from migration_assets.control import ControlDatabase

    audit = ControlDatabase.audit

    def dies(self: Any, actor: str, what: str, subject: str, *rest: Any, **named: Any) -> str:
        if (what, subject) == (action, "base_01"):
            os.kill(os.getpid(), signal.SIGKILL)
        return audit(self, actor, what, subject, *rest, **named)

    ControlDatabase.audit = dies  # type: ignore[method-assign]


def repair(runner: Any) -> bool:
    """`cutover reconcile --repair`: whether nothing differs any more."""
    from migration_assets.wiring.partitions import COHORTS
    from migration_assets.wiring.repair import repaired

    # Dagster's storage is this process's own, and the global phase, which names the cohorts there, does not run.
    named = [c.name for c in runner.workspace.control.cohorts(runner.workspace.record())]
    runner.instance.add_dynamic_partitions(str(COHORTS.name), named)
    return bool(repaired(runner, runner.reconcile(), {}, lambda _: None)["ok"])


def _runner(environment: Environment) -> Any:
    from migration_assets.definitions import build_definitions
    from migration_assets.wiring.execute import Runner
    from migration_assets.wiring.workspace import open_workspace

    workspace = open_workspace(environment)
    return Runner(workspace, _instance(), build_definitions(workspace))


def _instance() -> Any:
    import dagster as dg

    return dg.DagsterInstance.ephemeral()


def _opened(environment: Environment) -> Callable[[str, str], Any]:
    """What runs one stage of one partition through Dagster, as somebody clicks it."""
    import dagster as dg

    from migration_assets.definitions import build_definitions
    from migration_assets.stages.store import GLOBAL
    from migration_assets.wiring.execute import QUIET
    from migration_assets.wiring.partitions import COHORTS
    from migration_assets.wiring.results import summed_up
    from migration_assets.wiring.workspace import open_workspace

    workspace, instance = open_workspace(environment), _instance()
    definitions = build_definitions(workspace)

    def run(asset: str, partition: str) -> Any:
        job = "global_phase" if partition == GLOBAL else "cohort_phase"
        if partition != GLOBAL:
            instance.add_dynamic_partitions(str(COHORTS.name), [partition])
        done = definitions.resolve_job_def(job).execute_in_process(
            partition_key=None if partition == GLOBAL else partition,
            asset_selection=[dg.AssetKey(asset)],
            instance=instance,
            raise_on_error=False,
            run_config=QUIET,
        )
        return summed_up(done)

    return run
