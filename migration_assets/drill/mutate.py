"""One mechanical mutant, planted and looked for. One by which no row of the company changes cannot be found by anybody,
and is told apart."""

from __future__ import annotations

from migration_assets.domain.errors import Fault
from migration_assets.drill.changes import Statement
from migration_assets.drill.clean import Case, Clean
from migration_assets.drill.heard import Heard
from migration_assets.drill.mutants import Mutant
from migration_assets.drill.report import MutantOutcome
from migration_assets.drill.run import in_target, named, planted_plan, told
from migration_assets.drill.way import Way

NO_ROW = "no row of the company changes by it"


def tried(clean: Clean, mutant: Mutant, seed: int) -> MutantOutcome:
    """Plant one mutant and see what finds it."""
    changed: dict[str, str] = {}

    def look(case: Case, heard: Heard) -> str | None:
        if isinstance(mutant.change, Statement):
            return in_target(case, [mutant.change], seed, heard)
        planned = planted_plan(case, [mutant.change])
        if isinstance(planned, Fault):
            return named(planned)
        return Way(planned, heard, changed).plan(mutant.change.file, mutant.entities)

    outcome = told(clean, mutant.id, mutant.place, look)
    return MutantOutcome(outcome, _reason(outcome.detail, changed) if outcome.ending == "survived" else "")


def _reason(warned: str, changed: dict[str, str]) -> str:
    if not changed:
        return "; ".join(filter(None, (NO_ROW, warned)))
    rows = f"{', '.join(sorted(changed))} changes, and nothing that blocks compares it with the old system"
    return f"{rows}; {warned}" if warned else rows
