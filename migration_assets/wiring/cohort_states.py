"""How far a cohort has come, in one word, and what to do about it: out of stored verdicts, what the target says of it
and whether somebody is at work on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migration_assets.domain.errors import StageRefused
from migration_assets.stages.load.cohort_states import APPLIED, DIFFERS, VERIFIED, has_states, set_states, states
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


def note_looked_at(call: StageCall, asset: str, *, held_back: bool) -> None:
    """Tell readers of the target what a stage that looks at the load has found; before its verdict is stored, so that a
    run that is killed in between does it again."""
    if asset not in AFTER_LOAD or not (held_back or asset == AFTER_LOAD[-1]):
        return
    _tell_readers(call, DIFFERS if held_back else VERIFIED)


@contextmanager
def corrected_if_refused(call: StageCall, asset: str) -> Iterator[None]:
    """What readers were told a moment ago is not so when the verdict cannot be stored: others changed the rows."""
    try:
        yield
    except StageRefused:
        if asset in AFTER_LOAD:
            _tell_readers(call, APPLIED)
        raise


def _tell_readers(call: StageCall, state: str) -> None:
    with call.workspace.target.transaction(role=role_names(call.plan)["writer"]) as connection:
        if has_states(connection):
            set_states(connection, [call.partition], state, call.snapshot, call.run_id, datetime.now(UTC))


def said_by_target(workspace: Workspace) -> dict[str, str]:
    """Cohort -> what the target says of it."""
    with workspace.target.transaction(read_only=True) as connection:
        return states(connection)


def place_of(stages: Mapping[str, str], said: str | None, at_work: bool) -> tuple[str, str]:
    """How far a cohort is, and what to do. `stages`: stage -> state of its verdict; `said`: by the target of it."""
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
