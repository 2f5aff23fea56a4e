"""Who is one customer in the target already, asked of its crosswalk: ids that were given stay, so what is loaded weighs
in what comes next. Every question that who-is-who has for the target is asked here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg import sql

from migration_assets.connectors.postgres_target import has_table
from migration_assets.domain.canonical.model import key_parts
from migration_assets.stages.load.schema import CROSSWALK, RECORD_SCHEMA

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import PostgresTarget

_RECORD = sql.Identifier(RECORD_SCHEMA, CROSSWALK)
_KEY = sql.SQL("x.source_system || '.' || x.source_table || ':' || x.source_id")
_OF_KEYS = sql.SQL(
    "SELECT {key}, x.target_id::text FROM unnest(%s::text[], %s::text[], %s::text[]) "
    "AS asked (source_system, source_table, source_id) "
    "JOIN {record} x USING (source_system, source_table, source_id) WHERE x.entity = 'customer'"
)
_OF_IDS = sql.SQL(
    "SELECT {key}, x.target_id::text FROM {record} x WHERE x.entity = 'customer' AND x.target_id IN "
    "(SELECT unnest(%s::uuid[])) ORDER BY x.founder DESC, 1"
)


def ids_in_target(target: PostgresTarget, customer_ids: Iterable[str]) -> dict[str, str]:
    """Target id of each canonical customer key that has been loaded, merged ones included.

    Nothing while the target has no record of loads.
    """
    parts = [key_parts(key) for key in customer_ids]
    return _asked(target, _OF_KEYS, [list(column) for column in zip(*parts, strict=True)])


def rows_of_ids(target: PostgresTarget, target_ids: Iterable[str]) -> dict[str, str]:
    """Canonical key -> target id of all customer rows that the target has under one of these ids, the founders first.

    What is no id at all stands for nobody.
    """
    ids = sorted({str(i) for i in map(_uuid, target_ids) if i is not None})
    return _asked(target, _OF_IDS, [ids] if ids else [])


def _asked(target: PostgresTarget, query: sql.SQL, given: list[list[Any]]) -> dict[str, str]:
    if not given:
        return {}
    with target.transaction(read_only=True) as connection:
        if not has_table(connection, RECORD_SCHEMA, CROSSWALK):
            return {}
        return dict(connection.execute(query.format(key=_KEY, record=_RECORD), given).fetchall())


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
