"""Whose word counts for columns that others change in the target: real columns, none of them a key, no money."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault
from migration_assets.domain.ownership import is_financial
from migration_assets.plan.checks.target import target_field
from migration_assets.plan.checks.view import TARGET, PlanView
from migration_assets.plan.models import TargetTable
from migration_assets.plan.wording import nearest, shown


def owned_by_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about `owned_by` and `changed_at` of tables in target.yaml."""
    for name, table in view.plan.target.tables.items():
        for column in table.owned_by:
            if fault := _fault_of(view, name, table, column):
                yield view.fault(TARGET, ("tables", name, "owned_by", column), *fault)
        if table.changed_at:
            field = target_field(view, name, table.changed_at)
            if field is None or field.type != "instant":
                problem = f"{name} has no column of instants {shown(table.changed_at)}"
                remedy = "name a column in which both sides say when the row changed, or take `changed_at` off"
                yield view.fault(TARGET, ("tables", name, "changed_at"), problem, remedy)
        elif "most_recent" in table.owned_by.values():
            problem = f"{name} does not say when a row changed, so nobody can tell which side is the most recent"
            yield view.fault(TARGET, ("tables", name, "owned_by"), problem, "name that column under `changed_at`")


def _fault_of(view: PlanView, name: str, table: TargetTable, column: str) -> tuple[str, str] | None:
    """What is wrong with one column's owner, and the remedy."""
    field = target_field(view, name, column)
    if field is None:
        return f"{name} has no column {shown(column)}", nearest(column, table.columns, "take it off `owned_by`")
    entity = ENTITIES[table.entity]
    if field.type == "key":
        return f"{column} is the key: it is given once and for all", "take it off `owned_by`"
    if entity.origin == "catalog":
        return f"{name} is the plan's own catalog, which nobody else changes", "take it off `owned_by`"
    if is_financial(entity, field) and table.owned_by[column] != "person":
        return f"{column} is money or what money depends on: a person decides", "write `person`, or take it off"
    return None
