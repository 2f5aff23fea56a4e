"""Rows that are in the target only because another cohort had them when the load that brought them was taken back.

To these cohorts they came as they were; when these are taken back in turn, nobody is left whose they are, and they go.
Lives in GHOSTS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.stages.load.rollback_tables import ROW_CHANGE, TAKEN_BACK
from migration_assets.stages.load.schema import CROSSWALK, PRE_IMAGE

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.stages.rollback.loads import Chosen
    from migration_assets.stages.rollback.place import Place

# Key: table_name, key. entity; load_id: the load that inserted the row, and is taken back.
GHOSTS = sql.Identifier("pg_temp", "rollback_ghosts")
# A row of ROW_CHANGE as `r`, in single rows.
UNPACKED = "unnest(coalesce(r.ids::text[], r.codes), r.before, r.after) AS u(key, before, after)"


def find_ghosts(connection: Connection, place: Place, chosen: Chosen, held: sql.Identifier) -> None:
    """Make GHOSTS: empty, and at once, as long as nothing was ever taken back. What other cohorts had meanwhile
    (`held`) is none: it goes back to them."""
    whens = (sql.SQL("WHEN {} THEN {}").format(sql.Literal(n), sql.Literal(place.entity(n))) for n in place.tables)
    connection.execute(
        sql.SQL(
            "CREATE TEMP TABLE {ghosts} ON COMMIT DROP AS SELECT g.table_name, g.key, g.load_id, "
            "CASE g.table_name {entities} END AS entity FROM (SELECT DISTINCT ON (r.table_name, u.key) r.table_name, "
            "u.key, r.load_id FROM {changes} r CROSS JOIN LATERAL " + UNPACKED + " WHERE u.before IS NULL "
            "AND u.after IS NOT NULL "
            "AND r.load_id <> ALL({ids}) AND r.load_id NOT IN (SELECT rollback_id FROM {taken}) "
            "AND EXISTS (SELECT FROM {taken}) "
            "ORDER BY r.table_name, u.key, r.load_id DESC) g "
            "WHERE g.load_id IN (SELECT load_id FROM {taken})"
        ).format(
            ghosts=GHOSTS,
            entities=sql.SQL(" ").join(whens),
            changes=place.own(ROW_CHANGE),
            ids=sql.Literal(chosen.ids),
            taken=place.own(TAKEN_BACK),
        )
    )
    connection.execute(
        sql.SQL("DELETE FROM {} g USING {} h WHERE h.entity = g.entity AND h.target_id = g.key").format(GHOSTS, held)
    )
    connection.execute(_kept_on_purpose(place, chosen))
    connection.execute(sql.SQL("ANALYZE {}").format(GHOSTS))


def _kept_on_purpose(place: Place, chosen: Chosen) -> sql.Composed:
    """Rows that an earlier rollback left because somebody else had changed them bear its number in the crosswalk, or
    did before these loads: they are no ghosts."""
    return sql.SQL(
        "DELETE FROM {ghosts} g USING (SELECT entity, target_id::text AS key, load_id FROM {record} UNION ALL "
        "SELECT row ->> 'entity', row ->> 'target_id', (row ->> 'load_id')::bigint FROM {images} "
        "WHERE table_name = {crosswalk} AND operation <> 'insert' AND load_id = ANY({ids})) k "
        "WHERE k.entity = g.entity AND k.key = g.key AND k.load_id IN (SELECT rollback_id FROM {taken})"
    ).format(
        ghosts=GHOSTS,
        record=place.own(CROSSWALK),
        images=place.own(PRE_IMAGE),
        crosswalk=sql.Literal(CROSSWALK),
        ids=sql.Literal(chosen.ids),
        taken=place.own(TAKEN_BACK),
    )
