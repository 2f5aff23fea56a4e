"""Entries that the audit log lacks because a process died between the COMMIT in the target and the entry about it.

The record in the target was part of that COMMIT and knows. Whoever works on a cohort next writes the entry first, while
nobody else can be at work on it; each load or rollback has one entry, and of a cohort only its last can lack it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg import sql

from migration_assets.connectors.postgres_target import has_table
from migration_assets.stages.load.rollback_tables import TAKEN_BACK
from migration_assets.stages.load.schema import CROSSWALK, LEDGER, RECORD_SCHEMA
from migration_assets.stages.rollback.take_back import RUN

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.wiring.workspace import Workspace

LOADED, ROLLED_BACK = "loaded", "rolled_back"
# Where an entry of this kind comes from.
TOLD_BY = "record of the target"
_LEDGER, _TAKEN = sql.Identifier(RECORD_SCHEMA, LEDGER), sql.Identifier(RECORD_SCHEMA, TAKEN_BACK)
_COUNTS = sql.SQL(
    "coalesce(sum(l.inserted) FILTER (WHERE l.table_name <> {c}), 0)::bigint, "
    "coalesce(sum(l.updated) FILTER (WHERE l.table_name <> {c}), 0)::bigint, "
    "coalesce(sum(l.deleted) FILTER (WHERE l.table_name <> {c}), 0)::bigint"
).format(c=sql.Literal(CROSSWALK))


@dataclass(frozen=True)
class _Done:
    """A load or rollback as the target has it. `named`: what its entry has that no other one of the cohort has."""

    number: int
    action: str
    actor: str
    named: dict[str, Any]
    detail: dict[str, Any]


def make_good(workspace: Workspace, cohorts: Sequence[str], actor: str) -> None:
    """Write the entries that are missing of these cohorts, of which the caller holds the locks. `actor`: whoever does
    it; the target does not know who ordered a load."""
    for cohort in cohorts:
        with workspace.target.transaction(read_only=True) as connection:
            if not _has_both(connection):
                return
            done = sorted((*_last_load(connection, cohort, actor), *_last_rollback(connection, cohort)), key=_number)
        for one in done:
            if not workspace.control.has_audit(one.action, cohort, one.named):
                detail = {**one.named, **one.detail, "told_by": TOLD_BY}
                workspace.control.audit(one.actor, one.action, cohort, detail, now=datetime.now(UTC))


def _has_both(connection: Connection) -> bool:
    """Whether the target has both records; one that an older version has loaded has no rollbacks."""
    return all(has_table(connection, RECORD_SCHEMA, name) for name in (LEDGER, TAKEN_BACK))


def _number(done: _Done) -> int:
    return done.number


def _last_load(connection: Connection, cohort: str, actor: str) -> Iterator[_Done]:
    query = sql.SQL(
        # Packages of one load have a number each and all else in common.
        "SELECT max(l.load_id), l.run_id, l.snapshot, l.plan_digest, l.loaded_at, {} FROM {} l "
        "WHERE l.cohort = %s AND l.run_id <> %s GROUP BY 2, 3, 4, 5 ORDER BY 1 DESC LIMIT 1"
    ).format(_COUNTS, _LEDGER)
    for number, run, snapshot, plan, at, new, changed, gone in connection.execute(query, [cohort, RUN]).fetchall():
        detail = {
            "rows_written": new + changed + gone,
            "rows_removed": gone,
            "snapshot": snapshot,
            "plan_digest": plan,
            "loaded_at": at.astimezone(UTC).isoformat(),
        }
        yield _Done(number, LOADED, actor, {"run_id": run}, detail)


def _last_rollback(connection: Connection, cohort: str) -> Iterator[_Done]:
    query = sql.SQL(
        "SELECT t.rollback_id, t.actor, t.taken_back_at, t.loads, {counts} FROM (SELECT rollback_id, actor, "
        "taken_back_at, array_agg(load_id ORDER BY load_id) AS loads FROM {taken} WHERE rollback_id = "
        "(SELECT max(rollback_id) FROM {taken} WHERE cohort = %s) GROUP BY 1, 2, 3) t "
        "LEFT JOIN {ledger} l ON l.load_id = t.rollback_id GROUP BY 1, 2, 3, 4"
    ).format(counts=_COUNTS, taken=_TAKEN, ledger=_LEDGER)
    for number, actor, at, loads, returned, restored, gone in connection.execute(query, [cohort]).fetchall():
        detail = {
            "loads": loads,
            "rows_deleted": gone,
            "rows_restored": restored,
            "rows_returned": returned,
            "rolled_back_at": at.astimezone(UTC).isoformat(),
        }
        yield _Done(number, ROLLED_BACK, actor, {"rollback_id": number}, detail)
