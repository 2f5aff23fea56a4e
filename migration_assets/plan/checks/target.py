"""The target's tables: known entities and fields, required ones present, constraints over real columns."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.canonical import ENTITIES, Entity
from migration_assets.domain.canonical.model import Field
from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.view import TARGET, PlanView
from migration_assets.plan.mapped import field_of, kept_field
from migration_assets.plan.models import TargetTable
from migration_assets.plan.wording import nearest, shown

ROLES = ("owner", "writer", "reader")


def target_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about target.yaml."""
    yield from _role_faults(view)
    homes: dict[str, str] = {}
    for name, table in view.plan.target.tables.items():
        first = homes.setdefault(table.entity, name)
        if first != name:
            problem = f"{table.entity} has the table {first} already"
            yield view.fault(TARGET, ("tables", name, "entity"), problem, "keep one of the tables")
        yield from _table_faults(view, name, table)
    yield from _homeless_faults(view, homes)


def target_field(view: PlanView, table: str, column: str) -> Field | None:
    """The canonical field behind a target column, if both are known."""
    declared = view.plan.target.tables.get(table)
    entity = ENTITIES.get(declared.entity) if declared else None
    return kept_field(entity, declared.columns.get(column, "")) if declared and entity else None


def _role_faults(view: PlanView) -> Iterator[Fault]:
    roles = view.plan.target.roles
    for role in ROLES:
        if role not in roles:
            yield view.fault(TARGET, ("roles", role), "is missing", f"name the role that is the {role}")
    if len(set(roles.values())) < len(roles):
        problem = "two roles have one name, so writer and owner are not kept apart"
        yield view.fault(TARGET, ("roles",), problem, "give each role its own name")


def _table_faults(view: PlanView, name: str, table: TargetTable) -> Iterator[Fault]:
    entity = ENTITIES.get(table.entity)
    path = ("tables", name, "entity")
    if entity is None:
        remedy = nearest(table.entity, ENTITIES, "name an entity of the canonical model")
        yield view.fault(TARGET, path, f"{shown(table.entity)} is not an entity", remedy)
        return
    if table.entity not in view.made:
        remedy = "add a feed for it, or remove the table"
        yield view.fault(TARGET, path, f"nothing feeds {table.entity}", remedy)
    yield from _column_faults(view, name, table, entity)
    yield from _reference_faults(view, name, table, entity)
    yield from _constraint_faults(view, name, table)


def _column_faults(view: PlanView, name: str, table: TargetTable, entity: Entity) -> Iterator[Fault]:
    path = ("tables", name, "columns")
    fields = list(table.columns.values())
    if fields[0] != entity.key.name:
        yield view.fault(TARGET, path, "the first column is not the key", f"begin with the column of {entity.key.name}")
    for column, wanted in table.columns.items():
        if kept_field(entity, wanted) is None:
            remedy = nearest(wanted, [f.name for f in entity.fields], f"name a field of {entity.name}")
            yield view.fault(TARGET, (*path, column), f"{entity.name} has no field {shown(wanted)}", remedy)
        elif fields.count(wanted) > 1:
            yield view.fault(TARGET, (*path, column), f"{wanted} fills more than one column", "keep one of them")
    mapped = {(row.entity, row.field) for row in view.plan.mapping}
    for field in entity.fields:
        if field.required and field.name not in fields:
            yield view.fault(TARGET, path, f"the required field {field.name} has no column", "add a column for it")
        elif field.about and field.name not in fields and (entity.name, field.name) in mapped:
            problem = f"{field.name}, which says whom a row is about, is mapped and has no column"
            yield view.fault(TARGET, path, problem, "add a column for it: else the row is about somebody else there")
    if "currency" not in fields:
        for column, wanted in table.columns.items():
            found = field_of(entity, wanted)
            if found and found.type == "money" and field_of(entity, "currency"):
                yield view.fault(TARGET, (*path, column), "an amount without its currency", "add a column for currency")


def _reference_faults(view: PlanView, name: str, table: TargetTable, entity: Entity) -> Iterator[Fault]:
    placed = {t.entity for t in view.plan.target.tables.values()}
    for column, wanted in table.columns.items():
        field = field_of(entity, wanted)
        other = (field.references or "").removeprefix("catalog.") if field else ""
        if other and other not in placed:
            remedy = f"add a table for {other}, or leave the column out"
            problem = f"points at {other}, which has no table"
            yield view.fault(TARGET, ("tables", name, "columns", column), problem, remedy)


def _constraint_faults(view: PlanView, name: str, table: TargetTable) -> Iterator[Fault]:
    named = [(("unique", i), column) for i, columns in enumerate(table.unique) for column in columns]
    for i, check in enumerate(table.checks):
        named += [(("checks", i), c) for c in (check.left, check.right) if isinstance(c, str)]
    for i, rule in enumerate(table.no_overlap):
        named += [(("no_overlap", i), c) for c in (*rule.equal, rule.starts, rule.ends)]
        yield from _period_faults(view, name, i, table)
    for path, column in named:
        if column not in table.columns:
            remedy = nearest(column, table.columns, "name a column of the table")
            yield view.fault(TARGET, ("tables", name, *path), f"{name} has no column {shown(column)}", remedy)
    for i, columns in enumerate(table.unique):
        if not columns or len(set(columns)) < len(columns):
            remedy = "name at least one column, each once"
            yield view.fault(TARGET, ("tables", name, "unique", i), "is no set of columns", remedy)


def _period_faults(view: PlanView, name: str, i: int, table: TargetTable) -> Iterator[Fault]:
    rule = table.no_overlap[i]
    types = {c: f.type for c in (rule.starts, rule.ends) if (f := target_field(view, name, c))}
    for column, kind in types.items():
        if kind not in ("instant", "date"):
            remedy = "name a column that holds an instant or a date"
            yield view.fault(TARGET, ("tables", name, "no_overlap", i), f"{shown(column)} is {kind}", remedy)
    if len(set(types.values())) > 1 and set(types.values()) <= {"instant", "date"}:
        problem = "starts and ends are not of one type"
        yield view.fault(TARGET, ("tables", name, "no_overlap", i), problem, "use two instants or two dates")


def _homeless_faults(view: PlanView, homes: dict[str, str]) -> Iterator[Fault]:
    for entity in sorted({f.entity for f in view.plan.feeds}):
        if entity in ENTITIES and ENTITIES[entity].origin != "derived" and entity not in homes:
            problem = f"{entity} is fed but has no table, so its rows would be lost"
            yield view.fault(TARGET, ("tables",), problem, "add a table for it, or remove its feeds")
