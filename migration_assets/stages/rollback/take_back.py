"""A rollback as a whole: all of some cohorts in one transaction, under the lock of a load, and proven or undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Literal

import psycopg
from psycopg import sql

from migration_assets.connectors.postgres_target import complaint
from migration_assets.domain.errors import TargetRefused
from migration_assets.stages.load.cohort_states import APPLIED, forget_states, has_states, set_states
from migration_assets.stages.load.hidden import show
from migration_assets.stages.load.hold import LOCK_SECONDS, hold_plan, next_id, waiting
from migration_assets.stages.load.outcome import Outcome
from migration_assets.stages.load.rollback_tables import ROW_CHANGE, TAKEN_BACK
from migration_assets.stages.load.schema import CROSSWALK, LEDGER, role_names
from migration_assets.stages.load.seal_table import break_seals
from migration_assets.stages.rollback.erased import leave_out_erased
from migration_assets.stages.rollback.ghosts import find_ghosts
from migration_assets.stages.rollback.loads import Chosen, choose, refuse_unnoted, standing_loads
from migration_assets.stages.rollback.obstacles import (
    ChangedSince,
    Foreign,
    by_fate,
    foreign_rows,
    mark_needed,
    preserve,
    refuse_what_others_need,
)
from migration_assets.stages.rollback.place import Place
from migration_assets.stages.rollback.proof import Proven, measured, proven, refuse_torn_record, torn
from migration_assets.stages.rollback.record import (
    HELD,
    RECORD,
    find_others,
    find_record,
    reserve_ids,
    settle_record,
    write_record,
)
from migration_assets.stages.rollback.rows import ROWS, WRITTEN, find_rows
from migration_assets.stages.rollback.undo import write_rows

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection, PostgresTarget
    from migration_assets.plan.models import Plan

ChangedSincePolicy = Literal["refuse", "preserve"]
# What the ledger says in place of a run.
RUN = "rollback"


@dataclass(frozen=True)
class RollbackOrder:
    """Which rollback this is. `at` and `actor` come from the caller; `erased` are canonical keys of customers that were
    erased since, and do not come back."""

    cohorts: tuple[str, ...]
    actor: str
    at: datetime
    changed_since: ChangedSincePolicy = "refuse"
    erased: frozenset[str] = frozenset()
    dry_run: bool = False
    lock_seconds: int = LOCK_SECONDS


@dataclass(frozen=True)
class RollbackResult:
    """What a rollback did. `fates`: table -> fate (`rows`) -> rows; `crosswalk`: rows of it that went, were restored
    and returned; `kept`: rows that others changed, left as they are; `received`: other cohorts of which rows
    came back; `reserved`: ids that stay given."""

    cohorts: tuple[str, ...]
    loads: tuple[int, ...]
    rollback_id: int
    fates: dict[str, Counter[str]]
    crosswalk: tuple[int, int, int]
    proof: tuple[Proven, ...]
    kept: tuple[Foreign, ...]
    received: tuple[str, ...]
    reserved: int
    dry_run: bool

    def rows(self, *fates: str) -> int:
        """Rows of the target's tables with these fates."""
        return sum(of_table[fate] for of_table in self.fates.values() for fate in fates)

    def rows_of(self, table: str, fate: str) -> int:
        """Rows of one table with this fate."""
        return self.fates.get(table, Counter())[fate]


def roll_back(
    target: PostgresTarget,
    plan: Plan,
    order: RollbackOrder,
    before_commit: Callable[[RollbackResult], None] = lambda _: None,
) -> RollbackResult:
    """Take the cohorts back in the target. `before_commit` is called when all is proven and nothing is visible yet.

    BadInput: nothing of a cohort is there. ChangedSince: others changed rows, and the order says `refuse`.
    TargetRefused: other cohorts stand on these, or the proof failed. Nothing was written then.
    """
    writer, place = role_names(plan)["writer"], Place.of(plan)
    hold = partial(hold_plan, plan=plan.file.uuid, seconds=order.lock_seconds)
    with Outcome(target, writer, hold, "rollback") as outcome, target.transaction(role=writer) as connection:
        hold(connection)
        result = undo_loads(connection, place, order)
        if order.dry_run:
            connection.rollback()
        else:
            before_commit(result)
            outcome.committing(_entered(place, result.rollback_id, order))
    return result


def _entered(place: Place, rollback_id: int, order: RollbackOrder) -> sql.Composed:
    """Whether the target has this rollback; the number alone may be another's by now."""
    return sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE rollback_id = {} AND taken_back_at = {})").format(
        place.own(TAKEN_BACK), sql.Literal(rollback_id), sql.Literal(order.at)
    )


def undo_loads(connection: Connection, place: Place, order: RollbackOrder) -> RollbackResult:
    """The rollback, in a transaction that is the caller's to commit."""
    try:
        return _undone(connection, place, order)
    except psycopg.Error as error:
        said = complaint(error)
        where = ", ".join(p for p in (said.table, said.constraint or said.column) if p)
        raise TargetRefused(
            f"the target refused the rollback: {said.message}{f' [{where}]' if where else ''}; nothing was written",
            "A row that comes back does not fit what is there now, or the target lacks tables of the record: "
            "`cutover run` makes them.",
        ) from None


