"""How a command is told its plan, opens it, runs its cohorts side by side, and shows how far it is.

Heavy imports stay inside the functions: a command that needs none of this must not pay for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from migration_assets.wiring.execute import Report, Runner
    from migration_assets.wiring.progress_views import Heard
    from migration_assets.wiring.workspace import Workspace


@dataclass(frozen=True)
class Place:
    """Where commands work: the project's root folder, and what they print tables to."""

    root: Path
    out: Console


def plan_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--plan`, which every command has."""
    return click.option(
        "--plan", "plan", default=None, envvar="CUTOVER_PLAN", help="Plan folder, plans/<name>. Default: plans/acme."
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, where there is something to read."""
    return click.option("--json", "as_json", is_flag=True, help="JSON alone on stdout.")(command)


def limit_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--limit`, where a list may be long. What is left out is counted beside it; the engine counts to 64 bits."""
    kind = click.IntRange(1, 2**63 - 1)
    return click.option("--limit", type=kind, default=50, show_default=True, help=f"How many {what} at most.")


def at_once_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--at-once`, where cohorts run."""
    return click.option(
        "--at-once",
        type=click.IntRange(1, 16),
        default=2,
        show_default=True,
        help="How many cohorts of a wave move side by side, each in a process of its own.",
    )(command)


def actor() -> str:
    """Who works here: the name of the process's account, or its number where it has none. What the environment says
    counts for nothing: one person would be two."""
    import pwd

    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@contextmanager
def opened(root: Path, plan: str | None, *, load: bool = True) -> Iterator[tuple[Workspace, Runner]]:
    """A prepared environment, the plan's workspace and a runner for it."""
    from migration_assets.control import migrate
    from migration_assets.wiring.environment import known_plan, prepare, variables

    name = known_plan(root, plan or "acme")
    if load:
        # Faults of the plan come first: there is no point in starting a server for a plan that does not hold.
        from migration_assets.domain.errors import PlanFaults
        from migration_assets.plan.check import variable_faults
        from migration_assets.wiring.own_plan import load_own_plan

        folder = root / "plans" / name
        try:
            load_own_plan(folder)
        except PlanFaults as found:
            # All at once: what is not set would be the next to be told.
            unset = variable_faults(folder, variables(root, os.environ))
            raise PlanFaults((*found.faults, *unset), found.remedy) from None
    environment = prepare(root, name, dict(os.environ))
    os.environ.update(environment.exports)
    migrate(environment.control_url)
    if not load:
        yield None, None  # type: ignore[misc]
        return
    from migration_assets.definitions import build_definitions
    from migration_assets.wiring.runners import runner_of

    runner = runner_of(environment, build_definitions)
    with runner.instance:
        yield runner.workspace, runner


@contextmanager
def side_by_side(
    runner: Runner, at_once: int, cohorts: tuple[str, ...], console: Console, *, quiet: bool, at_need: bool = False
) -> Iterator[tuple[Runner, Report]]:
    """The runner with the processes that run cohorts beside it, and what shows how far they are. `at_need`: they begin
    when there is a second cohort; otherwise now, while the global phase runs."""
    from migration_assets.definitions import build_definitions
    from migration_assets.wiring.runners import with_others

    wanted = min(at_once, len(cohorts)) if cohorts else at_once
    with (
        progress(console, quiet=quiet) as (begin, hear),
        with_others(runner, build_definitions, wanted, hear, at_need=at_need) as beside,
    ):
        yield beside, begin


@contextmanager
def progress(console: Console, *, quiet: bool) -> Iterator[Heard]:
    """Shows how far this process and those beside it are; nothing when quiet."""
    from migration_assets.wiring.progress import progress_to
    from migration_assets.wiring.progress_views import shown_progress

    if quiet:
        yield (lambda _: None), (lambda _: None)
        return
    with shown_progress(console) as (begin, hear), progress_to(hear):
        yield begin, hear
