"""Exclusions: real tables and columns, each rule named once, and no copy left out that other rows refer to."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.identity import repeated_names
from migration_assets.plan.checks.view import PLAN, PlanView
from migration_assets.plan.mapped import parsed_arguments
from migration_assets.plan.source_models import Exclusion, Redundant
from migration_assets.plan.wording import listing, nearest, shown


def exclusion_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about `exclusions` in plan.yaml."""
    exclusions = view.plan.file.exclusions
    yield from repeated_names(view, ("exclusions",), [e.rule for e in exclusions])
    for i, exclusion in enumerate(exclusions):
        if exclusion.table not in view.tables:
            remedy = nearest(exclusion.table, view.tables, "name a declared `system.table`")
            problem = f"{shown(exclusion.table)} is not a table of this plan"
            yield view.fault(PLAN, ("exclusions", i, "table"), problem, remedy)
            continue
        here = view.fault(PLAN, ("exclusions", i, "where"), "", "")
        yield from view.predicate_faults(exclusion.table, exclusion.where, here)
        yield from _stale_faults(view, i, exclusion)
        if exclusion.redundant is not None:
            yield from _redundant_faults(view, i, exclusion, exclusion.redundant)


def _stale_faults(view: PlanView, i: int, exclusion: Exclusion) -> Iterator[Fault]:
    if exclusion.stale is None:
        return
    path, column = ("exclusions", i, "stale", "column"), exclusion.stale.column
    if wrong := view.column_problem(exclusion.table, column):
        yield view.fault(PLAN, path, *wrong)
        return
    kind = (view.columns or {}).get(exclusion.table, {}).get(column) or "date"
    if not kind.startswith(("date", "timestamp", "string", "large_string")):
        problem = f"{shown(column)} is {kind}, which is no time"
        yield view.fault(PLAN, path, problem, "name a column of dates or times")


def _redundant_faults(view: PlanView, i: int, exclusion: Exclusion, redundant: Redundant) -> Iterator[Fault]:
    path, name = ("exclusions", i, "redundant"), exclusion.table
    table = view.tables[name]
    for column in redundant.by:
        if wrong := view.column_problem(name, column):
            yield view.fault(PLAN, (*path, "by"), *wrong)
    if redundant.keep == "latest" and table.updated_at is None:
        remedy = f"name `updated_at` of {name}, or keep the first"
        yield view.fault(PLAN, (*path, "keep"), f"{name} does not say when a row changed", remedy)
    if table.owner == "self":
        remedy = "let `identity` merge them: then what refers to either leads to the one that stays"
        yield view.fault(PLAN, path, f"rows of {name} are customers, who are merged and not left out", remedy)
    elif referring := _referring(view, name):
        problem = f"rows of {listing(referring)} refer to rows of {name}, and would lose the copy that is left out"
        yield view.fault(PLAN, path, problem, "mend the copies in the source, or take this rule off")


def _referring(view: PlanView, name: str) -> set[str]:
    """Tables whose rows may hold the key of a row of this one, as declared or as a rule of the mapping reads it."""
    declared = {t for t, d in view.tables.items() if name in d.references.values()}
    rows = (r for r in view.plan.mapping if r.rule == "reference")
    mapped = {
        f"{r.system}.{r.table}"
        for r in rows
        if (arguments := parsed_arguments(r)) is not None and arguments.table == name
    }
    # A table whose rows make two entities refers to itself from one to the other: the copy goes with both.
    return (declared | mapped) - ({name} if name not in view.tables[name].references.values() else set())
