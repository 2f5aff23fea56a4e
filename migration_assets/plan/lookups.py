"""Columns read over a reference: `AddressID->City` is the column City of the row that AddressID points at.

Belongs here: how such a name is read, and where it leads by what the plan declares. Reading the rows is `stages.feeds`.
"""

from __future__ import annotations

from migration_assets.plan.mapped import predicates_of
from migration_assets.plan.models import Feed, Plan

# `via->column`: a column of the row that another one points at.
ARROW = "->"


def lookups_of(plan: Plan, feed: Feed) -> tuple[str, ...]:
    """Names of the columns that the feed's mapping reads over references, each once, sorted."""
    rows = plan.rows_of(feed.feed)
    named = {c for row in rows for c in (*row.columns, *(p.field for p in predicates_of(row)))}
    return tuple(sorted(c for c in named if ARROW in c))


def place_of(plan: Plan, table: str, column: str) -> tuple[str, str]:
    """Table and column that a name in a mapping of `table` stands for: its own, or at the end of its references. A name
    that no reference leads on from stands for itself; `plan.check` tells what is wrong with it."""
    here, arrow, there = column.partition(ARROW)
    declared = plan.source_tables.get(table)
    if not arrow or declared is None or here not in declared.references:
        return table, column
    return place_of(plan, declared.references[here], there)
