"""One mechanical mutant, planted and looked for. One by which nothing of the company changes cannot be found by
anybody: it is equivalent for this company, and told apart.

Of a mutant of the plan no stage makes another table than on the clean copy, and no check says a word; of one of the
target there is no row to be changed. A mutant of the plan whose file does not have the words is made wrongly: that is
the drill's own fault, is no share of anything, and fails the drill.
"""

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
_NOTHING_THERE = "the target has no row in which it could be planted"


def tried(clean: Clean, mutant: Mutant, seed: int) -> MutantOutcome:
    """Plant one mutant and see what finds it."""
    noticed: set[str] = set()

    def look(case: Case, heard: Heard) -> str | None:
        if isinstance(mutant.change, Statement):
            found = in_target(case, [mutant.change], seed, heard)
            noticed.add(mutant.change.table)
            return found
        planned = planted_plan(case, [mutant.change])
        if isinstance(planned, Fault):
            return named(planned)
        return Way(planned, heard, noticed).plan(mutant.change.file, mutant.entities)

    outcome = told(clean, mutant.id, mutant.place, look)
    if outcome.ending == "not_planted":
        in_rows = isinstance(mutant.change, Statement)
        return MutantOutcome(outcome, _NOTHING_THERE if in_rows else outcome.detail, equivalent=in_rows)
    if outcome.ending != "survived":
        return MutantOutcome(outcome)
    if not noticed and not outcome.detail:
        return MutantOutcome(outcome, NO_ROW, equivalent=True)
    return MutantOutcome(outcome, _reason(outcome.detail, noticed))


def _reason(warned: str, noticed: set[str]) -> str:
    rows = f"{', '.join(sorted(noticed))} changes, and nothing that blocks compares it with the old system"
    return "; ".join(filter(None, (rows if noticed else "", warned)))
