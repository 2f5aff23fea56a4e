"""Rows of the crosswalk that the loads touched, and what becomes of each (fates: `rows`). Lives in RECORD."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.stages.load.changes import key_text
from migration_assets.stages.load.guarded import same_key
from migration_assets.stages.load.rollback_tables import RESERVED_ID, TAKEN_BACK
from migration_assets.stages.load.schema import CROSSWALK, CROSSWALK_KEY, PRE_IMAGE, table_of
from migration_assets.stages.rollback.ghosts import GHOSTS
from migration_assets.stages.rollback.rows import ROWS, WRITTEN

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.stages.rollback.loads import Chosen
    from migration_assets.stages.rollback.place import Place

HELD = sql.Identifier("pg_temp", "rollback_held")
# Key: key (CROSSWALK_KEY joined by '|'). image: the row before these loads, none where there was none; last: the last
# of them that touched it; there, entity, target_id, status, cohort, load_id: what the crosswalk says now.
RECORD = sql.Identifier("pg_temp", "rollback_record")


def find_others(connection: Connection, place: Place, chosen: Chosen) -> None:
    """Make HELD: rows that another cohort which stands had meanwhile. What these loads did to them before is that
    cohort's by now, and is not undone; only what they did since they took them from it."""
    connection.execute(
        sql.SQL(
            "CREATE TEMP TABLE {held} ON COMMIT DROP AS SELECT target_id AS key, p.row ->> 'entity' AS entity, "
            "CASE WHEN p.row ->> 'status' = 'loaded' THEN p.row ->> 'target_id' END AS target_id, load_id "
            "FROM {images} p WHERE table_name = {crosswalk} AND operation <> 'insert' AND load_id > {first} "
            "AND p.row ->> 'cohort' = ANY({others}) AND load_id NOT IN (SELECT load_id FROM {taken})"
        ).format(
            held=HELD,
            images=place.own(PRE_IMAGE),
            crosswalk=sql.Literal(CROSSWALK),
            first=sql.Literal(chosen.ids[0]),
            others=sql.Literal(chosen.others),
            taken=place.own(TAKEN_BACK),
        )
    )
    connection.execute(sql.SQL("ANALYZE {}").format(HELD))


def find_record(connection: Connection, place: Place, chosen: Chosen) -> None:
    """Make RECORD.

    Also rows that were handed to these cohorts by one that is taken back by now: nobody else would take them out.
    A row that was inserted bears the number of the load that did it; once it was changed its pre-image does. The place
    of a ghost (`ghosts`) counts as not there.
    """
    statement = sql.SQL(
        "CREATE TEMP TABLE {record} ON COMMIT DROP AS "
        "WITH since AS (SELECT key, max(load_id) AS since FROM {held} GROUP BY 1), "
        "kept AS (SELECT DISTINCT ON (target_id) target_id AS key, operation, p.row, since FROM {images} p "
        "LEFT JOIN since s ON s.key = p.target_id WHERE load_id = ANY({ids}) AND table_name = {crosswalk} "
        "AND load_id >= coalesce(since, 0) ORDER BY target_id, load_id), "
        "last AS (SELECT target_id AS key, max(load_id) AS last FROM {images} WHERE load_id = ANY({ids}) "
        "AND table_name = {crosswalk} GROUP BY 1), "
        "stamped AS (SELECT {key} AS key, x.load_id AS last FROM {table} x WHERE x.load_id = ANY({ids})), "
        "left_over AS (SELECT {key} AS key, {last} AS last FROM {table} x JOIN {ghosts} g "
        "ON g.entity = x.entity AND g.key = x.target_id::text WHERE x.cohort = ANY({cohorts})), "
        "touched AS (SELECT key, max(last) AS last FROM (SELECT * FROM last UNION ALL SELECT * FROM stamped "
        "UNION ALL SELECT * FROM left_over) a LEFT JOIN since s USING (key) "
        "WHERE last >= coalesce(since, 0) GROUP BY 1) "
        "SELECT t.key, t.last, CASE WHEN k.operation <> 'insert' "
        "AND ((k.row ->> 'load_id')::bigint <> ALL({ids}) OR (k.row ->> 'load_id')::bigint < k.since) "
        "AND NOT EXISTS (SELECT FROM {ghosts} g WHERE g.entity = k.row ->> 'entity' "
        "AND g.key = k.row ->> 'target_id') THEN k.row END AS image, "
        "x.entity IS NOT NULL AS there, x.entity, x.target_id, x.status, x.cohort, "
        "x.load_id, NULL::text AS fate "
        "FROM touched t LEFT JOIN kept k USING (key) LEFT JOIN {table} x ON {key} = t.key"
    ).format(
        record=RECORD,
        held=HELD,
        images=place.own(PRE_IMAGE),
        ids=sql.Literal(chosen.ids),
        cohorts=sql.Literal(list(chosen.cohorts)),
        last=sql.Literal(chosen.ids[-1]),
        ghosts=GHOSTS,
        crosswalk=sql.Literal(CROSSWALK),
        key=key_text("x", CROSSWALK_KEY),
        table=place.own(CROSSWALK),
    )
    connection.execute(statement)
    connection.execute(sql.SQL("ANALYZE {}").format(RECORD))


