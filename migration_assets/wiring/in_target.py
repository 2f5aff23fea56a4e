"""What the target holds of one customer now: rows by table, and the loads behind them. Counts and ids, no values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from psycopg import sql

from migration_assets.connectors.postgres_target import has_table
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import key_parts
from migration_assets.domain.errors import Misconfigured
from migration_assets.plan.ownership import owner_column
from migration_assets.stages.load.schema import CROSSWALK, LEDGER, RECORD_SCHEMA, key_column, table_of

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.plan.models import TargetSchema
    from migration_assets.wiring.workspace import Workspace

_OF_KEYS = sql.SQL(
    "SELECT x.source_system || '.' || x.source_table || ':' || x.source_id, x.target_id::text, x.status, x.cohort, "
    "x.snapshot, x.load_id, x.loaded_at FROM unnest(%s::text[], %s::text[], %s::text[]) "
    "AS asked (source_system, source_table, source_id) JOIN {record} x USING (source_system, source_table, source_id) "
    "WHERE x.entity = 'customer' ORDER BY 1"
)
_LOADS = sql.SQL(
    "SELECT load_id, loaded_at, snapshot, plan_digest, sum(inserted)::bigint, sum(updated)::bigint, "
    "sum(deleted)::bigint FROM {ledger} WHERE cohort = %s GROUP BY 1, 2, 3, 4 ORDER BY load_id"
)
_ROW = ("key", "target_id", "status", "cohort", "snapshot", "load", "loaded_at")
_LOAD = ("load", "loaded_at", "snapshot", "plan_digest", "inserted", "updated", "deleted")


def in_target(workspace: Workspace, members: Sequence[str], cohort: str | None) -> dict[str, Any]:
    """`rows`: the customer's own rows in the record of loads; `tables`: rows of the target that lead to them, counted
    now; `loads`: what wrote their cohort. Nothing of it before the first load, or where there is no target."""
    nothing: dict[str, Any] = {"rows": [], "tables": [], "loads": []}
    try:
        with workspace.target.transaction(read_only=True) as connection:
            if not has_table(connection, RECORD_SCHEMA, CROSSWALK):
                return nothing
            rows = _rows(connection, members)
            ids = sorted({r["target_id"] for r in rows})
            return {
                "rows": rows,
                "tables": _tables(connection, workspace.plan.target, ids),
                "loads": [] if cohort is None else _loads(connection, cohort),
            }
    except Misconfigured:
        return nothing


def _rows(connection: Connection, members: Sequence[str]) -> list[dict[str, Any]]:
    columns = [list(column) for column in zip(*(key_parts(key) for key in members), strict=True)]
    query = _OF_KEYS.format(record=sql.Identifier(RECORD_SCHEMA, CROSSWALK))
    return [_plain(_ROW, row) for row in connection.execute(query, columns).fetchall()]


def _loads(connection: Connection, cohort: str) -> list[dict[str, Any]]:
    query = _LOADS.format(ledger=sql.Identifier(RECORD_SCHEMA, LEDGER))
    return [_plain(_LOAD, row) for row in connection.execute(query, (cohort,)).fetchall()]


def _plain(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {n: v.isoformat() if n == "loaded_at" else v for n, v in zip(names, row, strict=True)}


def _tables(connection: Connection, schema: TargetSchema, ids: Sequence[str]) -> list[dict[str, Any]]:
    """table, rows: those that lead to one of these customers, over parents if need be; none without any."""
    found = []
    for table in schema.tables:
        where = _theirs(schema, table)
        if where is None or not ids:
            continue
        statement = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(sql.Identifier(schema.schema_name, table), where)
        counted = connection.execute(statement, {"ids": list(ids)}).fetchone()
        if counted and counted[0]:
            found.append({"table": table, "rows": counted[0]})
    return found


def _theirs(schema: TargetSchema, table: str) -> sql.Composable | None:
    """The condition that a row of the table is theirs; None where rows of it are nobody's."""
    declared = schema.tables[table]
    if declared.entity == "customer":
        return sql.SQL("{} = ANY(%(ids)s::uuid[])").format(sql.Identifier(key_column(declared)))
    owner = owner_column(schema, table)
    if owner is None or ENTITIES[declared.entity].origin == "catalog":
        return None
    column, parent = sql.Identifier(owner[0]), table_of(schema, owner[1])
    if owner[1] == "customer":
        return sql.SQL("{} = ANY(%(ids)s::uuid[])").format(column)
    above = None if parent is None else _theirs(schema, parent)
    if parent is None or above is None:
        return None
    key, whole = sql.Identifier(key_column(schema.tables[parent])), sql.Identifier(schema.schema_name, parent)
    return sql.SQL("{} IN (SELECT {} FROM {} WHERE {})").format(column, key, whole, above)
