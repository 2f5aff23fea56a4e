"""Taking cohorts back: the rollback itself with all that has to follow it, and its rehearsal.

Verdicts of what was loaded are withdrawn before the rollback is visible, so that nobody goes on from a load that is
gone; the audit log and Dagster hear of it afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from migration_assets.domain.errors import BadInput, StageRefused, TargetRefused
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.load.catalog import has_record
from migration_assets.stages.load.inputs import forget_inputs
from migration_assets.stages.rollback.obstacles import ChangedSince
from migration_assets.stages.rollback.place import Place
from migration_assets.stages.rollback.rehearsal import rehearse
from migration_assets.stages.rollback.since import done_since
from migration_assets.stages.rollback.take_back import RollbackOrder, RollbackResult, roll_back
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.audit_gaps import ROLLED_BACK, make_good
from migration_assets.wiring.rollback_files import write_changed, write_statement
from migration_assets.wiring.stage_names import ARRIVAL

if TYPE_CHECKING:
    from migration_assets.domain.after_rollback import Statement
    from migration_assets.wiring.workspace import Workspace


def take_back(
    workspace: Workspace, instance: dg.DagsterInstance, cohorts: Sequence[str], actor: str, *, dry_run: bool = False
) -> dict[str, Any]:
    """Take the cohorts back out of the target; with `dry_run`, prove that it could be done and leave it.

    BadInput where nothing of a cohort is there; StageRefused where a run is working on it; TargetRefused where other
    cohorts or other people's changes are in the way, or the proof fails. Nothing has changed then.
    """
    with _held(workspace, cohorts):
        # Once nobody works on them any more: the run that was waited for may have learned of an erasure.
        order, since = _order(workspace, cohorts, actor, dry_run=dry_run)
        if not dry_run:
            make_good(workspace, order.cohorts, actor)
        told = _written_statement(workspace, order, since)
        with _listed(workspace, order):
            result = roll_back(workspace.target, workspace.plan, order, lambda r: _withdraw(workspace, r))
        if not dry_run:
            # While they are held: who works on them next writes an entry that it does not find.
            _enter(workspace, result, order)
    if not dry_run:
        _observe(instance, result, order)
    return _shown(result) | told


def take_back_by_itself(
    workspace: Workspace, instance: dg.DagsterInstance, cohort: str, actor: str, because: str
) -> RollbackResult:
    """Take one cohort back without anybody asking for it; the caller, a stage, has the cohort's lock and shares the
    phase. It takes no lock of ticks: the one that it may be part of has it. A tick that has chosen the cohort already
    finds out when it comes to load it.

    TargetRefused as `take_back`, whatever the plan says of rows that others changed, and where the new system has
    worked with the cohort: then a person decides. StageRefused when it is not known who was erased.
    """
    order, since = _order(workspace, [cohort], actor)
    if not since.is_empty:
        raise TargetRefused(
            f"the new system has worked with {cohort} since it was loaded",
            f"`cutover rollback --cohort {cohort} --dry-run` says what would have to be made good.",
        )
    order = replace(order, changed_since="refuse")
    with _listed(workspace, order):
        result = roll_back(workspace.target, workspace.plan, order, lambda r: _withdraw(workspace, r))
    _enter(workspace, result, order, because=because)
    _observe(instance, result, order)
    return result


def _enter(workspace: Workspace, result: RollbackResult, order: RollbackOrder, **more: str) -> None:
    """The audit log hears of it, and of what is `more`; hashes of what was loaded are of no use any more."""
    for cohort in result.cohorts:
        forget_inputs(workspace.kept_folder, cohort)
        workspace.control.audit(order.actor, ROLLED_BACK, cohort, _audited(result) | more, now=order.at)


def _observe(instance: dg.DagsterInstance, result: RollbackResult, order: RollbackOrder) -> None:
    """Dagster hears of it."""
    for cohort in result.cohorts:
        instance.report_runless_asset_event(_observed(result, cohort, order))


def try_out(workspace: Workspace, cohorts: Sequence[str], actor: str) -> dict[str, Any]:
    """Take the cohorts back in copies of the target's schemas, and keep in the audit log how long it took."""
    order, since = _order(workspace, cohorts, actor)
    told = _written_statement(workspace, order, since)
    with _listed(workspace, order):
        tried = rehearse(workspace.target, workspace.plan, order)
    took = {
        "copied_rows": tried.copied_rows,
        "copy_milliseconds": tried.copy_milliseconds,
        "rollback_milliseconds": tried.rollback_milliseconds,
    }
    for cohort in tried.result.cohorts:
        workspace.control.audit(actor, "rollback_rehearsed", cohort, _audited(tried.result) | took, now=order.at)
    return _shown(tried.result) | told | {"rehearsed": took}


def _order(
    workspace: Workspace, cohorts: Sequence[str], actor: str, *, dry_run: bool = False
) -> tuple[RollbackOrder, Statement]:
    """What is asked for, and what the new system has done since."""
    wanted = tuple(dict.fromkeys(cohorts))
    if not has_record(workspace.target):
        raise BadInput(
            f"there is no load of {', '.join(wanted)} to take back", "The target holds no record of any load."
        )
    with workspace.target.transaction(read_only=True) as connection:
        since = done_since(connection, Place.of(workspace.plan), wanted)
    policy = workspace.plan.file.rollback.changed_since
    return RollbackOrder(wanted, actor, datetime.now(UTC), policy, _erased(workspace), dry_run), since


