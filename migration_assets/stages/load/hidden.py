"""Cohorts whose rows readers of the target do not see: hiding one, and showing it again.

The rows are where they always are. `cutover.hidden_cohort` says which cohorts are hidden and why, `cutover.hidden_row`
which ids that comes to; a policy on each table lets everyone but its owner and the writer see only rows whose id is not
in there (`hidden_tables`). Catalog and reference data, which belong to no cohort, are never hidden. All of it happens
in the caller's transaction, which has to hold the plan's lock (`hold`): the crosswalk must not change meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from psycopg import sql

from migration_assets.connectors.postgres_target import has_table
from migration_assets.stages.load.hidden_tables import HIDDEN_COHORT, HIDDEN_ROW, HIDEABLE
from migration_assets.stages.load.schema import CROSSWALK, RECORD_SCHEMA

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection

# Its reconciliation failed; or it is not in the target as a whole yet.
Reason = Literal["differs", "incomplete"]


def hide(connection: Connection, cohort: str, reason: Reason, now: datetime) -> None:
    """From the commit on readers see no row of the cohort; called again, no row that it has got since either."""
    statement = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s) ON CONFLICT (cohort, reason) DO NOTHING")
    connection.execute(statement.format(sql.Identifier(RECORD_SCHEMA, HIDDEN_COHORT)), (cohort, reason, now))
    keep_hidden(connection)


def show(
    connection: Connection, cohorts: Collection[str], reason: Reason | None = None, record: str = RECORD_SCHEMA
) -> frozenset[str]:
    """This reason to hide these cohorts, or any, is gone; those without another are visible from the commit on. Returns
    the cohorts that had it. `record`: the schema of the record, or of a copy of it."""
    if not knows_hidden(connection, record):
        return frozenset()
    statement = sql.SQL("DELETE FROM {} WHERE cohort = ANY(%s) AND (reason = %s OR %s) RETURNING cohort")
    found = connection.execute(
        statement.format(sql.Identifier(record, HIDDEN_COHORT)), (sorted(cohorts), reason, reason is None)
    ).fetchall()
    keep_hidden(connection, record)
    return frozenset(cohort for (cohort,) in found)


def heirs_of_incomplete(connection: Connection) -> frozenset[str]:
    """Cohorts that have rows now of one of which packages are outstanding, and were not hidden with it; before the rows
    that are hidden are made to agree again (`hide`, `show`). One that has no rows left is forgotten."""
    if not any("incomplete" in reasons for reasons in hidden_cohorts(connection).values()):
        return frozenset()
    names = {
        "rows": sql.Identifier(RECORD_SCHEMA, HIDDEN_ROW),
        "cohorts": sql.Identifier(RECORD_SCHEMA, HIDDEN_COHORT),
        "crosswalk": sql.Identifier(RECORD_SCHEMA, CROSSWALK),
    }
    heirs = sql.SQL(
        "SELECT DISTINCT x.cohort FROM {crosswalk} x JOIN {rows} h USING (target_id, entity) "
        "WHERE x.status = 'loaded' AND x.cohort NOT IN (SELECT cohort FROM {cohorts})"
    )
    found = frozenset(cohort for (cohort,) in connection.execute(heirs.format(**names)).fetchall())
    left = "DELETE FROM {cohorts} c WHERE reason = 'incomplete' AND NOT EXISTS "
    left += "(SELECT FROM {crosswalk} x WHERE x.cohort = c.cohort)"
    connection.execute(sql.SQL(left).format(**names))
    return found


def keep_hidden(connection: Connection, record: str = RECORD_SCHEMA) -> None:
    """The rows that are hidden are those that hidden cohorts have by the crosswalk now: after a load, a handing over or
    a rollback has changed whose they are."""
    if not knows_hidden(connection, record):
        return
    names = {
        "rows": sql.Identifier(record, HIDDEN_ROW),
        "cohorts": sql.Identifier(record, HIDDEN_COHORT),
        "crosswalk": sql.Identifier(record, CROSSWALK),
        "entities": sql.Literal(sorted(HIDEABLE)),
    }
    concerned = sql.SQL("SELECT EXISTS (SELECT FROM {cohorts}) OR EXISTS (SELECT FROM {rows})").format(**names)
    if (connection.execute(concerned).fetchone() or (False,)) == (False,):
        return
    theirs = sql.SQL(
        "SELECT x.target_id, x.entity FROM {crosswalk} x WHERE x.status = 'loaded' "
        "AND x.cohort IN (SELECT cohort FROM {cohorts}) AND x.entity = ANY({entities})"
    ).format(**names)
    gone = "DELETE FROM {rows} h WHERE NOT EXISTS (SELECT FROM ({theirs}) t WHERE {same})"
    same = sql.SQL("t.target_id = h.target_id AND t.entity = h.entity")
    connection.execute(sql.SQL(gone).format(theirs=theirs, same=same, **names))
    connection.execute(
        sql.SQL("INSERT INTO {rows} (target_id, entity) {theirs} ON CONFLICT DO NOTHING").format(theirs=theirs, **names)
    )


def hidden_cohorts(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Cohort -> why it is hidden, in order."""
    if not knows_hidden(connection):
        return {}
    query = sql.SQL("SELECT cohort, array_agg(reason ORDER BY reason) FROM {} GROUP BY 1 ORDER BY 1")
    found = connection.execute(query.format(sql.Identifier(RECORD_SCHEMA, HIDDEN_COHORT))).fetchall()
    return {cohort: tuple(reasons) for cohort, reasons in found}


def knows_hidden(connection: Connection, record: str = RECORD_SCHEMA) -> bool:
    """Whether there are such tables: a target that was made before them has none until the next run."""
    return has_table(connection, record, HIDDEN_ROW)