def settle_record(connection: Connection, place: Place, chosen: Chosen) -> None:
    """Give each its fate, when the rows of the target have theirs: the record of a row that stays, stays, and nothing
    comes back that names a row which was not there."""
    entities = tuple(dict.fromkeys(place.entity(t) for t in place.tables if not place.coded(t)))
    for entity in entities:
        connection.execute(
            sql.SQL(
                "UPDATE {record} b SET image = NULL FROM {rows} r WHERE b.image ->> 'entity' = {entity} "
                "AND r.table_name = {table} AND r.key = b.image ->> 'target_id' AND r.before IS NULL"
            ).format(
                record=RECORD,
                rows=ROWS,
                entity=sql.Literal(entity),
                table=sql.Literal(table_of(place.schema, entity)),
            )
        )
    connection.execute(
        sql.SQL(
            "UPDATE {record} b SET fate = CASE WHEN there AND cohort = ANY({others}) THEN 'theirs' "
            "WHEN there AND image IS NULL THEN 'goes' WHEN there THEN 'restored' "
            "WHEN image IS NULL THEN 'settled' "
            "WHEN EXISTS (SELECT FROM {images} p WHERE p.table_name = {crosswalk} AND p.target_id = b.key "
            "AND p.load_id > b.last AND p.load_id NOT IN (SELECT load_id FROM {taken})) THEN 'theirs' "
            "ELSE 'returns' END"
        ).format(
            record=RECORD,
            others=sql.Literal(chosen.others),
            images=place.own(PRE_IMAGE),
            crosswalk=sql.Literal(CROSSWALK),
            taken=place.own(TAKEN_BACK),
        )
    )
    for entity in entities:
        _keep_with_its_row(connection, place, entity)
    connection.execute(
        sql.SQL(
            "UPDATE {record} b SET fate = 'theirs' WHERE fate IN ('returns', 'restored') "
            "AND image ->> 'status' = 'loaded' "
            "AND EXISTS (SELECT FROM {record} o WHERE o.entity = b.image ->> 'entity' AND o.status = 'loaded' "
            "AND o.target_id::text = b.image ->> 'target_id' AND o.key <> b.key AND o.fate IN ('theirs', 'kept'))"
        ).format(record=RECORD)
    )


