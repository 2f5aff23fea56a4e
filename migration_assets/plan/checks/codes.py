"""Code lists and fixed values: every value they can give must be one the canonical field can hold."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.canonical.model import Field
from migration_assets.domain.errors import Fault
from migration_assets.domain.predicates import Scalar
from migration_assets.plan.checks.rows import row_fault
from migration_assets.plan.checks.values import value_problem
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.mapped import mapped_field, parsed_arguments
from migration_assets.plan.models import CodeRow, MappingRow
from migration_assets.plan.wording import nearest, shown

NO_VALUE = "-"


def code_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about code lists, and about values written into mapping rows."""
    for name, rows in view.plan.codes.items():
        yield from _list_faults(name, rows)
    for row in view.plan.mapping:
        field, arguments = mapped_field(row), parsed_arguments(row)
        if field is None or arguments is None:
            continue
        if row.rule == "lookup":
            yield from _lookup_faults(view, row, field, arguments.list)
        for name in ("value", "default"):
            if (value := getattr(arguments, name, None)) is not None and row.rule != "money":
                yield from _fixed_faults(view, row, field, f"arguments.{name}", value)


def list_file(name: str) -> str:
    """The file of a code list."""
    return f"codes/{name}.csv"


def _list_faults(name: str, rows: tuple[CodeRow, ...]) -> Iterator[Fault]:
    if not rows:
        yield Fault(list_file(name), 0, "", "has no codes", "add them, or remove the file")
    seen: dict[str, CodeRow] = {}
    for row in rows:
        first = seen.setdefault(row.code, row)
        if first is not row:
            problem = f"{shown(row.code)} stands in line {first.row} already"
            yield Fault(list_file(name), row.row, "code", problem, "keep one of the rows")


def _lookup_faults(view: PlanView, row: MappingRow, field: Field, name: str) -> Iterator[Fault]:
    if name not in view.plan.codes:
        remedy = nearest(name, view.plan.codes, "add it as a file of codes/")
        yield row_fault(row, "arguments.list", f"there is no code list {shown(name)}", remedy)
        return
    for code in view.plan.codes[name]:
        if code.target != NO_VALUE and (wrong := value_problem(view, field, code.target)):
            problem, remedy = wrong
            yield Fault(list_file(name), code.row, "target", f"{problem} (for {row.entity}.{field.name})", remedy)


def _fixed_faults(view: PlanView, row: MappingRow, field: Field, place: str, value: Scalar) -> Iterator[Fault]:
    if wrong := value_problem(view, field, value):
        yield row_fault(row, place, *wrong)
