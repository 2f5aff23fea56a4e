"""Columns of the target that stay empty: each is declared with its reason, and nothing fills it."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.view import TARGET, PlanView
from migration_assets.plan.comparison import unmapped_fields
from migration_assets.plan.mapped import field_of
from migration_assets.plan.wording import nearest, shown


def left_empty_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about `left_empty` of tables in target.yaml, and columns that nothing fills and nobody declared."""
    unfilled = frozenset(unmapped_fields(view.plan))
    for name, table in view.plan.target.tables.items():
        for column in table.left_empty:
            if column not in table.columns:
                remedy = nearest(column, table.columns, "take it off `left_empty`")
                problem = f"{name} has no column {shown(column)}"
                yield view.fault(TARGET, ("tables", name, "left_empty", column), problem, remedy)
            elif (table.entity, table.columns[column]) not in unfilled:
                problem = f"{column} is not empty: {table.entity}.{table.columns[column]} is filled"
                yield view.fault(TARGET, ("tables", name, "left_empty", column), problem, "take it off `left_empty`")
        entity = ENTITIES.get(table.entity)
        for column, wanted in table.columns.items():
            field = field_of(entity, wanted) if entity else None
            # A required field that no feed maps is told feed by feed.
            if field is None or field.required or column in table.left_empty:
                continue
            if (table.entity, wanted) in unfilled:
                problem = f"no mapping row fills {table.entity}.{wanted}: the column would be empty in every row"
                remedy = f"map {table.entity}.{wanted}, or write under {name}'s `left_empty` why it may stay empty"
                yield view.fault(TARGET, ("tables", name, "columns", column), problem, remedy)
