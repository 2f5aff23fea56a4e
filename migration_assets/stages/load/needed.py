"""Rows that their cohort no longer has although others in the target still point at them: they stay for as long."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.connectors.postgres_target import names
from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.load.guarded import RECORD_TABLE
from migration_assets.stages.load.schema import CROSSWALK, CROSSWALK_KEY, key_column, references_to

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.plan.models import TargetSchema
    from migration_assets.stages.load.changes import Changes

# Rows of this cohort that stay, and stay its own. Key: CROSSWALK_KEY.
SPARED = sql.Identifier("pg_temp", "spared_rows")


def make_spared(connection: Connection) -> None:
    """An empty SPARED, once in each transaction."""
    statement = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
    connection.execute(statement.format(SPARED, names(CROSSWALK_KEY), RECORD_TABLE))


def spare_what_is_needed(
    changes: Changes, schema: TargetSchema, cohort: str, entity: str, gone: sql.Identifier
) -> Counter[str]:
    """Take out of `gone` (rows of one entity that this cohort is about to remove) what rows of another cohort still
    point at, over one another if need be; how many, by the cohort that has each now.

    The other cohort is given the record, and removes them when nothing of its own needs them any more. Reference data,
    which no other cohort would look after, stays its own and goes with a later load, when nothing points at it at all.
    """
    statements = [
        _spare(changes, schema, table, column, cohort, entity, gone)
        for table, column in references_to(schema, entity)
        if ENTITIES[schema.tables[table].entity].origin != "catalog"
    ]
    kept: Counter[str] = Counter()
    # What is kept points on at others.
    while found := [c for statement in statements for (c,) in changes.connection.execute(statement).fetchall()]:
        kept.update([cohort] * len(found) if _stays(entity) else found)
    return kept


def _stays(entity: str) -> bool:
    return ENTITIES[entity].stage == "reference_data"


def _spare(
    changes: Changes, schema: TargetSchema, table: str, column: str, cohort: str, entity: str, gone: sql.Identifier
) -> sql.Composed:
    """One step over one reference: for each row that it takes out of `gone`, whose cohort's row points at it."""
    if _stays(entity):
        # This cohort's own rows too: the load of reference data does not touch them.
        whose: sql.Composable = sql.SQL("true")
        keep = sql.SQL("done AS (INSERT INTO {} SELECT {} FROM {} g JOIN kept k ON g.target_id = k.target_id)").format(
            SPARED, names(CROSSWALK_KEY, "g"), gone
        )
    else:
        whose = sql.SQL("x.cohort <> {}").format(sql.Literal(cohort))
        given = sql.SQL("{t}.entity = {entity} AND {t}.status = 'loaded' AND {t}.cohort = {cohort}")
        row = {"entity": sql.Literal(entity), "cohort": sql.Literal(cohort)}
        which = sql.SQL("JOIN kept k ON k.target_id = t.target_id WHERE ") + given.format(t=sql.SQL("t"), **row)
        keep = sql.SQL(
            "{images}, noted AS ({hashes}), done AS (UPDATE {record} r SET cohort = k.cohort FROM kept k "
            "WHERE r.target_id = k.target_id AND {given})"
        ).format(
            **changes.parts(CROSSWALK, RECORD_TABLE, CROSSWALK_KEY, which),
            record=RECORD_TABLE,
            given=given.format(t=sql.SQL("r"), **row),
        )
    return sql.SQL(
        "WITH kept AS (SELECT g.target_id, min(x.cohort) AS cohort FROM {gone} g JOIN {table} c "
        "ON c.{column} = g.target_id JOIN {record} x ON x.target_id = c.{key} AND x.entity = {child} "
        "AND x.status = 'loaded' AND {whose} GROUP BY g.target_id), "
        "{keep} DELETE FROM {gone} g USING kept k WHERE g.target_id = k.target_id "
        "RETURNING k.cohort"
    ).format(
        gone=gone,
        table=sql.Identifier(schema.schema_name, table),
        column=sql.Identifier(column),
        record=RECORD_TABLE,
        key=sql.Identifier(key_column(schema.tables[table])),
        child=sql.Literal(schema.tables[table].entity),
        whose=whose,
        keep=keep,
    )
