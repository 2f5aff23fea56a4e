"""Every column of the target: one row that holds something else after the load."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE, Field
from migration_assets.drill.changes import Statement
from migration_assets.drill.mutants.mutant import Mutant
from migration_assets.plan.models import Plan

_NOBODY = "'00000000-0000-4000-8000-000000000000'"


def target_mutants(plan: Plan) -> Iterator[Mutant]:
    """A mutant for each column of each table."""
    schema = plan.target.schema_name
    for table, declared in plan.target.tables.items():
        fields = {f.name: f for f in (*ENTITIES[declared.entity].fields, *PROVENANCE)}
        for column, name in declared.columns.items():
            field = fields[name]
            other = _NOBODY if _is_id(declared.entity, field) else _another(field, f'"{column}"')
            picked = f"(SELECT ctid FROM {schema}.{table} t ORDER BY ({column} IS NULL), {{pick}} LIMIT 1)"
            sql = f'UPDATE {schema}.{table} o SET "{column}" = {other} WHERE ctid = {picked}'
            yield Mutant(f"target:{table}.{column}", "target", Statement(table, sql), frozenset({declared.entity}))


def _another(field: Field, column: str) -> str:
    """Another value of the field's type, as SQL; something where there was nothing."""
    if field.codes:
        first, second = (f"'{code}'" for code in (*field.codes, *field.codes)[:2])
        return f"CASE WHEN {column} IS DISTINCT FROM {first} THEN {first} ELSE {second} END"
    match field.type:
        case "integer" | "money" | "decimal":
            return f"coalesce({column} + 1, 1)"
        case "boolean":
            return f"NOT coalesce({column}, false)"
        case "date":
            return f"coalesce({column} + 1, DATE '2020-01-31')"
        case "instant":
            return f"coalesce({column} + interval '1 microsecond', TIMESTAMPTZ '2020-01-31 00:00:00+00')"
        case "country":
            return f"CASE WHEN {column} = 'FR' THEN 'CH' ELSE 'FR' END"
        case "currency":
            return f"CASE WHEN {column} = 'CHF' THEN 'EUR' ELSE 'CHF' END"
    return f"coalesce({column}, '') || ' '"


def _is_id(entity: str, field: Field) -> bool:
    """Whether the target holds an id of its own there: of an entity that does not come from the catalog."""
    leads_to = entity if field.type == "key" else field.references
    return leads_to in ENTITIES and ENTITIES[str(leads_to)].origin != "catalog"