def _undone(connection: Connection, place: Place, order: RollbackOrder) -> RollbackResult:
    chosen = choose(standing_loads(connection, place), order.cohorts)
    refuse_unnoted(connection, place, chosen)
    _keep_others_out(connection, place, order)
    # Tables of the transaction, whose statistics are young: rows by the thousand are not looked up one by one.
    connection.execute("SET LOCAL enable_nestloop = off")
    find_others(connection, place, chosen)
    find_ghosts(connection, place, chosen, HELD)
    find_record(connection, place, chosen)
    find_rows(connection, place, chosen, RECORD, HELD)
    leave_out_erased(connection, place, order.erased)
    refuse_what_others_need(connection, place, chosen, RECORD)
    mark_needed(connection, place)
    kept = foreign_rows(connection, place)
    if kept and order.changed_since == "refuse":
        raise ChangedSince(kept)
    preserve(connection, place)
    settle_record(connection, place, chosen)
    rollback_id = next_id(connection, place.record)
    before, torn_before, received = measured(connection, place), torn(connection, place), _received(connection, chosen)
    reserved = reserve_ids(connection, place, rollback_id)
    crosswalk = write_record(connection, place, rollback_id)
    write_rows(connection, place)
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    _note(connection, place, rollback_id)
    proof = proven(connection, place, before)
    refuse_torn_record(connection, place, torn_before)
    fates = dict(by_fate(connection))
    _enter(connection, place, order, chosen, rollback_id, fates, crosswalk)
    _tell_readers(connection, place, order, chosen, received)
    break_seals(connection, place.record)
    connection.execute("SET LOCAL enable_nestloop TO DEFAULT")
    return RollbackResult(
        chosen.cohorts, tuple(chosen.ids), rollback_id, fates, crosswalk, proof, kept, received, reserved, order.dry_run
    )


def _keep_others_out(connection: Connection, place: Place, order: RollbackOrder) -> None:
    """Until the end nobody else writes to these tables, though everybody reads: what was looked at is what is undone,
    and the proof is about nobody else's rows."""
    tables = sql.SQL(", ").join(map(place.table, place.tables))
    remedy = "Wait until whoever writes there has committed, then take the cohort back again."
    with waiting(connection, order.lock_seconds, "others have been writing to the target", remedy):
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(tables))


def _received(connection: Connection, chosen: Chosen) -> tuple[str, ...]:
    """Other cohorts of which rows come back, or are led back: they have to be loaded again."""
    query = sql.SQL(
        "SELECT owner FROM {} WHERE fate = ANY({written}) AND owner <> ALL({cohorts}) UNION "
        "SELECT image ->> 'cohort' FROM {} WHERE fate = ANY({written}) AND image ->> 'cohort' <> ALL({cohorts})"
    ).format(
        ROWS,
        RECORD,
        written=sql.Literal(list(WRITTEN)),
        cohorts=sql.Literal(list(chosen.cohorts)),
    )
    return tuple(sorted(c for (c,) in connection.execute(query).fetchall()))


def _note(connection: Connection, place: Place, rollback_id: int) -> None:
    """What the rollback itself changed, as a load notes it; and what is gone now for good, whoever removed it."""
    for table in place.tables:
        keys = sql.Identifier("codes" if place.coded(table) else "ids")
        connection.execute(
            sql.SQL(
                "INSERT INTO {changes} (load_id, table_name, part, {keys}, before, after) "
                "SELECT {id}, {table}, part, array_agg(key::{kind}), array_agg(now), array_agg(gained) "
                "FROM (SELECT key, now, CASE WHEN fate <> 'goes' THEN before END AS gained, "
                "(row_number() OVER () - 1) / 10000 AS part "
                "FROM {rows} WHERE table_name = {table} "
                "AND (fate = ANY({written}) OR fate = 'settled' AND now IS NULL)) r GROUP BY part"
            ).format(
                changes=place.own(ROW_CHANGE),
                keys=keys,
                id=sql.Literal(rollback_id),
                table=sql.Literal(table),
                kind=place.kind(table),
                rows=ROWS,
                written=sql.Literal(list(WRITTEN)),
            )
        )


def _tell_readers(
    connection: Connection, place: Place, order: RollbackOrder, chosen: Chosen, received: tuple[str, ...]
) -> None:
    """Readers of the target find no word of these cohorts any more, and that others have got rows. What is left of
    hidden ones is theirs who have it now."""
    show(connection, chosen.cohorts, record=place.record)
    if has_states(connection, place.record):
        forget_states(connection, chosen.cohorts, place.record)
        set_states(connection, received, APPLIED, chosen.last.snapshot, RUN, order.at, place.record)


def _enter(
    connection: Connection,
    place: Place,
    order: RollbackOrder,
    chosen: Chosen,
    rollback_id: int,
    fates: dict[str, Counter[str]],
    crosswalk: tuple[int, int, int],
) -> None:
    """The rollback's own entry in the ledger, and which loads it took back."""
    entry = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)").format(place.own(LEDGER))
    gone, restored, returned = crosswalk
    counts = {t: (f["returns"], f["restored"], 0, f["goes"]) for t, f in fates.items()}
    counts = {t: n for t, n in counts.items() if any(n)} | {CROSSWALK: (returned, restored, 0, gone)}
    head = (rollback_id, chosen.last.cohort, chosen.last.snapshot, place.plan.digest)
    for table, rows in counts.items():
        connection.execute(entry, (*head, table, *rows, order.at, RUN))
    taken = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s, %s)").format(place.own(TAKEN_BACK))
    for load in chosen.undone:
        connection.execute(taken, (load.load_id, rollback_id, load.cohort, order.actor, order.at))
