"""What readers of the target may rely on, cohort by cohort: applied, and compared with its source or not yet.

Kept in the target itself, beside the rows, in schema `cutover`: whoever reads rows can read this too. A load says
`applied` in the transaction of its rows, of its own cohort and of those it has changed rows of; what looks at the rows
afterwards says `verified` or `differs`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.connectors.postgres_target import has_table
from migration_assets.stages.load.ddl import Column, Constraint, Table

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection

RECORD, COHORT_STATE = "cutover", "cohort_state"
APPLIED, VERIFIED, DIFFERS = "applied", "verified", "differs"
_MEANING = (
    "applied: its rows are there, and not compared with the source since; verified: compared, and nothing stands "
    "against them; differs: compared, and something does."
)


def cohort_state_table() -> Table:
    """One row for each cohort that has rows in the target."""
    return Table(
        schema=RECORD,
        name=COHORT_STATE,
        columns=(
            Column("cohort", "text", True, "Cohort."),
            Column("state", "text", True, _MEANING),
            Column("snapshot", "text", True, "Snapshot its rows came from."),
            Column("run_id", "text", True, "Run that said so."),
            Column("changed_at", "timestamp with time zone", True, "When."),
        ),
        constraints=(
            Constraint("cohort_state_pkey", "PRIMARY KEY (cohort)"),
            Constraint("cohort_state_state", f"CHECK (state IN ('{APPLIED}', '{VERIFIED}', '{DIFFERS}'))"),
        ),
        comment="Whether what the target holds of a cohort has been compared with its source.",
        grants=(("writer", ("SELECT", "INSERT", "UPDATE", "DELETE")), ("reader", ("SELECT",))),
    )


def set_states(
    connection: Connection,
    cohorts: Collection[str],
    state: str,
    snapshot: str,
    run_id: str,
    now: datetime,
    record: str = RECORD,
) -> None:
    """Say of these cohorts how they stand now; within the caller's transaction. What stands already is left alone.
    `record`: the schema of the record, or of a copy of it."""
    statement = sql.SQL(
        "INSERT INTO {} AS t VALUES (%s, %s, %s, %s, %s) ON CONFLICT (cohort) DO UPDATE SET state = EXCLUDED.state, "
        "snapshot = EXCLUDED.snapshot, run_id = EXCLUDED.run_id, changed_at = EXCLUDED.changed_at "
        "WHERE (t.state, t.snapshot) <> (EXCLUDED.state, EXCLUDED.snapshot)"
    )
    for cohort in sorted(cohorts):
        connection.execute(
            statement.format(sql.Identifier(record, COHORT_STATE)), (cohort, state, snapshot, run_id, now)
        )


def forget_states(connection: Connection, cohorts: Collection[str], record: str = RECORD) -> None:
    """These cohorts have no rows in the target any more."""
    statement = sql.SQL("DELETE FROM {} WHERE cohort = ANY(%s)").format(sql.Identifier(record, COHORT_STATE))
    connection.execute(statement, [sorted(cohorts)])


def has_states(connection: Connection, record: str = RECORD) -> bool:
    """Whether there is such a table: a target that was made before it has none until the next run."""
    return has_table(connection, record, COHORT_STATE)


def states(connection: Connection) -> dict[str, str]:
    """Cohort -> how it stands."""
    if not has_states(connection):
        return {}
    found = connection.execute(sql.SQL("SELECT cohort, state FROM {}").format(sql.Identifier(RECORD, COHORT_STATE)))
    return {str(cohort): str(state) for cohort, state in found}