def _keep_with_its_row(connection: Connection, place: Place, entity: str) -> None:
    """What stands for a row that stays in the target, or does not come back to it, stays or does not come back."""
    table = sql.Literal(table_of(place.schema, entity))
    connection.execute(
        sql.SQL(
            "UPDATE {record} b SET fate = 'kept' FROM {rows} r WHERE b.entity = {entity} AND b.status = 'loaded' "
            "AND b.fate IN ('goes', 'restored') AND r.table_name = {table} AND r.key = b.target_id::text "
            "AND r.fate IN ('kept', 'theirs')"
        ).format(record=RECORD, rows=ROWS, entity=sql.Literal(entity), table=table)
    )
    connection.execute(
        sql.SQL(
            "UPDATE {record} b SET fate = 'erased' FROM {rows} r WHERE b.image ->> 'entity' = {entity} "
            "AND b.image ->> 'status' = 'loaded' AND b.fate IN ('returns', 'restored') AND r.table_name = {table} "
            "AND r.key = b.image ->> 'target_id' AND r.fate = 'erased'"
        ).format(record=RECORD, rows=ROWS, entity=sql.Literal(entity), table=table)
    )


def reserve_ids(connection: Connection, place: Place, rollback_id: int) -> int:
    """Keep the ids of customers that leave the crosswalk now, where they are not simply minted from their own key, or
    another was kept before: the next load gives them the same ones. How many."""
    statement = sql.SQL(
        "INSERT INTO {reserved} SELECT x.source_system, x.source_table, x.source_id, x.target_id, x.status, x.founder, "
        "x.cohort, {rollback} FROM {table} x JOIN {record} b ON b.key = {key} WHERE x.entity = 'customer' "
        "AND b.fate = ANY({written}) AND (x.target_id IN (SELECT target_id FROM {table} WHERE entity = 'customer' "
        "GROUP BY 1 HAVING count(*) > 1 OR NOT bool_and(founder)) OR EXISTS (SELECT FROM {reserved} r WHERE {same})) "
        "ON CONFLICT (source_system, source_table, source_id) DO UPDATE SET target_id = EXCLUDED.target_id, "
        "status = EXCLUDED.status, founder = EXCLUDED.founder, cohort = EXCLUDED.cohort, "
        "rollback_id = EXCLUDED.rollback_id"
    ).format(
        reserved=place.own(RESERVED_ID),
        rollback=sql.Literal(rollback_id),
        table=place.own(CROSSWALK),
        record=RECORD,
        key=key_text("x", CROSSWALK_KEY),
        written=sql.Literal(list(WRITTEN)),
        same=same_key("r", "x", CROSSWALK_KEY[1:]),
    )
    return connection.execute(statement).rowcount


def write_record(connection: Connection, place: Place, rollback_id: int) -> tuple[int, int, int]:
    """Bring the crosswalk back; rows that went, were restored, and returned. What is kept bears the number of the
    rollback from now on, since its load is taken back and it is there all the same."""
    key = key_text("x", CROSSWALK_KEY)
    table = place.own(CROSSWALK)
    connection.execute(
        sql.SQL("DELETE FROM {} x USING {} b WHERE b.key = {} AND b.fate IN ('goes', 'restored')").format(
            table, RECORD, key
        )
    )
    connection.execute(
        sql.SQL("UPDATE {} x SET load_id = {} FROM {} b WHERE b.key = {} AND b.fate = 'kept'").format(
            table, sql.Literal(rollback_id), RECORD, key
        )
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO {table} SELECT r.* FROM {record} b CROSS JOIN LATERAL "
            "jsonb_populate_record(NULL::{table}, b.image) r WHERE b.fate IN ('restored', 'returns')"
        ).format(table=table, record=RECORD)
    )
    counted = connection.execute(
        sql.SQL(
            "SELECT count(*) FILTER (WHERE fate = 'goes'), count(*) FILTER (WHERE fate = 'restored'), "
            "count(*) FILTER (WHERE fate = 'returns') FROM {}"
        ).format(RECORD)
    ).fetchone()
    return (int(counted[0]), int(counted[1]), int(counted[2])) if counted else (0, 0, 0)
