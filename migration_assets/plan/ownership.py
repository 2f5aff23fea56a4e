"""Whose a row of the target is: the column that leads to its customer, or else to its parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migration_assets.domain.canonical import ENTITIES

if TYPE_CHECKING:
    from migration_assets.plan.models import TargetSchema

# The reserved cohort of what belongs to no customer.
UNASSIGNED = "unassigned"


def owner_column(schema: TargetSchema, table: str) -> tuple[str, str] | None:
    """The column that says whose a row is, and the entity it leads to: a customer, or else the first parent."""
    declared = schema.tables[table]
    names = {field: column for column, field in declared.columns.items()}
    held = {t.entity for t in schema.tables.values()} - {declared.entity}
    fields = [f for f in ENTITIES[declared.entity].references if f.name in names and f.references in held]
    ranked = sorted(fields, key=lambda f: (f.references != "customer", not f.required))
    return (names[ranked[0].name], str(ranked[0].references)) if ranked else None
