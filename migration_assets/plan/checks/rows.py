"""Mapping rows: that each names a field, a rule that can give it, and columns the rule can take."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault
from migration_assets.engine.rules import REGISTRY, Rule
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.lookups import ARROW
from migration_assets.plan.mapped import NAME, SOURCE_ID, VALUE, mapped_field, predicates_of, table_of
from migration_assets.plan.models import MappingRow
from migration_assets.plan.wording import nearest, problems, shown

_OPENNESS = ("public", "internal", "personal", "secret")


def row_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about single mapping rows."""
    seen: dict[tuple[str, str], MappingRow] = {}
    for row in view.plan.mapping:
        first = seen.setdefault((row.feed, row.field), row)
        if first is not row:
            problem = f"{row.field} of feed {row.feed} is mapped already, in line {first.row} of {first.file}"
            yield row_fault(row, "field", problem, "keep one of the rows")
        yield from _field_faults(view, row)
        yield from _rule_faults(row)
        yield from _column_faults(view, row)
        yield from _status_faults(view, row)


def row_fault(row: MappingRow, field: str, problem: str, remedy: str) -> Fault:
    """A fault at a mapping row."""
    return Fault(row.file, row.row, field, problem, remedy)


def _field_faults(view: PlanView, row: MappingRow) -> Iterator[Fault]:
    entity, field = ENTITIES.get(row.entity), mapped_field(row)
    if entity is None:
        return  # told once, for the feed
    if field is None:
        remedy = nearest(row.field, [f.name for f in entity.fields], "name a field of the canonical model")
        yield row_fault(row, "field", f"{row.entity} has no field {shown(row.field)}", remedy)
    elif field.type == "key" and entity.origin != "catalog":
        remedy = "remove the row: the key is made from the table's own"
        yield row_fault(row, "field", f"{row.field} is the key of {row.entity}, which is not mapped", remedy)
    elif field.required and row.on_error == "set_aside":
        remedy = "write reject, or leave it blank"
        yield row_fault(row, "on_error", f"{row.field} is required: a row without it is rejected", remedy)
    elif field.about and row.on_error == "set_aside":
        problem = f"{row.field} says whom a row is about: without it the row would be about somebody else"
        yield row_fault(row, "on_error", problem, "write reject, or leave it blank")
    elif _OPENNESS.index(row.sensitivity) < _OPENNESS.index(field.sensitivity):
        problem = f"says {row.sensitivity}, but {row.entity}.{row.field} is {field.sensitivity}"
        yield row_fault(row, "sensitivity", problem, f"write {field.sensitivity}")


def _rule_faults(row: MappingRow) -> Iterator[Fault]:
    rule, field = REGISTRY.get(row.rule), mapped_field(row)
    if rule is None:
        remedy = nearest(row.rule, REGISTRY, f"use one of {', '.join(sorted(REGISTRY))}")
        yield row_fault(row, "rule", f"there is no rule {shown(row.rule)}", remedy)
        return
    yield from _argument_faults(row, rule)
    count = len(row.columns)
    if count < rule.min_columns or (rule.max_columns is not None and count > rule.max_columns):
        yield row_fault(row, "columns", f"{row.rule} does not take {count} column(s)", f"name {_arity(rule)}")
    kind = "code" if field is not None and field.type == "key" else field.type if field is not None else None
    if kind is not None and kind not in rule.produces:
        fitting = sorted(n for n, r in REGISTRY.items() if kind in r.produces)
        problem = f"{row.rule} cannot give {row.field}, which is {kind}"
        yield row_fault(row, "rule", problem, f"use one of {', '.join(fitting)}")


def _arity(rule: Rule) -> str:
    if rule.max_columns == 0:
        return "none"
    if rule.max_columns is None:
        return f"{rule.min_columns} or more"
    return f"{rule.min_columns} to {rule.max_columns}" if rule.min_columns < rule.max_columns else str(rule.min_columns)


def _argument_faults(row: MappingRow, rule: Rule) -> Iterator[Fault]:
    try:
        arguments = rule.arguments.model_validate(row.arguments)
    except ValidationError as e:
        for path, problem, remedy in problems(e, row.arguments, rule.arguments):
            yield row_fault(row, ".".join(["arguments", *map(str, path)]), problem, remedy)
        return
    for misfit in arguments.misfits(len(row.columns)):
        yield row_fault(row, "arguments", misfit, f"columns and arguments of {rule.name} have to fit each other")


def _column_faults(view: PlanView, row: MappingRow) -> Iterator[Fault]:
    feed = view.feeds.get(row.feed)
    if feed is None or table_of(feed) not in view.tables:
        return
    predicates = tuple(("arguments", p.field) for p in predicates_of(row))
    for part, column in (*(("columns", c) for c in row.columns), *predicates):
        if column in (NAME, VALUE):
            if not feed.unpivot:
                remedy = "name a raw column, or let the feed unpivot"
                yield row_fault(row, part, f"{column} is only there when the feed unpivots", remedy)
        elif row.rule == "reference" and part == "columns" and ARROW in column:
            # Whose a row is and what moves with it is read from its own columns.
            remedy = "name columns of the table itself"
            yield row_fault(
                row, part, f"{shown(column)} is another row's column, and a reference is of its own", remedy
            )
        elif column != SOURCE_ID and (wrong := view.mapped_column_problem(table_of(feed), column)):
            yield row_fault(row, part, *wrong)


def _status_faults(view: PlanView, row: MappingRow) -> Iterator[Fault]:
    if row.status == "ASSUMED" and not view.plan.file.rehearsal:
        remedy = f"let {row.owner} confirm it and write CONFIRMED, or set `rehearsal: true` in plan.yaml"
        yield row_fault(row, "status", "nobody has confirmed this row", remedy)
    if row.system_of_record not in view.plan.file.sources and row.system_of_record != "target":
        remedy = nearest(row.system_of_record, view.plan.file.sources, "name a source of the plan, or target")
        yield row_fault(row, "system_of_record", f"{shown(row.system_of_record)} is not a system", remedy)
