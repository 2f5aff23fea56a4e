"""What runs a plan's graph: in this process, and in processes beside it that take cohorts of their own.

Annotations are real here: Dagster reads those of what its jobs are made from.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg
from tqdm import tqdm

from migration_assets.wiring.execute import CohortRun, Runner, open_instance
from migration_assets.wiring.garbage import collect_less
from migration_assets.wiring.lanes import processes_beside
from migration_assets.wiring.left_runs import close_left_runs
from migration_assets.wiring.progress import Told, progress_to
from migration_assets.wiring.results import PhaseResult
from migration_assets.wiring.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from migration_assets.wiring.environment import Environment

# Makes the graph of a plan. A process beside is told it by name: it has to be a module's function.
Graph = Callable[[Workspace], dg.Definitions]
Hear = Callable[[Told], None]


def runner_of(environment: "Environment", graph: Graph) -> Runner:
    """The plan's graph, ready to run, on an instance of Dagster's that the caller closes."""
    workspace, instance = open_workspace(environment), open_instance()
    close_left_runs(instance)
    runner = Runner(workspace, instance, graph(workspace))
    collect_less()
    return runner


@contextmanager
def with_others(runner: Runner, graph: Graph, at_once: int, hear: Hear, *, at_need: bool) -> Iterator[Runner]:
    """The runner with what it takes to run so many cohorts side by side. `hear` takes what stages beside say;
    `at_need`: no process begins before there is a second cohort for it."""
    opener = partial(_open_beside, runner.workspace.environment, graph)
    try:
        with processes_beside(at_once - 1, opener, hear, at_need=at_need) as beside:
            yield replace(runner, beside=beside)
    finally:
        # Processes beside are ended and not asked to: what one was about may still stand in the history as under way.
        close_left_runs(runner.instance)


def _open_beside(environment: "Environment", graph: Graph, said: Hear) -> Callable[[CohortRun], PhaseResult]:
    """What runs a cohort in a process beside this one."""
    # Great Expectations' progress bars would make a lock among processes, which a process that is ended leaves behind.
    tqdm.set_lock(threading.RLock())
    runner = runner_of(environment, graph)

    def run(piece: CohortRun) -> PhaseResult:
        with progress_to(said):
            return runner.run(piece)

    return run
