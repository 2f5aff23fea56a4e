"""Rows that their cohort no longer has although others in the target still point at them: they stay for as long."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.connectors.postgres_target import names
from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.load.schema import CROSSWALK, CROSSWALK_KEY, RECORD_SCHEMA, key_column, references_to

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.plan.models import TargetSchema

# Rows of this cohort that stay, and stay its own. Key: CROSSWALK_KEY.
SPARED = sql.Identifier("pg_temp", "spared_rows")
_RECORD = sql.Identifier(RECORD_SCHEMA, CROSSWALK)


def make_spared(connection: Connection) -> None:
    """An empty SPARED, once in each transaction."""
    statement = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
    connection.execute(statement.format(SPARED, names(CROSSWALK_KEY), _RECORD))


def spare_what_is_needed(
    connection: Connection, schema: TargetSchema, cohort: str, entity: str, gone: sql.Identifier
) -> Counter[str]:
    """Take out of `gone` (rows of one entity that this cohort is about to remove) what rows of another cohort still
    point at, over one another if need be; how many, by the cohort that has each now.

    The other cohort is given the record, and removes them when nothing of its own needs them any more. Reference data,
    which no other cohort would look after, stays its own and goes with a later load, when nothing points at it at all.
    """
    statements = [
        _spare(schema, table, column, cohort, entity, gone)
        for table, column in references_to(schema, entity)
        if ENTITIES[schema.tables[table].entity].origin != "catalog"
    ]
    kept: Counter[str] = Counter()
    # What is kept points on at others.
    while found := [c for statement in statements for (c,) in connection.execute(statement).fetchall()]:
        kept.update([cohort] * len(found) if _stays(entity) else found)
    return kept


def _stays(entity: str) -> bool:
    return ENTITIES[entity].stage == "reference_data"


def _spare(
    schema: TargetSchema, table: str, column: str, cohort: str, entity: str, gone: sql.Identifier
) -> sql.Composed:
    """One step over one reference: for each row that it takes out of `gone`, whose cohort's row points at it."""
    if _stays(entity):
        # This cohort's own rows too: the load of reference data does not touch them.
        whose: sql.Composable = sql.SQL("true")
        keep = sql.SQL("INSERT INTO {} SELECT {} FROM {} g JOIN kept k ON g.target_id = k.target_id").format(
            SPARED, names(CROSSWALK_KEY, "g"), gone
        )
    else:
        whose = sql.SQL("x.cohort <> {}").format(sql.Literal(cohort))
        keep = sql.SQL(
            "UPDATE {} r SET cohort = k.cohort FROM kept k WHERE r.target_id = k.target_id AND r.entity = {} "
            "AND r.status = 'loaded' AND r.cohort = {}"
        ).format(_RECORD, sql.Literal(entity), sql.Literal(cohort))
    return sql.SQL(
        "WITH kept AS (SELECT g.target_id, min(x.cohort) AS cohort FROM {gone} g JOIN {table} c "
        "ON c.{column} = g.target_id JOIN {record} x ON x.target_id = c.{key} AND x.entity = {child} "
        "AND x.status = 'loaded' AND {whose} GROUP BY g.target_id), "
        "done AS ({keep}) DELETE FROM {gone} g USING kept k WHERE g.target_id = k.target_id "
        "RETURNING k.cohort"
    ).format(
        gone=gone,
        table=sql.Identifier(schema.schema_name, table),
        column=sql.Identifier(column),
        record=_RECORD,
        key=sql.Identifier(key_column(schema.tables[table])),
        child=sql.Literal(schema.tables[table].entity),
        whose=whose,
        keep=keep,
    )
