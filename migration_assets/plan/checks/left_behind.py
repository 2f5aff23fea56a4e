"""Columns of the source that stay behind: each is declared with its reason, and nothing uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.sources import table_path
from migration_assets.plan.checks.view import PLAN, PlanView
from migration_assets.plan.source_models import SourceTable
from migration_assets.plan.used_columns import choices, table_left_out, uses
from migration_assets.plan.wording import escaped, likely_meant, listing, nearest, shown

# Where the entries of a table stand in plan.yaml.
_INDENT = " " * 8
# Words that a plan's YAML takes for something else than text.
_NOT_TEXT = frozenset({"null", "true", "false"})


def left_behind_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about `left_behind` of tables in plan.yaml, and columns that nothing uses and nobody has declared."""
    used, deciding = uses(view.plan), choices(view.plan)
    for name, table in view.tables.items():
        here = {**deciding.get(name, {}), **used.get(name, {})}
        for column in table.left_behind:
            if wrong := _wrongly_declared(view, name, column, here):
                yield view.fault(PLAN, table_path(name, "left_behind", column), *wrong)
        if view.feeds_of_table.get(name) and table_left_out(view.plan, name) is None:
            known = (view.columns or {}).get(name, {})
            # What a slip of the pen stands for is told where the slip is.
            meant = {likely_meant(c, known) for c in here if c not in known}
            silent = [c for c in known if c not in {*here, *table.secret, *table.left_behind, *meant}]
            if silent:
                yield _silent_fault(view, name, table, silent)


def _wrongly_declared(view: PlanView, name: str, column: str, used: dict[str, str]) -> tuple[str, str] | None:
    known = (view.columns or {}).get(name)
    if column in view.tables[name].secret:
        return f"{shown(column)} is secret: it is never read, and never moves", "take it off `left_behind`"
    if column in used:
        return f"{shown(column)} is used by {used[column]}", "take it off `left_behind`"
    if known is not None and column not in known:
        return f"{name} has no column {shown(column)}", nearest(column, known, "take it off `left_behind`")
    return None


def _silent_fault(view: PlanView, name: str, table: SourceTable, columns: Sequence[str]) -> Fault:
    """One fault for all of a table: a new plan has many, and whoever writes it decides table by table."""
    problem = f"nothing uses {listing(map(escaped, columns))} of {name}: what they hold would be lost in silence"
    lines = [f'{_INDENT}  {_as_key(column)}: "..."' for column in columns]
    where = f"below the table's `left_behind` in {PLAN}" if table.left_behind else f"into the table's entry in {PLAN}"
    head = [] if table.left_behind else [f"{_INDENT}left_behind:"]
    remedy = f"map each of them, or write {where}, with the reasons why they may stay:"
    return view.fault(PLAN, table_path(name), problem, "\n".join([remedy, *head, *lines]))


def _as_key(column: str) -> str:
    """A column as a key of a YAML block."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", column) and column not in _NOT_TEXT
    return column if plain else escaped(json.dumps(column, ensure_ascii=False))
