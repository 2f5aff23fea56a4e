"""billing.yaml: tables the plan has, fields that records have, raw columns that are there and can be read.

What is written of a field is `billing_values`, what needs something else `billing_needs`, features are
`billing_features`, and who signed is `billing_signed`.
"""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.errors import Fault
from migration_assets.plan.billing_models import Read
from migration_assets.plan.billing_records import READS, ReadType, RecordName
from migration_assets.plan.checks.billing_features import feature_faults
from migration_assets.plan.checks.billing_needs import need_faults
from migration_assets.plan.checks.billing_signed import signature_faults
from migration_assets.plan.checks.billing_values import value_faults
from migration_assets.plan.checks.view import BILLING, PLAN, PlanView
from migration_assets.plan.wording import listing, nearest, shown

_FLOATS = ("float", "double", "halffloat")
_NO_INSTANTS = ("date", "timestamp", "int", "uint", "bool", "decimal", *_FLOATS)


def billing_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about billing.yaml, and what cannot be told without it."""
    if view.plan.file.hold_before_renewal_days and (view.plan.billing is None or view.plan.billing.target is None):
        yield view.fault(
            PLAN,
            ("hold_before_renewal_days",),
            "nothing says when contracts renew",
            "write a billing.yaml with `legacy` and `target`, or leave the hold out",
        )
    if view.plan.billing is None:
        return
    legacy = view.plan.billing.legacy
    yield from signature_faults(view)
    yield from feature_faults(view, legacy)
    yield from need_faults(view, legacy)
    for record, read in legacy.reads.items():
        yield from _field_faults(view, record, read)
        if read.table not in view.plan.source_tables:
            problem = f"the plan has no table {shown(read.table)}"
            remedy = nearest(read.table, view.plan.source_tables, "name one of plan.yaml, as system.table")
            yield view.fault(BILLING, ("legacy", "reads", record, "table"), problem, remedy)
            continue
        yield from _column_faults(view, record, read)
        for field in read.fields:
            if field in READS[record]:
                yield from value_faults(view, legacy, record, field)


def _field_faults(view: PlanView, record: RecordName, read: Read) -> Iterator[Fault]:
    """Fields that the record does not have, and those it cannot do without."""
    path, known = ("legacy", "reads", record), READS[record]
    for field in read.fields:
        if field not in known:
            free = [name for name in known if name not in read.fields]
            remedy = nearest(field, free, f"remove it; known are {listing(known, most=len(known))}")
            yield view.fault(BILLING, (*path, "fields", field), f"{record} have no field {shown(field)}", remedy)
    if absent := [field for field, told in known.items() if told.needed and field not in read.fields]:
        remedy = "name the raw column it comes from, or `value` where it is the same for all"
        yield view.fault(BILLING, (*path, "fields"), f"{record} need {', '.join(absent)}", remedy)


def _column_faults(view: PlanView, record: RecordName, read: Read) -> Iterator[Fault]:
    path = ("legacy", "reads", record)
    types = (view.columns or {}).get(read.table, {})
    for field, told in read.fields.items():
        if told.column is None:
            continue
        if wrong := view.column_problem(read.table, told.column):
            yield view.fault(BILLING, (*path, "fields", field), *wrong)
        elif told.codes is None and field in READS[record]:
            kind = types.get(told.column, "")
            if unfit := _unfit(READS[record][field].type, kind):
                problem = f"{shown(told.column)} has the type {kind}: {unfit[0]}"
                yield view.fault(BILLING, (*path, "fields", field), problem, unfit[1])
    for i, condition in enumerate(read.where):
        here = view.fault(BILLING, (*path, "where", i, "field"), "", "")
        yield from view.predicate_faults(read.table, [condition], here)


def _unfit(wanted: ReadType, kind: str) -> tuple[str, str] | None:
    """Why nothing of a column of that type could be read, and what helps; None where something can."""
    if wanted in ("number", "integer") and kind.startswith(_FLOATS):
        return "what it holds is not exact, and is never read", "let the source give it as decimal or text"
    if wanted in ("number", "integer") and kind.startswith(("bool", "date", "timestamp")):
        return "it holds no numbers", "name another column, or add `codes`"
    if wanted == "instant" and kind.startswith(_NO_INSTANTS) and "tz=" not in kind:
        return "which instant a day or a local time is, is a matter of a zone", "leave the field out"
    if wanted == "day" and kind.startswith("timestamp") and "tz=" in kind:
        return "which day an instant is on is a matter of a zone", "name a column of days, or of local times"
    if wanted == "day" and kind.startswith(("int", "uint", "bool", "decimal", *_FLOATS)):
        return "it holds no days", "name another column, or add `codes`"
    return None
