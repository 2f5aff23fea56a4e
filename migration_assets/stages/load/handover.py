"""Customers that have changed cohort since they were loaded: their rows stay in the target, and their record moves.

Without this a cohort would delete what it no longer has although another one has it now, and would do so even where
that other one is blocked: somebody would lose access to all they pay for. What is handed over is compared, changed and
removed by the cohort that has it now, when that one is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
from psycopg import sql

from migration_assets.connectors.postgres_target import copy_in, write_csv
from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.ownership import UNASSIGNED, owner_column
from migration_assets.stages.load.schema import CROSSWALK, RECORD_SCHEMA, parents_first, table_of
from migration_assets.stages.load.shape import source_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import TargetSchema

_RECORD = sql.Identifier(RECORD_SCHEMA, CROSSWALK)
_MEMBERS, _HANDED = sql.Identifier("pg_temp", "handover_members"), sql.Identifier("pg_temp", "handover_handed")
_KEY = ("source_system", "source_table", "source_id")


@dataclass(frozen=True)
class Membership:
    """Who is in which cohort now. `members`: customer_id (canonical key), identity_id, cohort; `cohorts`: all that the
    plan knows."""

    members: ir.Table
    cohorts: frozenset[str]

    @property
    def founders(self) -> ir.Table:
        """Customers that stand for themselves, in any cohort. Columns: entity, key."""
        return self.members.select(entity=ibis.literal("customer"), key="identity_id").distinct()


def hand_over(
    engine: DuckDBEngine,
    connection: Connection,
    schema: TargetSchema,
    cohort: str,
    membership: Membership,
    folder: Path,
) -> int:
    """Give the record of every customer that came to this cohort, left it, or was in one that is no longer planned, and
    of all that is theirs, to the cohort that has them now; returns how many rows of the target that were.

    What is left of cohorts that are no longer planned becomes that of `unassigned`, so that somebody looks at it.
    """
    moved = _hand_over_members(engine, connection, schema, cohort, membership, folder)
    left = connection.execute(
        sql.SQL("UPDATE {} SET cohort = {} WHERE cohort <> ALL({})").format(
            _RECORD, sql.Literal(UNASSIGNED), sql.Literal(sorted({*membership.cohorts, UNASSIGNED}))
        )
    )
    return moved + left.rowcount


def _hand_over_members(
    engine: DuckDBEngine,
    connection: Connection,
    schema: TargetSchema,
    cohort: str,
    membership: Membership,
    folder: Path,
) -> int:
    members = membership.members
    path = folder / "members.csv"
    placed = members.filter(members["cohort"].notnull())
    parts = {c: v for c, v in source_of("customer", placed["customer_id"]).items() if c in _KEY}
    write_csv(engine, placed.select(**parts, cohort=placed["cohort"]), path)
    connection.execute(
        sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {}, cohort FROM {} WITH NO DATA").format(
            _MEMBERS, sql.SQL(", ").join(map(sql.Identifier, _KEY)), _RECORD
        )
    )
    copy_in(connection, _MEMBERS, (*_KEY, "cohort"), path)
    # Just made, it has no statistics.
    connection.execute(sql.SQL("ANALYZE {}").format(_MEMBERS))
    connection.execute(
        sql.SQL(
            "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT x.target_id, x.entity, m.cohort FROM {} x JOIN {} m "
            "USING (source_system, source_table, source_id) WHERE x.entity = 'customer' AND x.status = 'loaded' "
            "AND x.cohort <> m.cohort AND ({} IN (x.cohort, m.cohort) OR x.cohort <> ALL({}))"
        ).format(_HANDED, _RECORD, _MEMBERS, sql.Literal(cohort), sql.Literal(sorted(membership.cohorts)))
    )
    moved = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(_HANDED)).fetchone()
    if moved is None or not moved[0]:
        return 0
    for name, table in parents_first(schema):
        owner = owner_column(schema, name)
        recorded = ENTITIES[table.entity].origin != "catalog" and table_of(schema, table.entity) == name
        if table.entity != "customer" and recorded and owner is not None:
            connection.execute(_belongings(schema, name, owner))
    return connection.execute(
        sql.SQL(
            "UPDATE {} x SET cohort = h.cohort FROM {} h "
            "WHERE h.target_id = x.target_id AND h.entity = x.entity AND x.cohort <> h.cohort"
        ).format(_RECORD, _HANDED)
    ).rowcount


def _belongings(schema: TargetSchema, name: str, owner: tuple[str, str]) -> sql.Composed:
    """Rows of a table that belong to what is handed over already; parents come first."""
    table = schema.tables[name]
    return sql.SQL(
        "INSERT INTO {handed} SELECT t.{key}, {entity}, h.cohort FROM {target} t JOIN {handed} h "
        "ON h.target_id = t.{owner} AND h.entity = {parent}"
    ).format(
        handed=_HANDED,
        key=sql.Identifier(next(iter(table.columns))),
        entity=sql.Literal(table.entity),
        target=sql.Identifier(schema.schema_name, name),
        owner=sql.Identifier(owner[0]),
        parent=sql.Literal(owner[1]),
    )
