"""Controls: finance's own totals, by raw column and target column, with unit and currency said on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from migration_assets.domain.canonical.model import Field, FieldType
from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.standards import is_currency
from migration_assets.plan.checks.target import target_field
from migration_assets.plan.checks.view import CONTROLS, PlanView
from migration_assets.plan.models import Control
from migration_assets.plan.wording import nearest, shown

_SUMMED: dict[FieldType, str] = {"money": "minor", "decimal": "major"}
# Money is not among them: amounts of several currencies are never one sum (I25).
_NUMBERS: tuple[FieldType, ...] = ("integer", "decimal")


def control_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about controls.csv."""
    seen: dict[str, int] = {}
    for control in view.plan.controls:
        first = seen.setdefault(control.measure, control.row)
        if first != control.row:
            yield _fault(control, "measure", f"{control.measure} stands in line {first} already", "name it otherwise")
        yield from _shape_faults(view, control)
        yield from _source_faults(view, control)
        yield from _target_faults(view, control)
        yield from _signature_faults(control)


def _fault(control: Control, field: str, problem: str, remedy: str) -> Fault:
    return Fault(CONTROLS, control.row, field, problem, remedy)


def _shape_faults(view: PlanView, control: Control) -> Iterator[Fault]:
    if bool(control.codes) != (control.kind == "code_count"):
        problem = "is missing for a code_count" if not control.codes else f"means nothing for a {control.kind}"
        yield _fault(control, "codes", problem, 'write {"code of the source": "code of the target"}, or leave it blank')
    needed = {"count": (), "sum": ("column", "unit", "currency")}.get(control.kind, ("column",))
    for side in ("source", "target"):
        for part in ("column", "unit", "currency"):
            value = getattr(control, f"{side}_{part}")
            if (control.kind, side, part, value) == ("midnight_sum", "source", "unit", "last_day"):
                continue
            if value == "last_day":
                yield _fault(control, "source_unit", "says nothing of an amount", "write major or minor")
            elif part in needed and not value:
                yield _fault(control, f"{side}_{part}", f"is missing for a {control.kind}", "fill it in")
            elif part not in needed and value:
                yield _fault(control, f"{side}_{part}", f"means nothing for a {control.kind}", "leave it blank")
        currency = getattr(control, f"{side}_currency")
        if side == "source" and control.source_rounding and control.source_unit != "major":
            problem = "rounds what has no fraction: it means something for a sum of major units"
            yield _fault(control, "source_rounding", problem, "leave it blank")
        if currency.startswith("=") and not is_currency(currency[1:], view.plan.file.currency_exponents):
            remedy = "write = and an ISO 4217 code, or name a column"
            yield _fault(control, f"{side}_currency", f"{shown(currency[1:])} is not a currency", remedy)


def _source_faults(view: PlanView, control: Control) -> Iterator[Fault]:
    if control.source not in view.tables:
        remedy = nearest(control.source, view.tables, "name a declared `system.table`")
        yield _fault(control, "source", f"{shown(control.source)} is not a table of this plan", remedy)
        return
    for part in ("source_column", "source_currency"):
        column = getattr(control, part)
        if column and not column.startswith("=") and (wrong := view.column_problem(control.source, column)):
            yield _fault(control, part, *wrong)
    parent = view.tables[control.source].references.get(control.source_column)
    if control.kind == "linked_count" and (parent not in view.tables or len(view.tables[parent].key) != 1):
        problem = f"{shown(control.source_column)} leads to no table that one column identifies"
        yield _fault(control, "source_column", problem, f"name a column of `references` of {control.source}")
    yield from view.predicate_faults(
        control.source, control.source_where, Fault(CONTROLS, control.row, "source_where", "", "")
    )


def _target_faults(view: PlanView, control: Control) -> Iterator[Fault]:
    table = view.plan.target.tables.get(control.target)
    if table is None:
        remedy = nearest(control.target, view.plan.target.tables, "name a table of target.yaml")
        yield _fault(control, "target", f"{shown(control.target)} is not a table of the target", remedy)
        return
    currency = "" if control.target_currency.startswith("=") else control.target_currency
    used = [("target_column", control.target_column), ("target_currency", currency)]
    used += [("target_where", p.field) for p in control.target_where]
    for part, column in used:
        if column and column not in table.columns:
            remedy = nearest(column, table.columns, "name a column of the table")
            yield _fault(control, part, f"{control.target} has no column {shown(column)}", remedy)
    yield from _type_faults(view, control)


def _type_faults(view: PlanView, control: Control) -> Iterator[Fault]:
    field = target_field(view, control.target, control.target_column)
    if field is None:
        return
    if control.kind == "day_sum" and field.type not in ("date", "instant"):
        yield _fault(control, "target_column", f"holds {field.type}, not days", "name a date or an instant")
    if control.kind == "midnight_sum" and field.type != "instant":
        yield _fault(control, "target_column", f"holds {field.type}, not instants", "name an instant")
    if control.kind == "linked_count" and field.type != "reference":
        yield _fault(control, "target_column", f"holds {field.type}, and leads nowhere", "name a reference")
    if control.kind == "code_count":
        yield from _code_faults(control, field)
    if control.kind == "text_sum" and field.type != "text":
        yield _fault(control, "target_column", f"holds {field.type}, not text", "name a column of text")
    if control.kind == "number_sum" and field.type not in _NUMBERS:
        yield _fault(control, "target_column", f"holds {field.type}, not a number", "name a column of numbers")
    if control.kind == "sum" and field.type not in _SUMMED:
        yield _fault(control, "target_column", f"holds {field.type}, not an amount", "name a column of money")
    unit = _SUMMED.get(field.type)
    if control.kind == "sum" and unit and control.target_unit and control.target_unit != unit:
        yield _fault(control, "target_unit", f"the column holds {unit} units", f"write {unit}")


def _code_faults(control: Control, field: Field) -> Iterator[Fault]:
    # Words that no list of the canonical model names are text: a segment, say.
    if field.type not in ("code", "boolean", "currency", "country", "text"):
        yield _fault(control, "target_column", f"holds {field.type}, not codes", "name a column of codes or yes and no")
        return
    known = ("true", "false") if field.type == "boolean" else field.codes
    for code in (c for c in control.codes.values() if known and c not in known):
        problem = f"{shown(code)} is no code of {control.target_column}"
        yield _fault(control, "codes", problem, nearest(code, known, "name one of its codes"))


def _signature_faults(control: Control) -> Iterator[Fault]:
    if bool(control.signed_by) != bool(control.signed_on):
        yield _fault(control, "signed_by", "a signature needs a name and a day", "fill in both, or neither")
    if control.signed_on and not _is_day(control.signed_on):
        yield _fault(control, "signed_on", "is not a day", "write it as 2026-01-31")


def _is_day(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False
