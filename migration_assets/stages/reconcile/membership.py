"""Which rows of a target table are a cohort's: what the crosswalk gives it, and strangers that point at its rows.

A stranger is a row the crosswalk does not know. It belongs to the cohort of the customer (or else the parent) it points
at, and to `unassigned` when it points at none. Rows of the catalog are `unassigned`'s. So every row of the target is in
exactly one cohort, and none can hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.ownership import UNASSIGNED, owner_column

if TYPE_CHECKING:
    from migration_assets.plan.models import TargetSchema

_CROSSWALK = sql.Identifier("cutover", "crosswalk")


def member_rows(schema: TargetSchema, table: str, cohort: str, columns: Sequence[str]) -> sql.Composed:
    """A query for the cohort's rows of a target table, with these columns in this order."""
    declared = schema.tables[table]
    parts = {
        "columns": sql.SQL(", ").join(sql.Identifier("t", c) for c in columns),
        "target": sql.Identifier(schema.schema_name, table),
        "crosswalk": _CROSSWALK,
        "key": sql.Identifier("t", next(iter(declared.columns))),
        "entity": sql.Literal(declared.entity),
        "cohort": sql.Literal(cohort),
    }
    if ENTITIES[declared.entity].origin == "catalog":
        return sql.SQL("SELECT {columns} FROM {target} t WHERE {cohort} = 'unassigned'").format(**parts)
    own = sql.SQL(
        "SELECT {columns} FROM {target} t JOIN {crosswalk} x ON x.target_id = {key} "
        "WHERE x.cohort = {cohort} AND x.entity = {entity} AND x.status = 'loaded'"
    ).format(**parts)
    strangers = _strangers(schema, table, cohort, parts)
    return own if strangers is None else sql.SQL("{} UNION ALL {}").format(own, strangers)


_UNKNOWN = (
    "NOT EXISTS (SELECT FROM {crosswalk} x WHERE x.target_id = {key} AND x.entity = {entity} AND x.status = 'loaded')"
)


def _strangers(schema: TargetSchema, table: str, cohort: str, parts: dict[str, sql.Composable]) -> sql.Composed | None:
    owner = owner_column(schema, table)
    if owner is None:
        if cohort != UNASSIGNED:
            return None
        return sql.SQL("SELECT {columns} FROM {target} t WHERE " + _UNKNOWN).format(**parts)
    more = {**parts, "owner": sql.Identifier("t", owner[0]), "parent": sql.Literal(owner[1])}
    if cohort != UNASSIGNED:
        return sql.SQL(
            "SELECT {columns} FROM {target} t JOIN {crosswalk} p ON p.target_id = {owner} "
            "WHERE p.cohort = {cohort} AND p.entity = {parent} AND p.status = 'loaded' AND "
            # First against the cohort's own part of the crosswalk: what is left is little, and mostly nothing.
            "NOT EXISTS (SELECT FROM {crosswalk} o WHERE o.cohort = {cohort} AND o.entity = {entity} "
            "AND o.status = 'loaded' AND o.target_id = {key}) AND " + _UNKNOWN
        ).format(**more)
    return sql.SQL(
        "SELECT {columns} FROM {target} t WHERE " + _UNKNOWN + " AND NOT EXISTS (SELECT FROM {crosswalk} p "
        "WHERE p.target_id = {owner} AND p.entity = {parent} AND p.status = 'loaded' AND p.cohort <> 'unassigned')"
    ).format(**more)
