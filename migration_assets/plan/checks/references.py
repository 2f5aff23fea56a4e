"""References: a `reference` rule must name a table whose rows become rows of the entity the field points at.

No other rule may point at rows that move by cohort.
"""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.rows import row_fault
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.mapped import mapped_field, parsed_arguments
from migration_assets.plan.models import Feed, MappingRow
from migration_assets.plan.wording import nearest, shown


def reference_faults(view: PlanView) -> Iterator[Fault]:
    """Rows with the rule `reference` that cannot find what they point at, and other rules that would lead astray."""
    for row in view.plan.mapping:
        arguments, field = parsed_arguments(row), mapped_field(row)
        if arguments is None or field is None or not field.references:
            continue
        if row.rule == "reference":
            yield from _faults(view, row, arguments.table, field.references)
        elif field.references in ENTITIES and ENTITIES[field.references].stage != "reference_data":
            # Who is named by a source row moves with it; who is named by the plan alone may be in another cohort.
            problem = f"{row.rule} cannot lead to a {field.references}, which moves with its own cohort"
            yield row_fault(row, "rule", problem, "name the column that holds its key, with the rule reference")


def _faults(view: PlanView, row: MappingRow, table: str, entity: str) -> Iterator[Fault]:
    if table not in view.tables:
        remedy = nearest(table, view.tables, "name a declared `system.table`")
        yield row_fault(row, "arguments.table", f"{shown(table)} is not a table of this plan", remedy)
        return
    feeds = [f for f in view.feeds_of_table.get(table, ()) if f.entity == entity]
    if not feeds:
        makes = ", ".join(sorted({f.entity for f in view.feeds_of_table.get(table, ())})) or "nothing"
        remedy = f"name a table that feeds {entity}"
        yield row_fault(row, "arguments.table", f"{table} feeds {makes}, not {entity}", remedy)
    elif row.columns and len(row.columns) not in {_parts(view, table, f) for f in feeds}:
        parts = " or ".join(str(n) for n in sorted({_parts(view, table, f) for f in feeds}))
        remedy = "name as many columns, in the order of the key"
        yield row_fault(row, "columns", f"a key of {entity} from {table} has {parts} part(s)", remedy)


def _parts(view: PlanView, table: str, feed: Feed) -> int:
    return len(view.tables[table].key) + bool(feed.unpivot)
