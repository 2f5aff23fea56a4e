"""Tables that are made of the entries of a text column (`split` in plan.yaml): whose text it is, which columns they
have, and what tells one such declaration from another.

Whether a declaration holds is `plan.checks.entries`; cutting the text is `engine.entries`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from migration_assets.domain.patterns import unnamed
from migration_assets.engine.entries import ENTRY, FITS, POSITION, Cut
from migration_assets.plan.models import Plan
from migration_assets.plan.source_models import SourceTable, Split

Columns = Mapping[str, Mapping[str, str]]


def whose_text(table: str, declared: SourceTable) -> str:
    """`system.table` that holds the text of a table with `split`."""
    return f"{table.partition('.')[0]}.{declared.read_from}"


def own_columns(split: Split) -> dict[str, str]:
    """Column -> type of those that no other table has: place, text, and what the pattern finds."""
    read = {FITS: "bool", **dict.fromkeys(split.groups, "string")} if split.pattern is not None else {}
    return {POSITION: "int64", ENTRY: "string", **read}


def taken_along(plan: Plan, table: str) -> tuple[str, ...]:
    """Columns of the row with the text that each of its entries has: its key, and what the plan lets it carry."""
    declared = plan.source_table(table)
    holder = plan.source_tables.get(whose_text(table, declared))
    carried = declared.split.carry if declared.split else ()
    return tuple(dict.fromkeys((*(holder.key if holder else ()), *carried)))


def with_entries(plan: Plan, columns: Columns | None) -> Columns:
    """What is known of raw columns, and what the plan itself says of tables made of entries.

    Their columns have names even where nobody has looked at the source; a type that only the source can tell is empty.
    """
    known = dict(columns or {})
    for table, declared in plan.source_tables.items():
        if declared.split is not None:
            held = known.get(whose_text(table, declared))
            along = {c: (held or {}).get(c, "") for c in taken_along(plan, table) if held is None or c in held}
            known[table] = {**along, **own_columns(declared.split)}
    return known


def cut_of(plan: Plan, table: str) -> Cut:
    """How the text is cut into the rows of a table with `split`."""
    split = plan.source_table(table).split
    if split is None:
        raise ValueError(f"{table} is not made of entries")
    pattern, groups = (None, {}) if split.pattern is None else unnamed(split.pattern)
    return Cut(split.column, split.separator, taken_along(plan, table), split.newest_first, pattern, groups)


def read_from(plan: Plan, table: str) -> str:
    """Where a table is read from, in a word that is another one whenever its rows could be others.

    For a table as the source has it that is its `read_from`; for one of entries also how the text is cut.
    """
    declared = plan.source_table(table)
    if declared.split is None:
        return declared.read_from
    holder = plan.source_table(whose_text(table, declared))
    said = f"{holder.read_from} {holder.key} {declared.split.model_dump_json()}"
    return f"{declared.read_from}.{declared.split.column} cut by {hashlib.sha256(said.encode()).hexdigest()[:16]}"


def place_in_source(plan: Plan, table: str, column: str) -> tuple[str, str]:
    """Table and column of the source itself that a column comes from: of an entry, the text it stands in."""
    declared = plan.source_table(table)
    if declared.split is None:
        return table, column
    holder = whose_text(table, declared)
    return holder, column if column in taken_along(plan, table) else declared.split.column
