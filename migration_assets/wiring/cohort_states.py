"""How far a cohort has come, in one word, and what to do about it: out of stored verdicts, what the target says of it
and whether somebody is at work on it; and what readers of the target are told and shown of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migration_assets.domain.errors import StageRefused
from migration_assets.stages.load.cohort_states import APPLIED, DIFFERS, VERIFIED, has_states, set_states, states
from migration_assets.stages.load.hidden import hidden_cohorts, hide, knows_hidden, show
from migration_assets.stages.load.hold import LOCK_SECONDS, hold_plan
from migration_assets.stages.load.schema import role_names
from migration_assets.wiring.stage_names import AFTER_LOAD, ARRIVAL, COHORT_STAGES

if TYPE_CHECKING:
    from migration_assets.wiring.call import StageCall
    from migration_assets.wiring.workspace import Workspace

PLANNED, APPLYING, WORKING, WAITING = "planned", "applying", "working", "waiting"
_RESUME = "`cutover run --resume` goes on from here"
# A load has to wait for everything that makes its rows.
_BEFORE_LOAD = tuple(s for s in COHORT_STAGES if s not in ARRIVAL)
_GOOD = ("passed", "waived")


@contextmanager
def readers_told(call: StageCall, asset: str, *, held_back: bool) -> Iterator[None]:
    """Tell readers of the target what a stage that looks at the load has found, and hide the cohort from them or show
    it; before its verdict is stored, which is what happens in the block, so that a run that is killed in between does
    it again. What they were told is not so when the verdict cannot be stored, since others changed the rows."""
    if asset not in AFTER_LOAD:
        yield
        return
    hides, was_hidden = held_back and call.plan.file.after_failed_reconciliation != "stay", False
    if held_back or asset == AFTER_LOAD[-1]:
        was_hidden = _tell_readers(call, DIFFERS if held_back else VERIFIED, hides=hides)
    try:
        yield
    except StageRefused:
        _tell_readers(call, APPLIED, hides=was_hidden or hides)
        raise


def _tell_readers(call: StageCall, state: str, *, hides: bool) -> bool:
    """Whether the cohort was hidden for its difference before; a difference that is only told leaves it as it was."""
    now = datetime.now(UTC)
    with call.workspace.target.transaction(role=role_names(call.plan)["writer"]) as connection:
        before = hidden_cohorts(connection).get(call.partition, ())
        if hides or before:
            # Else nothing is hidden or shown, and a load of another cohort, which may take long, is not waited for.
            hold_plan(connection, call.plan.file.uuid, LOCK_SECONDS)
        if has_states(connection):
            set_states(connection, [call.partition], state, call.snapshot, call.run_id, now)
        if hides and knows_hidden(connection):
            hide(connection, call.partition, "differs", now)
        elif state == VERIFIED and before:
            show(connection, [call.partition], "differs")
    return "differs" in before


def hidden_from_readers(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    """Cohort -> why readers of the target do not see it."""
    with workspace.target.transaction(read_only=True) as connection:
        return hidden_cohorts(connection)


def said_by_target(workspace: Workspace) -> dict[str, str]:
    """Cohort -> what the target says of it."""
    with workspace.target.transaction(read_only=True) as connection:
        return states(connection)


def place_of(
    stages: Mapping[str, str], said: str | None, at_work: bool, hidden: Collection[str] = ()
) -> tuple[str, str]:
    """How far a cohort is, and what to do. `stages`: stage -> state of its verdict; `said`: by the target of it;
    `hidden`: why readers of the target do not see it."""
    if "incomplete" in hidden and not at_work:
        return APPLYING, f"packages of it are outstanding, and readers of the target do not see it: {_RESUME}"
    place, then = _place_of(stages, said, at_work)
    if "differs" not in hidden:
        return place, then
    # A waiver that is signed later changes the verdict, and nobody has looked since.
    told = "readers of the target do not see it until a comparison passes (`cutover reconcile`)"
    return place, f"{then}; {told}" if then else told


def _place_of(stages: Mapping[str, str], said: str | None, at_work: bool) -> tuple[str, str]:
    ready = all(stages[s] in _GOOD for s in _BEFORE_LOAD)
    loaded = stages["loaded_target"] in _GOOD
    if at_work:
        return (APPLYING if ready and not loaded else WORKING), "a run is at work on it: wait for it"
    if failed := next((s for s in COHORT_STAGES if stages[s] == "failed"), None):
        if failed in AFTER_LOAD:
            return DIFFERS, f"its rows are in the target and {failed} stands against them: mend it and reconcile again"
        kept = "" if said is None else "; what was loaded before is still in the target"
        return WAITING, f"it stopped at {failed}: mend what is said of it, then {_RESUME}{kept}"
    if all(stages[s] in _GOOD for s in COHORT_STAGES):
        return VERIFIED, ""
    if loaded or said is not None:
        where = "compared" if loaded else "noted as loaded, or compared"
        return APPLIED, f"its rows are in the target and not {where} yet: {_RESUME}"
    return (PLANNED if ready else WAITING), f"nothing of it is in the target: {_RESUME}"
