"""Tables made of the entries of a text column: that the text is there, and that key and names are as they must be."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.errors import Fault
from migration_assets.engine.entries import ENTRY, POSITION
from migration_assets.plan.checks.sources import table_path
from migration_assets.plan.checks.view import PLAN, PlanView
from migration_assets.plan.entries import own_columns, taken_along, whose_text
from migration_assets.plan.source_models import SourceTable, Split
from migration_assets.plan.wording import nearest, shown

_TEXT = "string"


def entry_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about tables with `split`."""
    for name, table in view.tables.items():
        if table.split is None:
            continue
        holder = view.tables.get(whose_text(name, table))
        if holder is None or holder.split is not None:
            yield from _holder_faults(view, name, table, holder)
            continue
        yield from _text_faults(view, name, table, table.split)
        yield from _key_faults(view, name, table, holder)
        yield from _name_faults(view, name, table.split)
        yield from _openness_faults(view, name, table, holder, table.split)


def _holder_faults(view: PlanView, name: str, table: SourceTable, holder: SourceTable | None) -> Iterator[Fault]:
    path, system = table_path(name, "read_from"), name.partition(".")[0]
    if holder is not None:
        problem = f"{shown(table.read_from)} is made of entries itself"
        yield view.fault(PLAN, path, problem, "name the table that holds the text, and one pattern for the whole of it")
        return
    remedy = nearest(table.read_from, view.plan.file.sources[system].tables, "name it as this plan does")
    problem = f"{shown(table.read_from)} is not a table of {system}: with `split`, rows are made of another one's text"
    yield view.fault(PLAN, path, problem, remedy)


def _text_faults(view: PlanView, name: str, table: SourceTable, split: Split) -> Iterator[Fault]:
    held = whose_text(name, table)
    for part, column in (("column", split.column), *(("carry", c) for c in split.carry)):
        if wrong := view.column_problem(held, column):
            yield view.fault(PLAN, table_path(name, "split", part), *wrong)
    kind = (view.columns or {}).get(held, {}).get(split.column, _TEXT)
    if kind not in (_TEXT, "large_string"):
        problem = f"{shown(split.column)} is {kind}, which is no text"
        yield view.fault(PLAN, table_path(name, "split", "column"), problem, "name the column that holds the entries")


def _key_faults(view: PlanView, name: str, table: SourceTable, holder: SourceTable) -> Iterator[Fault]:
    wanted = (*holder.key, POSITION)
    if table.key != wanted:
        problem = f"a row of entries is told by the key of {whose_text(name, table)} and its place in the text"
        yield view.fault(PLAN, table_path(name, "key"), problem, f"write [{', '.join(wanted)}]")
    if table.secret:
        remedy = f"write it under `secret` of {whose_text(name, table)}"
        yield view.fault(PLAN, table_path(name, "secret"), "nothing is read for this table alone", remedy)


def _name_faults(view: PlanView, name: str, split: Split) -> Iterator[Fault]:
    """Two columns of one name; engines do not tell capital from small letters."""
    names = (*taken_along(view.plan, name), *own_columns(split))
    seen: set[str] = set()
    for column in names:
        if column.casefold() in seen:
            part, remedy = _place_of_twin(split, column)
            problem = f"there would be two columns {shown(column)}: rows of entries have {', '.join(names)}"
            yield view.fault(PLAN, table_path(name, *part), problem, remedy)
        seen.add(column.casefold())


def _place_of_twin(split: Split, column: str) -> tuple[tuple[str, ...], str]:
    if column in split.groups:
        return ("split", "pattern"), "call the group otherwise"
    if column.casefold() in {c.casefold() for c in split.carry}:
        return ("split", "carry"), "leave it out: a mapping reads it over a reference"
    return ("key",), "let a view in the source, or the export, call the key's column otherwise"


def _openness_faults(
    view: PlanView, name: str, table: SourceTable, holder: SourceTable, split: Split
) -> Iterator[Fault]:
    """What is personal in a text is personal in its entries."""
    personal = {c for c in taken_along(view.plan, name) if c in holder.personal}
    if split.column in holder.personal:
        personal.add(ENTRY)
    if missing := sorted(personal - set(table.personal)):
        problem = f"{', '.join(missing)}: personal in {whose_text(name, table)}, and not said to be here"
        remedy = "add it under `personal`, and each group of the pattern that finds something personal"
        yield view.fault(PLAN, table_path(name, "personal"), problem, remedy)
