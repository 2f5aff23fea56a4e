"""What becomes of a cohort whose comparison with the source fails once its rows are in the target: the plan's word for
it, carried out, and told in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migration_assets.control import compared_before
from migration_assets.domain.errors import CutoverError
from migration_assets.stages.rollback.loads import last_taken_back
from migration_assets.wiring.cohort_states import hidden_from_readers
from migration_assets.wiring.rollback import take_back_by_itself
from migration_assets.wiring.stage_names import AFTER_LOAD

if TYPE_CHECKING:
    from migration_assets.wiring.call import StageCall

# Metadata of the stage that failed.
AFTERMATH = "what became of its rows"
_HIDDEN = "its rows are in the target, and readers do not see them until a comparison passes"


def aftermath(call: StageCall, asset: str) -> dict[str, str]:
    """Take the cohort back where the plan says so, and say what became of its rows: metadata of a stage that failed.
    Nothing for a stage that is not about rows in the target."""
    if asset not in AFTER_LOAD:
        return {}
    told = _told(call, asset)
    call.say(told)
    return {AFTERMATH: told}


def _told(call: StageCall, asset: str) -> str:
    word = call.plan.file.after_failed_reconciliation
    if word == "roll_back":
        return _taken_back(call, asset)
    return _where_they_are(call)


def _where_they_are(call: StageCall) -> str:
    if call.partition in hidden_from_readers(call.workspace):
        return _HIDDEN
    if call.plan.file.after_failed_reconciliation == "stay":
        return "its rows stay in the target, where readers see them"
    return (
        "its rows stay in the target, where readers see them: it was made before it could hide any, and the next "
        "`cutover run` puts that right"
    )


def _taken_back(call: StageCall, asset: str) -> str:
    """It is hidden already: whatever stops the rollback leaves it so."""
    cohort, control = call.partition, call.workspace.control
    with call.workspace.target.transaction(read_only=True) as connection:
        since = last_taken_back(connection, cohort)
    if compared_before(control, cohort, AFTER_LOAD[-1], call.run_id, since):
        return (
            f"it was compared before, so that people may work with it and it is not taken back; {_where_they_are(call)}"
        )
    try:
        result = take_back_by_itself(call.workspace, call.instance, cohort, call.actor, f"{asset} failed")
    except CutoverError as refused:
        return f"{_where_they_are(call)}; it could not be taken back: {refused.message}. {refused.remedy}"
    return (
        f"it was taken back, {result.rows('goes'):,} rows removed and {result.rows('restored', 'returns'):,} put back "
        f"as they were: nothing of it is in the target. `cutover run --cohort {cohort}` loads it again"
    )
