"""Rows of the target that the loads touched, and what becomes of each. Lives in a table of the transaction, ROWS.

fate:
    goes       it was not there before: it is deleted
    restored   it comes back as it was before the first of these loads touched it
    returns    it was removed, and is inserted again as it was
    settled    nothing is left to do
    theirs     another cohort has it now, or has written it since: it stays with that one
    later      another cohort has written it since, and what it was before cannot come back under that
    changed    it is not what the last load left: somebody else changed or removed it
    needed     rows that no load brought point at it
    kept       changed or needed, or what these point at, and left as it is because the plan says so
    erased     its customer was erased since: it does not come back
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.stages.load.changes import key_text, row_hash
from migration_assets.stages.load.rollback_tables import ROW_CHANGE, TAKEN_BACK
from migration_assets.stages.load.schema import CROSSWALK, CROSSWALK_KEY
from migration_assets.stages.rollback.ghosts import GHOSTS, UNPACKED

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.stages.rollback.loads import Chosen
    from migration_assets.stages.rollback.place import Place

# Key: table_name, key. first, last: of these loads, those that touched the row; before, after: its hash before the one
# and after the other; now: its hash now; owner: the cohort that has it; led: only a reference of another cohort's row.
ROWS = sql.Identifier("pg_temp", "rollback_rows")
_TOUCHES, _LATER = sql.Identifier("pg_temp", "rollback_touches"), sql.Identifier("pg_temp", "rollback_later")
# Fates of rows that a rollback writes.
WRITTEN = ("goes", "restored", "returns")


def find_rows(
    connection: Connection, place: Place, chosen: Chosen, record: sql.Identifier, held: sql.Identifier
) -> None:
    """Make ROWS. `record`, `held`: what of the crosswalk the loads touched, and what others had meanwhile."""
    _touches(connection, place, chosen, record, held)
    connection.execute(
        sql.SQL(
            "CREATE TEMP TABLE {} (table_name text, entity text, key text, first bigint, last bigint, "
            "before bigint, after bigint, now bigint, owner text, led boolean, fate text, "
            "PRIMARY KEY (table_name, key)) ON COMMIT DROP"
        ).format(ROWS)
    )
    for table in place.tables:
        connection.execute(_rows_of(place, table, place.as_text(connection, table)))
    connection.execute(sql.SQL("ANALYZE {}").format(ROWS))
    _mark_led(connection, place, chosen, record)
    _later(connection, place, chosen)
    connection.execute(_fates(chosen))


def _touches(
    connection: Connection, place: Place, chosen: Chosen, record: sql.Identifier, held: sql.Identifier
) -> None:
    """What each load did to each row, with what is left over of others (`_left_over`); but for what a later rollback of
    another cohort has made void, since the row was taken out with that one, and for what came before another cohort
    had the row (`record.find_others`)."""
    ids, changes = sql.Literal(chosen.ids), place.own(ROW_CHANGE)
    connection.execute(
        sql.SQL(
            "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT r.load_id, r.table_name, u.key, u.before, u.after "
            "FROM {} r CROSS JOIN LATERAL " + UNPACKED + " WHERE r.load_id = ANY({})"
        ).format(_TOUCHES, changes, ids)
    )
    connection.execute(_left_over(place, record))
    connection.execute(
        sql.SQL(
            "DELETE FROM {} t USING (SELECT r.load_id, r.table_name, u.key FROM {} r CROSS JOIN LATERAL "
            + UNPACKED
            + " WHERE r.load_id IN (SELECT rollback_id FROM {}) AND u.after IS NULL) v "
            "WHERE v.table_name = t.table_name AND v.key = t.key AND t.load_id < v.load_id"
        ).format(_TOUCHES, changes, place.own(TAKEN_BACK))
    )
    connection.execute(
        sql.SQL(
            "DELETE FROM {} t USING (SELECT entity, target_id, max(load_id) AS since FROM {} GROUP BY 1, 2) h "
            "WHERE h.target_id = t.key AND t.load_id < h.since AND h.entity = ({})"
        ).format(_TOUCHES, held, _entity_of(place))
    )
    connection.execute(sql.SQL("ANALYZE {}").format(_TOUCHES))


def _entity_of(place: Place) -> sql.Composed:
    """The entity of the table that `t` names."""
    whens = (sql.SQL("WHEN {} THEN {}").format(sql.Literal(n), sql.Literal(place.entity(n))) for n in place.tables)
    return sql.SQL("CASE t.table_name {} END").format(sql.SQL(" ").join(whens))


def _left_over(place: Place, record: sql.Identifier) -> sql.Composed:
    """What loads that are taken back did to ghosts that these cohorts have."""
    return sql.SQL(
        "INSERT INTO {touches} SELECT r.load_id, r.table_name, u.key, u.before, u.after FROM {changes} r "
        "CROSS JOIN LATERAL "
        + UNPACKED
        + " WHERE r.load_id IN (SELECT load_id FROM {taken}) AND (r.table_name, u.key) IN (SELECT g.table_name, g.key "
        "FROM {ghosts} g JOIN {record} b ON b.entity = g.entity AND b.target_id::text = g.key AND b.status = 'loaded' "
        "WHERE b.there AND b.image IS NULL AND r.load_id >= g.load_id)"
    ).format(
        touches=_TOUCHES,
        changes=place.own(ROW_CHANGE),
        taken=place.own(TAKEN_BACK),
        record=record,
        ghosts=GHOSTS,
    )


def _rows_of(place: Place, table: str, as_text: bool) -> sql.Composed:
    """The touched rows of one table, with their hash now and the cohort that has them."""
    coded = place.coded(table)
    owner = sql.SQL("LEFT JOIN {} x ON x.entity = {} AND x.status = 'loaded' AND x.target_id = g.key::uuid").format(
        place.own(CROSSWALK), sql.Literal(place.entity(table))
    )
    return sql.SQL(
        "INSERT INTO {rows} "
        "SELECT {table}, {entity}, g.key, g.first, g.last, "
        "CASE WHEN o.key IS NULL THEN g.before END, g.after, {hash}, {cohort}, false "
        "FROM (SELECT key, min(load_id) AS first, max(load_id) AS last, "
        "(array_agg(before ORDER BY load_id))[1] AS before, (array_agg(after ORDER BY load_id DESC))[1] AS after "
        "FROM {touches} WHERE table_name = {table} GROUP BY key) g "
        "LEFT JOIN {ghosts} o ON o.table_name = {table} AND o.key = g.key AND o.load_id < g.first "
        "LEFT JOIN {target} t ON t.{key} = g.key::{kind} {owner}"
    ).format(
        rows=ROWS,
        ghosts=GHOSTS,
        table=sql.Literal(table),
        entity=sql.Literal(place.entity(table)),
        hash=row_hash("t", as_text),
        cohort=sql.SQL("NULL" if coded else "x.cohort"),
        touches=_TOUCHES,
        target=place.table(table),
        key=place.key(table),
        kind=place.kind(table),
        owner=sql.Composed([]) if coded else owner,
    )


def _mark_led(connection: Connection, place: Place, chosen: Chosen, record: sql.Identifier) -> None:
    """Rows of other cohorts in which only a reference was led: the loads never touched their place in the record."""
    connection.execute(
        sql.SQL(
            "UPDATE {rows} r SET led = true WHERE owner = ANY({others}) AND before IS NOT NULL AND NOT EXISTS "
            "(SELECT FROM {crosswalk} x JOIN {record} b ON b.key = {key} "
            "WHERE x.entity = r.entity AND x.status = 'loaded' AND x.target_id::text = r.key)"
        ).format(
            rows=ROWS,
            others=sql.Literal(chosen.others),
            crosswalk=place.own(CROSSWALK),
            record=record,
            key=key_text("x", CROSSWALK_KEY),
        )
    )


def _later(connection: Connection, place: Place, chosen: Chosen) -> None:
    """Who wrote rows that are not what these loads left: the last entry of the ledger that left them as they are now;
    `taken`: of a load that is taken back, whose row stayed with these cohorts."""
    connection.execute(
        sql.SQL(
            "CREATE TEMP TABLE {later} ON COMMIT DROP AS "
            "SELECT DISTINCT ON (b.table_name, b.key) b.table_name, b.key, r.load_id, u.after, "
            "r.load_id IN (SELECT load_id FROM {taken}) AS taken "
            "FROM {changes} r CROSS JOIN LATERAL " + UNPACKED + " JOIN {rows} b "
            "ON b.table_name = r.table_name AND b.key = u.key AND b.last < r.load_id "
            "AND b.now IS DISTINCT FROM b.after AND u.after IS NOT DISTINCT FROM b.now WHERE r.load_id > {first} "
            "ORDER BY b.table_name, b.key, r.load_id DESC"
        ).format(
            later=_LATER,
            changes=place.own(ROW_CHANGE),
            rows=ROWS,
            first=sql.Literal(chosen.ids[0]),
            taken=place.own(TAKEN_BACK),
        )
    )


def _fates(chosen: Chosen) -> sql.Composed:
    undone = sql.SQL(
        "CASE WHEN r.before IS NULL THEN CASE WHEN r.now IS NULL THEN 'settled' ELSE 'goes' END "
        "WHEN r.now IS NULL THEN 'returns' WHEN r.now = r.before THEN 'settled' ELSE 'restored' END"
    )
    return sql.SQL(
        "UPDATE {rows} r SET fate = CASE WHEN r.owner = ANY({others}) AND NOT r.led THEN 'theirs' "
        "WHEN r.now IS NOT DISTINCT FROM r.after THEN {undone} "
        "WHEN r.owner = ANY({others}) THEN 'theirs' "
        "WHEN l.key IS NOT NULL THEN CASE WHEN r.before IS NULL OR l.taken THEN {undone} "
        "ELSE 'later' END "
        "ELSE 'changed' END "
        "FROM {rows} s LEFT JOIN {later} l ON l.table_name = s.table_name AND l.key = s.key "
        "AND l.after IS NOT DISTINCT FROM s.now WHERE s.table_name = r.table_name AND s.key = r.key"
    ).format(rows=ROWS, others=sql.Literal(chosen.others), undone=undone, later=_LATER)


def later_cohorts(connection: Connection, place: Place) -> dict[str, int]:
    """Cohorts that wrote rows over which what was before cannot come back, and how many rows each."""
    query = sql.SQL(
        "SELECT g.cohort, count(*) FROM {} r JOIN {} l USING (table_name, key) "
        "JOIN (SELECT DISTINCT load_id, cohort FROM {}) g ON g.load_id = l.load_id WHERE r.fate = 'later' GROUP BY 1"
    ).format(ROWS, _LATER, place.own("load_ledger"))
    return {cohort: int(count) for cohort, count in connection.execute(query).fetchall()}
