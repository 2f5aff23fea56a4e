"""Who was erased does not come back by a rollback (I22): their rows are left out of what returns and is restored."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.plan.ownership import owner_column
from migration_assets.stages.load.schema import PRE_IMAGE, table_of
from migration_assets.stages.rollback.record import RECORD
from migration_assets.stages.rollback.rows import ROWS

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.stages.rollback.place import Place


def leave_out_erased(connection: Connection, place: Place, erased: Collection[str]) -> None:
    """Give the fate `erased` to rows of these customers (canonical keys) that would come back, and to what is theirs.

    What would be restored is left as it is now; what would return stays away.
    """
    table = table_of(place.schema, "customer")
    if not erased or table is None:
        return
    connection.execute(
        sql.SQL(
            "UPDATE {rows} r SET fate = 'erased' FROM {record} b WHERE r.table_name = {table} "
            "AND r.fate IN ('returns', 'restored') AND b.image ->> 'entity' = 'customer' "
            "AND b.image ->> 'target_id' = r.key AND (b.image ->> 'source_system') || '.' || "
            "(b.image ->> 'source_table') || ':' || (b.image ->> 'source_id') = ANY({erased})"
        ).format(rows=ROWS, record=RECORD, table=sql.Literal(table), erased=sql.Literal(sorted(erased)))
    )
    for name in place.tables:
        owner = owner_column(place.schema, name)
        parent = table_of(place.schema, owner[1]) if owner else None
        if owner is not None and parent is not None and not place.coded(name):
            connection.execute(_theirs(place, name, owner[0], parent))


def _theirs(place: Place, table: str, column: str, parent: str) -> sql.Composed:
    return sql.SQL(
        "UPDATE {rows} r SET fate = 'erased' FROM {images} p, {rows} o WHERE r.table_name = {table} "
        "AND r.fate IN ('returns', 'restored') AND p.load_id = r.first AND p.table_name = r.table_name "
        "AND p.target_id = r.key AND o.table_name = {parent} AND o.fate = 'erased' AND p.row ->> {column} = o.key"
    ).format(
        rows=ROWS,
        images=place.own(PRE_IMAGE),
        table=sql.Literal(table),
        parent=sql.Literal(parent),
        column=sql.Literal(column),
    )