def _erased(workspace: Workspace) -> frozenset[str]:
    """Customer rows that were erased, or share the fate of one that was, as the last run knows them."""
    from migration_assets.stages.cleanse.survivorship import erased_identities

    rows = workspace.store.file("standardized_parties", GLOBAL, "customer")
    identities = workspace.store.file("customer_identities", GLOBAL, "identities")
    if not rows.exists() or not identities.exists():
        raise StageRefused(
            "who was erased meanwhile is not known here, and a rollback must not bring them back",
            "Run `cutover run` so that the global phase looks at all customers again, then take the cohort back.",
        )
    with workspace.engine() as engine:
        known = engine.read(identities)
        gone = known.semi_join(erased_identities(engine.read(rows), known), "identity_id").select("customer_id")
        return frozenset(engine.arrow(gone)["customer_id"].to_pylist())


@contextmanager
def _held(workspace: Workspace, cohorts: Sequence[str]) -> Iterator[None]:
    """No run works on these cohorts meanwhile, no global phase and no tick, which would load again what it meant to."""
    control = workspace.control
    with control.delta_lock(), control.phase_lock(shared=True), ExitStack() as held:
        for cohort in sorted(set(cohorts)):
            held.enter_context(workspace.control.cohort_lock(cohort))
        yield


@contextmanager
def _listed(workspace: Workspace, order: RollbackOrder) -> Iterator[None]:
    """Rows that somebody else changed, where they stop the rollback: their keys go to a file, and it is named."""
    try:
        yield
    except ChangedSince as refused:
        path = write_changed(workspace.environment.reports, order.cohorts, refused.rows)
        raise TargetRefused(refused.message, f"{refused.remedy} The list, which only you can read: {path}") from None


def _withdraw(workspace: Workspace, result: RollbackResult) -> None:
    """What was found of these loads is no longer so, and of those that have to be done again because of it."""
    workspace.control.withdraw_verdicts(ARRIVAL, (*result.cohorts, *result.received))
    if UNASSIGNED in result.cohorts:
        # Reference data are loaded under this name.
        workspace.control.withdraw_verdicts(("reference_data",))


def _written_statement(workspace: Workspace, order: RollbackOrder, since: Statement) -> dict[str, Any]:
    """The statement as a file, and what may be told of it here: counts, and money by currency."""
    path = None if since.is_empty else write_statement(workspace.environment.reports, order, since)
    money: dict[str, dict[str, int]] = {}
    for credit in since.credits:
        of_currency = money.setdefault(credit.currency, {"credit_minor": 0, "money_minor": 0})
        of_currency["credit_minor"] += credit.credit_minor
        of_currency["money_minor"] += credit.money_minor
    return {
        "since_the_load": {
            "customers_to_credit": len({c.customer for c in since.credits}),
            "credits": money,
            "usage_counters": len(since.usage),
            "stays": list(since.stays),
            "file": None if path is None else str(path),
        }
    }


def _audited(result: RollbackResult) -> dict[str, Any]:
    return {
        "rollback_id": result.rollback_id,
        "loads": list(result.loads),
        "together_with": list(result.cohorts),
        "rows_deleted": result.rows("goes"),
        "rows_restored": result.rows("restored"),
        "rows_returned": result.rows("returns"),
        "rows_kept": result.rows("kept"),
        "proven": all(p.holds for p in result.proof),
    }


def _observed(result: RollbackResult, cohort: str, order: RollbackOrder) -> dg.AssetObservation:
    """What the UI shows of the cohort from now on: its last event is that it was taken back."""
    metadata = {k.replace("_", " "): v for k, v in _audited(result).items() if isinstance(v, int)}
    said = {"state": "rolled back", "rolled back by": order.actor, "rolled back at": order.at.isoformat()}
    return dg.AssetObservation(
        "loaded_target", partition=cohort, description="rolled back", metadata={**said, **metadata}
    )


def _shown(result: RollbackResult) -> dict[str, Any]:
    gone, restored, returned = result.crosswalk
    return {
        "cohorts": list(result.cohorts),
        "dry_run": result.dry_run,
        "loads": list(result.loads),
        "tables": [
            {
                "table": p.table,
                "deleted": result.rows_of(p.table, "goes"),
                "restored": result.rows_of(p.table, "restored"),
                "returned": result.rows_of(p.table, "returns"),
                "kept": result.rows_of(p.table, "kept"),
                "with_other_cohorts": result.rows_of(p.table, "theirs"),
                "erased": result.rows_of(p.table, "erased"),
                "untouched": p.after.rest_rows,
                "proven": p.holds,
                "as_recorded": p.as_recorded,
                "rows_before": p.before.rows,
                "rows_after": p.after.rows,
                "hash_before": f"{p.before.total:x}",
                "hash_after": f"{p.after.total:x}",
            }
            for p in result.proof
        ],
        "crosswalk": {"deleted": gone, "restored": restored, "returned": returned},
        "ids_reserved": result.reserved,
        "to_be_loaded_again": list(result.received),
    }
