"""The whole drill: the clean copy, every trap, every mutant asked for, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from migration_assets.domain.errors import BadInput
from migration_assets.drill.clean import Clean, clean_copy
from migration_assets.drill.mutants import Mutant, drawn, mutants_of
from migration_assets.drill.mutate import tried
from migration_assets.drill.report import Drill, MutantOutcome
from migration_assets.drill.run import Outcome, sprung
from migration_assets.drill.trap import Trap
from migration_assets.drill.traps import TRAPS, WAITING

# What is done, which of how many.
Step = Callable[[str, int, int], None]


def drilled(
    root: Path, env: Mapping[str, str], *, seed: int, only: Sequence[str], mutants: int | None, step: Step
) -> Drill:
    """Run a drill. `only`: ids of traps, or how they begin, and no mutants then; `mutants`: how many to try, drawn by
    the seed, or None for all."""
    started, traps = time.perf_counter(), chosen(TRAPS, only)
    if strange := [name for name in only if not chosen(TRAPS, [name])]:
        known = ", ".join(t.id for t in TRAPS)
        raise BadInput(f"no trap is called {', '.join(strange)}", f"There are {known}.")
    with clean_copy(root, env, seed, lambda what: step(what, 0, 0)) as clean:
        found = [(t, _sprung(clean, t, seed, step, i, len(traps))) for i, t in enumerate(traps, 1)]
        there_are = [] if only else mutants_of(clean.workspace.plan)
        lot = drawn(there_are, seed, mutants)
        died = [_tried(clean, m, seed, step, i, len(lot)) for i, m in enumerate(lot, 1)]
        alarms = clean.alarms
    seconds = round(time.perf_counter() - started, 1)
    waiting = () if only else WAITING
    return Drill(seed, alarms, tuple(found), waiting, tuple(died), len(there_are), seconds)


def chosen(traps: Sequence[Trap], only: Sequence[str]) -> list[Trap]:
    """Traps whose id is one of these or begins with it: `I4` is `I4-basis`, not `I40-...`."""
    return [t for t in traps if not only or any(t.id == o or t.id.startswith(f"{o}-") for o in only)]


def _sprung(clean: Clean, trap: Trap, seed: int, step: Step, number: int, of: int) -> Outcome:
    step(trap.id, number, of)
    return sprung(clean, trap, seed)


def _tried(clean: Clean, mutant: Mutant, seed: int, step: Step, number: int, of: int) -> MutantOutcome:
    step(mutant.id, number, of)
    return tried(clean, mutant, seed)
