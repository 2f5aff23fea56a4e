"""Which loads are taken back, and which stand: told from the ledger. The choice is pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.connectors.postgres_target import has_table
from migration_assets.domain.errors import BadInput, TargetRefused
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.load.rollback_tables import ROW_CHANGE, TAKEN_BACK
from migration_assets.stages.load.schema import CROSSWALK, LEDGER, RECORD_SCHEMA

if TYPE_CHECKING:
    from datetime import datetime

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.stages.rollback.place import Place


@dataclass(frozen=True)
class Load:
    """One load of the ledger that stands. `snapshot`: of the golden copy it came from."""

    load_id: int
    cohort: str
    snapshot: str


@dataclass(frozen=True)
class Chosen:
    """What is taken back together. `undone`: its loads, the first one first; `standing`: the last load of every other
    cohort that has any."""

    cohorts: tuple[str, ...]
    undone: tuple[Load, ...]
    standing: dict[str, int]

    @property
    def ids(self) -> list[int]:
        return [load.load_id for load in self.undone]

    @property
    def others(self) -> list[str]:
        """Cohorts whose rows are not to be touched. What became of these cohorts' rows that `unassigned` has, which
        belongs to nobody, goes along all the same."""
        return sorted(set(self.standing) - {UNASSIGNED})

    @property
    def last(self) -> Load:
        return self.undone[-1]


def choose(loads: Sequence[Load], cohorts: Collection[str]) -> Chosen:
    """The loads of these cohorts among those that stand. BadInput for a cohort of which nothing is in the target."""
    present = {load.cohort for load in loads}
    if missing := sorted(set(cohorts) - present):
        raise BadInput(
            f"there is no load of {', '.join(missing)} to take back",
            "It was never loaded, or was taken back already; `cutover status` shows which. In the target are loads of: "
            f"{', '.join(sorted(present)) or 'no cohort'}.",
        )
    undone = sorted((load for load in loads if load.cohort in cohorts), key=lambda load: load.load_id)
    standing: dict[str, int] = {}
    for load in loads:
        if load.cohort not in cohorts:
            standing[load.cohort] = max(load.load_id, standing.get(load.cohort, 0))
    return Chosen(tuple(sorted(cohorts)), tuple(undone), standing)


def standing_loads(connection: Connection, place: Place) -> list[Load]:
    """Loads of the ledger that were not taken back; rollbacks, which are in it too, are none."""
    query = sql.SQL(
        "SELECT DISTINCT load_id, cohort, snapshot FROM {ledger} WHERE load_id NOT IN "
        "(SELECT load_id FROM {taken} UNION SELECT rollback_id FROM {taken}) ORDER BY load_id"
    ).format(ledger=place.own(LEDGER), taken=place.own(TAKEN_BACK))
    return [Load(*row) for row in connection.execute(query).fetchall()]


def refuse_unnoted(connection: Connection, place: Place, chosen: Chosen) -> None:
    """TargetRefused for a load that has not noted every row that it inserted: one of an older version of Cutover."""
    query = sql.SQL(
        "SELECT l.load_id FROM {ledger} l LEFT JOIN (SELECT c.load_id, c.table_name, "
        "sum((SELECT count(*) FROM unnest(coalesce(c.ids::text[], c.codes), c.before) AS u(key, before) "
        "WHERE u.before IS NULL)) AS rows FROM {changes} c WHERE c.load_id = ANY({ids}) GROUP BY 1, 2) n "
        "ON n.load_id = l.load_id AND n.table_name = l.table_name "
        "WHERE l.load_id = ANY({ids}) AND l.table_name <> {crosswalk} AND l.inserted <> coalesce(n.rows, 0) ORDER BY 1"
    ).format(
        ledger=place.own(LEDGER),
        changes=place.own(ROW_CHANGE),
        ids=sql.Literal(chosen.ids),
        crosswalk=sql.Literal(CROSSWALK),
    )
    unnoted = sorted({row[0] for row in connection.execute(query).fetchall()})
    if unnoted:
        raise TargetRefused(
            f"loads {', '.join(map(str, unnoted))} of {', '.join(chosen.cohorts)} have not noted which rows they "
            "inserted; nothing was written",
            "They were made before Cutover could take a cohort back. Restore the target from a backup of before them.",
        )


def rolled_back(connection: Connection) -> dict[str, tuple[str, datetime]]:
    """Cohorts whose loads were all taken back -> by whom, and when the last time. None in a target without a record."""
    if not _notes_rollbacks(connection):
        return {}
    query = sql.SQL(
        "SELECT DISTINCT ON (t.cohort) t.cohort, t.actor, t.taken_back_at FROM {taken} t WHERE NOT EXISTS "
        "(SELECT FROM {ledger} l WHERE l.cohort = t.cohort AND l.load_id NOT IN "
        "(SELECT load_id FROM {taken} UNION SELECT rollback_id FROM {taken})) ORDER BY t.cohort, t.rollback_id DESC"
    ).format(taken=sql.Identifier(RECORD_SCHEMA, TAKEN_BACK), ledger=sql.Identifier(RECORD_SCHEMA, LEDGER))
    return {cohort: (actor, at) for cohort, actor, at in connection.execute(query).fetchall()}


def last_taken_back(connection: Connection, cohort: str) -> datetime | None:
    """When loads of a cohort were last taken back, whatever was loaded since; None if they never were."""
    if not _notes_rollbacks(connection):
        return None
    query = sql.SQL("SELECT max(taken_back_at) FROM {} WHERE cohort = %s")
    found = connection.execute(query.format(sql.Identifier(RECORD_SCHEMA, TAKEN_BACK)), [cohort]).fetchone()
    return found[0] if found else None


def _notes_rollbacks(connection: Connection) -> bool:
    """Whether the target has such a record."""
    return has_table(connection, RECORD_SCHEMA, TAKEN_BACK)
