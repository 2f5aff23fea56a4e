"""Sources: where they are, their keys and references, who accounts for each row, and how a row finds its customer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.view import PLAN, PlanView
from migration_assets.plan.environment import is_well_formed
from migration_assets.plan.source_models import SourceTable
from migration_assets.plan.used_columns import table_left_out
from migration_assets.plan.wording import nearest, shown

# The password part of scheme://user:password@host, written out.
_PASSWORD = re.compile(r"://[^/@\s]*:(?!\$\{)[^/@\s]+@")


def source_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about sources and their tables."""
    yield from _place_faults(view)
    for name, table in view.tables.items():
        yield from _file_faults(view, name, table)
        yield from _column_faults(view, name, table)
        yield from _reference_faults(view, name, table)
        yield from _owner_faults(view, name, table)
        yield from _home_faults(view, name, table)


def table_path(name: str, *more: str | int) -> tuple[str | int, ...]:
    """Path of `system.table` in plan.yaml."""
    system, _, table = name.partition(".")
    return ("sources", system, "tables", table, *more)


def _place_faults(view: PlanView) -> Iterator[Fault]:
    plan = view.plan.file
    places = [(("sources", n, key), getattr(s, key)) for n, s in plan.sources.items() for key in ("url", "path")]
    for path, text in [*places, (("target", "url"), plan.target.url)]:
        if text is None:
            continue
        if not is_well_formed(text):
            yield view.fault(PLAN, path, "${...} is not a name in capitals, digits and _", "write it as ${NAME}")
        if _PASSWORD.search(text):
            yield view.fault(PLAN, path, "holds a password", "write ${NAME} in its place, and keep it out of the plan")


def _file_faults(view: PlanView, name: str, table: SourceTable) -> Iterator[Fault]:
    kind = view.plan.file.sources[name.partition(".")[0]].kind
    text = table.read_from
    if not text.strip():
        yield view.fault(PLAN, table_path(name, "read_from"), "is empty", "name what to read")
    if kind == "sql":
        return
    rooted = PurePosixPath(text).is_absolute() or PureWindowsPath(text).drive or text.startswith(("\\", "~"))
    if rooted or ".." in re.split(r"[/\\]", text):
        remedy = "name a file below the system's path"
        yield view.fault(PLAN, table_path(name, "read_from"), "leads out of the system's path", remedy)


def _column_faults(view: PlanView, name: str, table: SourceTable) -> Iterator[Fault]:
    if len(set(table.key)) < len(table.key):
        yield view.fault(PLAN, table_path(name, "key"), "names a column twice", "name each column once")
    known = (view.columns or {}).get(name)
    used = [("key", c) for c in table.key] + [("references", c) for c in table.references]
    used += [("updated_at", table.updated_at)] if table.updated_at else []
    for part, column in used:
        if wrong := view.column_problem(name, column):
            yield view.fault(PLAN, table_path(name, part), *wrong)
    for column in table.personal:
        if known is not None and column not in known and column not in table.secret:
            remedy = nearest(column, known, "name a column of the table")
            yield view.fault(PLAN, table_path(name, "personal"), f"{name} has no column {shown(column)}", remedy)


def _reference_faults(view: PlanView, name: str, table: SourceTable) -> Iterator[Fault]:
    for column, other in table.references.items():
        path = table_path(name, "references", column)
        if other not in view.tables:
            remedy = nearest(other, view.tables, "name a declared `system.table`")
            yield view.fault(PLAN, path, f"{shown(other)} is not a table of this plan", remedy)
        elif len(view.tables[other].key) != 1:
            remedy = "leave it out; a `reference` rule can name all the columns"
            yield view.fault(PLAN, path, f"{other} has a key of several columns", remedy)


def _owner_faults(view: PlanView, name: str, table: SourceTable) -> Iterator[Fault]:
    if table.owner == "self":
        feeds = view.feeds_of_table.get(name, ())
        if not any(f.entity == "customer" for f in feeds) and table_left_out(view.plan, name) is None:
            remedy = "say how a row finds its customer: a column of `references`, or none"
            yield view.fault(PLAN, table_path(name, "owner"), "is self, but the table feeds no customer", remedy)
    elif table.owner != "none" and (problem := _owner_problem(view, name)):
        remedy = "name a column of `references` that leads to a table whose owner is self"
        yield view.fault(PLAN, table_path(name, "owner"), problem, remedy)


def _owner_problem(view: PlanView, name: str) -> str | None:
    """Why following `owner` from a table does not end at a customer."""
    seen = [name]
    while True:
        table = view.tables.get(seen[-1])
        if table is None or table.owner == "self":
            return None  # an unknown table is told where it is referenced
        if table.owner == "none":
            return f"leads to {seen[-1]}, which belongs to no customer"
        if table.owner not in table.references:
            here = "" if len(seen) == 1 else f"leads to {seen[-1]}, where "
            return f"{here}{shown(table.owner)} is not a column of `references`"
        following = table.references[table.owner]
        if following in seen:
            return f"goes in a circle: {' -> '.join([*seen, following])}"
        seen.append(following)


def _home_faults(view: PlanView, name: str, table: SourceTable) -> Iterator[Fault]:
    path, feeds = table_path(name, "home"), view.feeds_of_table.get(name, ())
    if table_left_out(view.plan, name) is not None:
        return
    if not feeds:
        remedy = "add a feed that reads it, or an exclusion without `where`"
        yield view.fault(PLAN, table_path(name), "is neither fed to an entity nor excluded", remedy)
    elif table.home is None:
        yield view.fault(PLAN, path, "is missing, but rows are fed", "name the entity that accounts for each row")
    elif table.home not in ENTITIES:
        remedy = nearest(table.home, ENTITIES, "name an entity of the canonical model")
        yield view.fault(PLAN, path, f"{shown(table.home)} is not an entity", remedy)
    elif table.home not in {f.entity for f in feeds}:
        remedy = f"add a feed of {table.home} from {name}, or name an entity it feeds"
        yield view.fault(PLAN, path, f"no feed makes {table.home} from this table", remedy)
