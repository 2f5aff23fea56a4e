"""A plan with less in it: the target's tables that are looked at, and what is needed to know whose their rows are.

Tables of the target are compared each for itself, so that what a narrower comparison finds the whole one finds too.
"""

from __future__ import annotations

from collections.abc import Collection

from migration_assets.plan.models import Plan
from migration_assets.plan.ownership import owner_column


def narrowed(plan: Plan, tables: Collection[str]) -> Plan:
    """The plan with only these tables of the target, those that lead from them to a customer, and finance's totals of
    the former. One total stays in any case, with its table: none at all would be a finding of its own."""
    totals = tuple(c for c in plan.controls if c.target in tables) or plan.controls[:1]
    wanted = _with_owners(plan, {*tables, *(c.target for c in totals)})
    kept = {name: t for name, t in plan.target.tables.items() if name in wanted}
    return plan.model_copy(
        update={"target": plan.target.model_copy(update={"tables": kept}), "controls": totals},
    )


def _with_owners(plan: Plan, tables: Collection[str]) -> set[str]:
    of_entity = {t.entity: name for name, t in plan.target.tables.items()}
    wanted, todo = set[str](), list(tables)
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            owner = owner_column(plan.target, name)
            todo += [of_entity[owner[1]]] if owner is not None else []
    return wanted
