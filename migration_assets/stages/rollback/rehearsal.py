"""A rollback tried out in copies of the target's schemas: with every row and constraint, and timed.

The copies are made in a transaction that is never committed. So nobody ever sees them, the target itself is only read,
and whatever happens, a killed process included, leaves nothing behind.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
from psycopg import sql

from migration_assets.connectors.postgres_target import complaint
from migration_assets.domain.errors import TargetRefused
from migration_assets.stages.rollback.place import Place
from migration_assets.stages.rollback.take_back import RollbackOrder, RollbackResult, undo_loads

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection, PostgresTarget
    from migration_assets.plan.models import Plan


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal took: milliseconds for the copy and for the rollback itself, and rows copied."""

    result: RollbackResult
    copied_rows: int
    copy_milliseconds: int
    rollback_milliseconds: int


def rehearse(target: PostgresTarget, plan: Plan, order: RollbackOrder) -> Rehearsed:
    """Take the cohorts back in copies. Refuses what the rollback itself would refuse; TargetRefused also where the
    target's account may not make a schema."""
    place = Place.of(plan)
    number = uuid4().hex[:12]
    copy = Place(plan, f"rehearsal_{number}", f"rehearsal_{number}_record")
    with target.transaction() as connection:
        began = time.monotonic()
        rows = _copied(connection, place, copy)
        copied = time.monotonic()
        result = undo_loads(connection, copy, order)
        ended = time.monotonic()
        connection.rollback()
    return Rehearsed(result, rows, _milliseconds(copied - began), _milliseconds(ended - copied))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _copied(connection: Connection, place: Place, copy: Place) -> int:
    """Both schemas, all their tables with rows, indexes and constraints; how many rows."""
    try:
        # What is copied must be of one moment, though loads may go on beside.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        pairs = ((place.target, copy.target), (place.record, copy.record))
        tables = {schema: _tables_in(connection, schema) for schema, _ in pairs}
        rows = sum(_copy_tables(connection, schema, into, tables[schema]) for schema, into in pairs)
        for schema, into in pairs:
            _bind(connection, schema, into)
    except psycopg.Error as error:
        said = complaint(error)
        raise TargetRefused(
            f"the target's schemas cannot be copied for a rehearsal: {said.message}; nothing was written",
            "The account of the target's URL has to be allowed to create schemas in its database, and to read all "
            "tables; there has to be room for the copies.",
        ) from None
    return rows


def _tables_in(connection: Connection, schema: str) -> list[str]:
    found = connection.execute(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relkind IN ('r', 'p') ORDER BY 1",
        [schema],
    )
    return [name for (name,) in found.fetchall()]


def _copy_tables(connection: Connection, schema: str, into: str, tables: list[str]) -> int:
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(into)))
    rows = 0
    for table in tables:
        old, new = sql.Identifier(schema, table), sql.Identifier(into, table)
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(new, old))
        copied = connection.execute(sql.SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE SELECT * FROM {}").format(new, old))
        rows += copied.rowcount
        connection.execute(sql.SQL("ANALYZE {}").format(new))
    return rows


_FOREIGN_KEYS = """
SELECT c.relname::text, k.conname::text, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND k.contype = 'f' AND k.conparentid = 0 ORDER BY 1, 2
"""


def _bind(connection: Connection, schema: str, into: str) -> None:
    """Foreign keys, which a copied table does not bring along: read with the one schema in sight, so that the tables
    they lead to are not qualified, and made with the other."""
    connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))
    keys = connection.execute(_FOREIGN_KEYS.encode(), [schema]).fetchall()
    connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(into)))
    for table, name, definition in keys:
        statement = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(sql.Identifier(table), sql.Identifier(name))
        connection.execute(statement.as_bytes(connection) + definition.encode())
    connection.execute("SET LOCAL search_path TO DEFAULT")
