"""Runs are told to have failed when their process is gone, and only then."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import dagster as dg
import pytest

from migration_assets.wiring.left_runs import close_left_runs, marked, own_process
from migration_assets.wiring.tags import PROCESS


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as found:
        yield found


def under_way(instance: dg.DagsterInstance, mark: str | None) -> str:
    tags = {} if mark is None else {PROCESS: mark}
    return instance.add_run(dg.DagsterRun(job_name="some", status=dg.DagsterRunStatus.STARTED, tags=tags)).run_id


def states(instance: dg.DagsterInstance, *runs: str) -> list[str]:
    found = [instance.get_run_by_id(run) for run in runs]
    return [run.status.value for run in found if run is not None]


def test_a_run_whose_process_is_gone_has_failed_and_no_other(instance: dg.DagsterInstance) -> None:
    code = "from migration_assets.wiring.left_runs import own_process; print(own_process())"
    gone = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    machine, number, began = own_process().split(" ")
    left = [under_way(instance, gone), under_way(instance, f"{machine} {number} {int(began) + 1}")]
    others = [
        under_way(instance, own_process()),
        under_way(instance, None),
        under_way(instance, gone.replace(machine, "another-machine")),
    ]
    assert close_left_runs(instance) == 2
    assert states(instance, *left) == ["FAILURE", "FAILURE"]
    assert states(instance, *others) == ["STARTED"] * 3
    assert close_left_runs(instance) == 0


def test_a_process_that_was_killed_and_not_asked_for_is_gone(instance: dg.DagsterInstance) -> None:
    code = (
        "from migration_assets.wiring.left_runs import own_process; import sys; "
        "print(own_process(), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    run = under_way(instance, process.stdout.readline().strip())
    assert close_left_runs(instance) == 0
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert close_left_runs(instance) == 1
    assert states(instance, run) == ["FAILURE"]
    process.communicate()


def test_a_run_that_somebody_else_started_is_marked_once(instance: dg.DagsterInstance) -> None:
    run = instance.get_run_by_id(under_way(instance, None))
    assert run is not None
    marked(instance, run)
    found = instance.get_run_by_id(run.run_id)
    assert found is not None and found.tags[PROCESS] == own_process()
