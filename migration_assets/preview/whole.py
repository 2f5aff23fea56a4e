"""The whole preview: both sides made, cohort by cohort, and what one does that the other does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from migration_assets.domain.errors import BadInput
from migration_assets.engine.held_folder import HeldFolder
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.preview.effect import effect, of_nobody
from migration_assets.preview.other import put_other
from migration_assets.preview.report import OfCohort, Preview, newly_failing, stops
from migration_assets.preview.side import Side, side_of

if TYPE_CHECKING:
    from migration_assets.control import MigrationRecord
    from migration_assets.wiring.workspace import Workspace

# What is done, which of how many.
Step = Callable[[str, int, int], None]


def previewed(workspace: Workspace, against: str, cohorts: Sequence[str], step: Step) -> Preview:
    """What the plan in its folder does to cohorts (all, or those named) that the plan `against` names does not.

    Both stand on the snapshot, the instant T, the customers and the cohorts of the last run. BadInput when there was
    none, for a cohort that there is not, and when `against` names no plan; PlanFaults when either does not hold.
    """
    record = _record(workspace)
    names = _chosen(workspace, record, cohorts)
    # Where engines and checks keep what they spill: the next of them removes what a killed preview leaves behind.
    with HeldFolder(workspace.spill_folder) as folder:
        theirs, ours = folder / "against" / workspace.plan.name, workspace.environment.plan_folder
        put_other(workspace.root, workspace.plan.name, against, theirs)
        before = side_of(workspace, record, against, theirs, folder / "before")
        after = side_of(workspace, record, "now", ours, folder / "after")
        _require_same(workspace, record)
        every = [c.name for c in workspace.control.cohorts(record)]
        once = tuple(side.made_once(every, lambda what: step(what, 0, 0)) for side in (before, after))
        with workspace.engine() as engine:
            rows = of_nobody(engine, before, after)
        found = [_of(workspace, record, before, after, c, step, n, len(names)) for n, c in enumerate(names, 1)]
    stopped = stops(once[0]) or any(c.stopped for c in found)
    told = (workspace.plan.name, against, record.snapshot, record.as_of)
    return Preview(*told, tuple(found), rows, newly_failing(*once), stopped)


def _require_same(workspace: Workspace, record: MigrationRecord) -> None:
    """Both copies of the store have to be of one run."""
    now = workspace.control.current_record(workspace.plan.name)
    if now != record or workspace.store.current_snapshot() != record.snapshot:
        raise BadInput("another run went on while the store was copied", "Ask again when that run is over.")


def _of(
    workspace: Workspace, record: MigrationRecord, before: Side, after: Side, cohort: str, step: Step, n: int, of: int
) -> OfCohort:
    was, now = (side.made(cohort, lambda what: step(f"{cohort}, {what}", n, of)) for side in (before, after))
    with workspace.engine() as engine:
        told = effect(engine, before, after, cohort, record.as_of)
    return OfCohort(cohort, told, newly_failing(was, now), stops(was))


def _record(workspace: Workspace) -> MigrationRecord:
    record = workspace.control.current_record(workspace.plan.name)
    if record is None:
        raise BadInput(
            "there has been no run yet, so there are no customers and cohorts to try a plan on",
            "`cutover run --dry-run` makes them, and writes nothing to the target's tables.",
        )
    return record


def _chosen(workspace: Workspace, record: MigrationRecord, cohorts: Sequence[str]) -> list[str]:
    known = [c.name for c in workspace.control.cohorts(record) if c.name != UNASSIGNED]
    if strange := [c for c in cohorts if c not in known]:
        raise BadInput(
            f"the last run knows no cohort called {', '.join(strange)}", f"Its cohorts are: {', '.join(known)}."
        )
    return [c for c in known if not cohorts or c in cohorts]
