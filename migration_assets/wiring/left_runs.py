"""Runs whose process is gone without a word: killed, or out of memory. In Dagster's history they would be under way for
ever, and as many of them as may run at once (dagster.yaml) keep its daemon from starting any.

Dagster looks after processes only where it started them on other machines. So each run bears the mark of its process.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

import dagster as dg
import psutil

from migration_assets.wiring.tags import PROCESS

_UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_TOLD = "The process of this run is gone. What it had not finished was undone; `cutover run --resume` goes on."


def own_process() -> str:
    """The mark of this process: no other one has it, on this machine or another, now or after a restart."""
    return _mark(os.getpid())


def marked(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """See to it that a run which somebody else has started bears the mark of this process."""
    if run.tags.get(PROCESS) != own_process():
        instance.add_run_tags(run.run_id, {PROCESS: own_process()})


def close_left_runs(instance: dg.DagsterInstance) -> int:
    """Let runs have failed whose process on this machine is gone; how many there were."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
    left = [run for run in runs if _is_gone(run.tags.get(PROCESS))]
    for run in left:
        instance.report_run_failed(run, _TOLD)
    return len(left)


@cache
def _machine() -> str:
    return socket.gethostname()


def _mark(number: int) -> str:
    return f"{_machine()} {number} {_began(number)}"


def _began(number: int) -> str:
    """When a process began, by a clock that nobody sets; nothing where the system does not tell, or it has ended and
    only waits to be asked how."""
    try:
        told = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *rest = told.rpartition(")")[2].split()
    return "" if state in "ZX" else rest[18]


def _is_gone(mark: str | None) -> bool:
    """Whether a mark is of this machine and its process is not there any more. One without a mark may be anywhere."""
    machine, number, began = [*(mark or "").split(" "), "", "", ""][:3]
    if machine != _machine() or not number.isdecimal():
        return False
    if not psutil.pid_exists(int(number)):
        return True
    return bool(began) and _began(int(number)) != began
