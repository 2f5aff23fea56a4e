"""One fault, planted and looked for: from the state before it through the stages it reaches, to the first that minds.

Found is what a blocking check fails on, or a stage, the plan's own check or a constraint of the target refuses, where
the clean copy passed. Where the old system contradicts itself, a finding is what is asked, not a stop: of a trap in
its rows a warning is enough. A stage that breaks off with an error nobody planned for has not found anything: it has
crashed.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psycopg

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import CutoverError, Fault, Misconfigured, PlanFaults
from migration_assets.drill.changes import Alter, PlanChange, RowChange, Statement
from migration_assets.drill.clean import COHORT, FULL, Case, Clean
from migration_assets.drill.heard import Heard
from migration_assets.drill.narrow import narrowed
from migration_assets.drill.planting import NothingToPlant, plant_in_target, plant_rows, plant_words
from migration_assets.drill.steps import recheck, through
from migration_assets.drill.trap import Trap
from migration_assets.drill.way import Way
from migration_assets.plan.check import check_plan, load_checked_plan
from migration_assets.plan.models import Plan
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.golden_copy.columns import raw_columns
from migration_assets.stages.golden_copy.manifest import read_manifest
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.workspace import Workspace

Ending = Literal["caught", "survived", "crashed", "not_planted"]
Severity = Literal["blocking", "warning"]


@dataclass(frozen=True)
class Outcome:
    """What became of one fault. `caught_by`: `asset/check`, `asset/refuses: <kind of error>`, `plan/<file> [<field>]`
    or `target/<kind of constraint>`; `detail`: how it crashed, why it could not be planted, or who only warned;
    `severity`: of what caught it, nothing where nothing did."""

    id: str
    place: str
    ending: Ending
    caught_by: str | None
    seconds: float
    detail: str = ""
    severity: Severity | None = None


def sprung(clean: Clean, trap: Trap, seed: int) -> Outcome:
    """Plant one trap alone into a fresh copy and see what finds it."""
    return told(clean, trap.id, trap.place, lambda case, heard: _looked_for(case, trap, seed, heard))


def told(clean: Clean, name: str, place: str, look: Callable[[Case, Heard], str | None]) -> Outcome:
    """How looking for one fault ended; whatever a stage does with it, the next one is to be planted."""
    started, heard = time.perf_counter(), Heard(clean.judged)
    outcome = Outcome(name, place, "survived", None, 0.0)
    try:
        outcome = _found(outcome, look(clean.case(), heard), heard.warnings)
    except NothingToPlant as error:
        outcome = replace(outcome, ending="not_planted", detail=error.message)
    except Misconfigured:
        raise
    except CutoverError as refused:
        outcome = _found(outcome, f"refuses: {type(refused).__name__}", [])
    except Exception as error:
        outcome = replace(outcome, ending="crashed", detail=_crash(error))
    seconds = round(time.perf_counter() - started, 1)
    return replace(outcome, seconds=seconds, detail="" if outcome.ending == "caught" else outcome.detail)


def _found(outcome: Outcome, caught: str | None, warnings: Sequence[str]) -> Outcome:
    """What stops comes before what warns."""
    if caught:
        return replace(outcome, ending="caught", caught_by=caught, severity="blocking")
    if warnings and outcome.place == "source":
        return replace(outcome, ending="caught", caught_by=warnings[0], severity="warning")
    return replace(outcome, detail=f"only warned of by {', '.join(warnings)}" if warnings else "")


def _crash(error: Exception) -> str:
    """Type and place; a driver's text may quote rows."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "migration_assets" in f.filename]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _looked_for(case: Case, trap: Trap, seed: int, heard: Heard) -> str | None:
    """All changes of a trap are of one kind: it has one place."""
    statements = [c for c in trap.changes if isinstance(c, Statement)]
    if statements:
        return in_target(case, statements, seed, heard)
    plan_changes = [c for c in trap.changes if isinstance(c, PlanChange)]
    if plan_changes:
        planned = planted_plan(case, plan_changes)
        if isinstance(planned, Fault):
            return named(planned)
        file = plan_changes[0].file
        return Way(planned, heard).plan(file, entities_of(planned.workspace.plan, file))
    rows = [c for c in trap.changes if isinstance(c, RowChange)]
    touched = {c.table for c in rows}
    whose = {_plant_rows(case, trap, c, seed) for c in rows}.pop()
    if found := recheck(case, *whose, touched, heard):
        return found
    if trap.place == "source":
        return Way(case, heard).source(rows[0].table)
    return Way(case, heard).made(trap.asset, touched, rows_moved=not all(isinstance(c, Alter) for c in rows))


def entities_of(plan: Plan, file: str) -> frozenset[str]:
    """Whose mapping a file of the plan is: of one entity, or of all that read by a code list."""
    folder, _, name = file.removesuffix(".csv").partition("/")
    if folder == "codes":
        return frozenset(r.entity for r in plan.mapping if r.arguments.get("list") == name)
    return frozenset({name}) if folder == "mapping" else frozenset()


def planted_plan(case: Case, changes: Sequence[PlanChange]) -> Case | Fault:
    """The case with the changed plan, or the first fault that its check finds.

    The plan keeps the digest of the clean one: whether a changed plan is noticed as such is not the question here.
    """
    if not changes:
        return case
    environment = case.workspace.environment
    for change in changes:
        plant_words(environment.plan_folder, change)
    manifest = read_manifest(case.workspace.store.golden(str(case.workspace.store.current_snapshot())))
    try:
        plan = load_checked_plan(environment.plan_folder)
        faults = check_plan(plan, columns=raw_columns(manifest, plan))
    except PlanFaults as found:
        faults = found.faults
    if faults:
        return faults[0]
    digest = case.clean.workspace.plan.digest
    return replace(case, workspace=Workspace(plan.model_copy(update={"digest": digest}), environment))


def named(fault: Fault) -> str:
    """What found a fault of the plan."""
    return f"plan/{Path(fault.file).name} [{fault.field}]"


def in_target(case: Case, statements: Sequence[Statement], seed: int, heard: Heard) -> str | None:
    """Change the loaded target and read it back, no more of it than what was changed."""
    url = case.target(FULL)
    try:
        for statement in statements:
            plant_in_target(url, statement, seed)
    except psycopg.errors.IntegrityError as refused:
        return f"target/{type(refused).__name__}"
    plan = narrowed(case.workspace.plan, {s.table for s in statements})
    narrow = replace(case, workspace=Workspace(plan, case.workspace.environment))
    steps = dict.fromkeys(("reconciliation", _whose_rows(plan, c.table)) for c in statements)
    return through(narrow, list(steps), heard, fresh=False)


def _whose_rows(plan: Plan, table: str) -> str:
    """Rows of reference data belong to no customer."""
    entity = ENTITIES[plan.target.tables[table].entity]
    return UNASSIGNED if entity.stage == "reference_data" else COHORT


def _plant_rows(case: Case, trap: Trap, change: RowChange, seed: int) -> tuple[str, str]:
    """Change the rows; returns the asset whose checks look at them, and whose turn it is."""
    store, plan = case.workspace.store, case.workspace.plan
    if trap.place == "source":
        whose = UNASSIGNED if plan.source_table(change.table).owner == "none" else COHORT
        golden = store.golden_file(str(store.current_snapshot()), change.table)
        plant_rows([store.file("cohort_plan", whose, change.table), golden], change, seed)
        return "golden_copy", GLOBAL
    whose = GLOBAL if (trap.asset, GLOBAL) in case.clean.judged else COHORT
    plant_rows([store.file(trap.asset, whose, change.table)], change, seed)
    return trap.asset, whose
