"""Who is one customer in the target already: ids that were given stay, so what is loaded weighs in what comes next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import PostgresTarget

_KNOWN = """
SELECT x.source_system || '.' || x.source_table || ':' || x.source_id, x.target_id::text
FROM unnest(%s::text[], %s::text[], %s::text[]) AS asked (source_system, source_table, source_id)
JOIN cutover.crosswalk x USING (source_system, source_table, source_id)
WHERE x.entity = 'customer'"""


def ids_in_target(target: PostgresTarget, customer_ids: Iterable[str]) -> dict[str, str]:
    """Target id of each canonical customer key that has been loaded, merged ones included.

    Nothing while the target has no record of loads.
    """
    parts = [_parts(key) for key in customer_ids]
    with target.transaction(read_only=True) as connection:
        row = connection.execute("SELECT to_regclass('cutover.crosswalk') IS NOT NULL").fetchone()
        if not parts or row is None or not row[0]:
            return {}
        columns = [list(column) for column in zip(*parts, strict=True)]
        return dict(connection.execute(_KNOWN, columns).fetchall())


def _parts(key: str) -> tuple[str, str, str]:
    """`system.table:id`; the id itself may hold any character."""
    place, _, source_id = key.partition(":")
    system, _, table = place.partition(".")
    return system, table, source_id
