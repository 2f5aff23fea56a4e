"""From a plan to the schema of its target: types, constraints, indexes and roles follow from the canonical model.

Schema `cutover` lies beside the target's own and holds what a load records: the crosswalk, the ledger, pre-images.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE, Entity, Field
from migration_assets.stages.load.cohort_states import RECORD, cohort_state_table
from migration_assets.stages.load.ddl import (
    Column,
    Constraint,
    Desired,
    Index,
    Role,
    Table,
    ident,
    literal,
    object_name,
)
from migration_assets.stages.load.hidden_tables import HIDEABLE, hidden_tables, policies
from migration_assets.stages.load.rollback_tables import rollback_tables
from migration_assets.stages.load.seal_table import seal_table

if TYPE_CHECKING:
    from migration_assets.plan.models import Compare, NoOverlap, Plan, TargetSchema, TargetTable

RECORD_SCHEMA = RECORD
CROSSWALK, LEDGER, PRE_IMAGE = "crosswalk", "load_ledger", "pre_image"
# What a hash of the crosswalk begins with: a form that is read otherwise, or another's, says nothing.
HASH_FORM = "2:"
CROSSWALK_KEY = ("entity", "source_system", "source_table", "source_id")

_TYPES = {
    "integer": "bigint",
    "money": "bigint",
    "decimal": "numeric(28,8)",
    "boolean": "boolean",
    "date": "date",
    "instant": "timestamp with time zone",
}
_OPERATORS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "=", "ne": "<>"}


def desired_schema(plan: Plan) -> Desired:
    """Everything the plan wants of its target. Grain of its tables: one row of their entity."""
    schema, roles = plan.target, role_names(plan)
    tables = [_table(schema, name, table, roles["writer"]) for name, table in parents_first(schema)]
    overlaps = any(t.no_overlap for t in schema.tables.values())
    return Desired(
        roles=roles,
        tables=(*_record_tables(), *tables),
        extensions=("btree_gist",) if overlaps else (),
    )


def role_names(plan: Plan) -> dict[Role, str]:
    """Roles belong to the whole server, so their names begin with the plan's."""
    return {part: object_name(plan.name, name) for part, name in plan.target.roles.items()}


def parents_first(schema: TargetSchema) -> tuple[tuple[str, TargetTable], ...]:
    """The target's tables in the order of the canonical model: what is pointed at comes first."""
    rank = {name: i for i, name in enumerate(ENTITIES)}
    return tuple(sorted(schema.tables.items(), key=lambda item: rank[item[1].entity]))


def canonical_field(entity: Entity, name: str) -> Field:
    """The entity's field of that name, or the provenance column every entity has."""
    return next((f for f in (*entity.fields, *PROVENANCE) if f.name == name), None) or entity.field(name)


def column_types(table: TargetTable) -> dict[str, str]:
    """Target column -> PostgreSQL type, in the table's order."""
    entity = ENTITIES[table.entity]
    return {column: column_type(entity, canonical_field(entity, name)) for column, name in table.columns.items()}


def column_type(entity: Entity, field: Field) -> str:
    """PostgreSQL type of a field. Rows of the catalog keep their codes as keys; all others get UUIDs."""
    if field.type == "key":
        return "text" if entity.origin == "catalog" else "uuid"
    if field.type == "reference":
        return "text" if ENTITIES[str(field.references)].origin == "catalog" else "uuid"
    return _TYPES.get(field.type, "text")


def key_column(table: TargetTable) -> str:
    """The table's key: always its first column."""
    return next(iter(table.columns))


def table_of(schema: TargetSchema, entity: str) -> str | None:
    """The first table that holds rows of the entity: what references lead to."""
    return next((name for name, table in schema.tables.items() if table.entity == entity), None)


# --- one table ---------------------------------------------------------------------------------------------------


def _table(schema: TargetSchema, name: str, table: TargetTable, writer: str) -> Table:
    entity, types = ENTITIES[table.entity], column_types(table)
    fields = {column: canonical_field(entity, field) for column, field in table.columns.items()}
    return Table(
        schema=schema.schema_name,
        name=name,
        columns=tuple(
            Column(c, types[c], f.required, f"{f.description} [{entity.name}.{f.name}]") for c, f in fields.items()
        ),
        constraints=(
            Constraint(object_name(name, "pkey"), f"PRIMARY KEY ({ident(key_column(table))})"),
            *(_unique(name, columns) for columns in table.unique),
            *(c for column, f in fields.items() for c in _values(name, column, f)),
            *(_compare(name, check) for check in table.checks),
            *(_no_overlap(name, types, rule) for rule in table.no_overlap),
            *(c for column, f in fields.items() for c in _foreign_key(schema, name, column, f)),
        ),
        indexes=tuple(_reference_indexes(schema, name, table, fields)),
        comment=table.comment or entity.description,
        grants=(("writer", ("SELECT", "INSERT", "UPDATE", "DELETE")), ("reader", ("SELECT",))),
        policies=policies(schema.schema_name, name, key_column(table), entity.name, writer)
        if entity.name in HIDEABLE
        else (),
    )


# Checked when all is written: within one load a value may pass from one row to another, and a row that goes may make
# room for one that comes.
_AT_THE_END = " DEFERRABLE INITIALLY DEFERRED"


def _unique(name: str, columns: tuple[str, ...]) -> Constraint:
    return Constraint(object_name(name, *columns, "key"), f"UNIQUE ({', '.join(map(ident, columns))}){_AT_THE_END}")


def _values(name: str, column: str, field: Field) -> Iterator[Constraint]:
    """What the canonical model says of a field's values, where a database can hold it."""
    if field.codes:
        codes = ", ".join(literal(c) for c in field.codes)
        yield Constraint(object_name(name, column, "code"), f"CHECK ({ident(column)} IN ({codes}))")
    elif field.type == "currency":
        yield Constraint(object_name(name, column, "currency"), f"CHECK ({ident(column)} ~ '^[A-Z]{{3}}$')")
    elif field.type == "country":
        yield Constraint(object_name(name, column, "country"), f"CHECK ({ident(column)} ~ '^[A-Z]{{2}}$')")


def _compare(name: str, check: Compare) -> Constraint:
    right = ident(check.right) if isinstance(check.right, str) else str(check.right)
    parts = (name, check.left, check.op, str(check.right).replace("-", "minus_"))
    return Constraint(object_name(*parts), f"CHECK ({ident(check.left)} {_OPERATORS[check.op]} {right})")


def _no_overlap(name: str, types: dict[str, str], rule: NoOverlap) -> Constraint:
    ranges = "daterange" if types[rule.starts] == "date" else "tstzrange"
    period = f"{ranges}({ident(rule.starts)}, {ident(rule.ends)}, '[)') WITH &&"
    equal = [f"{ident(column)} WITH =" for column in rule.equal]
    return Constraint(
        object_name(name, *rule.equal, rule.starts, rule.ends, "overlap"),
        f"EXCLUDE USING gist ({', '.join([*equal, period])}){_AT_THE_END}",
    )


def _target_entity(field: Field) -> str | None:
    """The entity a field leads to, by key or by the code of a catalog list."""
    if field.references is None:
        return None
    return field.references.removeprefix("catalog.")


def references_to(schema: TargetSchema, entity: str) -> tuple[tuple[str, str], ...]:
    """(table, column) of every column that leads to the entity's table, children of the canonical model last."""
    return tuple(
        (name, column)
        for name, table in parents_first(schema)
        for column, field in table.columns.items()
        if _target_entity(canonical_field(ENTITIES[table.entity], field)) == entity
    )


def _foreign_key(schema: TargetSchema, name: str, column: str, field: Field) -> Iterator[Constraint]:
    parent = table_of(schema, _target_entity(field) or "")
    if parent is None:
        return
    # A row may stand before its parent in the same table.
    later = _AT_THE_END if parent == name else ""
    parent_key = ident(key_column(schema.tables[parent]))
    definition = f"FOREIGN KEY ({ident(column)}) REFERENCES {ident(schema.schema_name, parent)} ({parent_key}){later}"
    yield Constraint(object_name(name, column, "fkey"), definition)


def _reference_indexes(
    schema: TargetSchema, name: str, table: TargetTable, fields: dict[str, Field]
) -> Iterator[Index]:
    led = {key_column(table), *(columns[0] for columns in table.unique)}
    for column, field in fields.items():
        if column not in led and table_of(schema, _target_entity(field) or "") is not None:
            yield Index(object_name(name, column, "idx"), f"({ident(column)})")


# --- the record of loads -----------------------------------------------------------------------------------------


def _record_tables() -> tuple[Table, ...]:
    beside = (
        cohort_state_table(),
        *hidden_tables(),
        seal_table(RECORD_SCHEMA),
        *rollback_tables(RECORD_SCHEMA),
    )
    return _crosswalk(), _ledger(), _pre_images(), *beside


def _crosswalk() -> Table:
    return Table(
        schema=RECORD_SCHEMA,
        name=CROSSWALK,
        columns=(
            Column("entity", "text", True, "Canonical entity."),
            Column("source_system", "text", True, "System the row was founded in."),
            Column("source_table", "text", True, "Table of that system."),
            Column("source_id", "text", True, "Key in that table, parts joined by '/'."),
            Column("target_id", "uuid", True, "Key in the target."),
            Column("status", "text", True, "loaded, or merged into the row that has the target id."),
            Column("founder", "boolean", True, "The target id was minted from this very source row."),
            Column(
                "row_hash",
                "text",
                False,
                "`2:` and the MD5 of the row as it was to be in the target; none when merged.",
            ),
            Column("cohort", "text", True, "Cohort the row moved with."),
            Column("snapshot", "text", True, "Snapshot it was last loaded from."),
            Column("load_id", "bigint", True, "Load that last wrote it."),
            Column("loaded_at", "timestamp with time zone", True, "When."),
        ),
        constraints=(
            Constraint("crosswalk_pkey", f"PRIMARY KEY ({', '.join(CROSSWALK_KEY)})"),
            Constraint("crosswalk_status", "CHECK (status IN ('loaded', 'merged'))"),
        ),
        # None on target_id: its random order would make it dearer than all the rest of the record together, and what
        # asks by target id asks for a cohort or for everything.
        indexes=(
            Index("crosswalk_cohort_idx", "(cohort, entity)"),
            Index("crosswalk_alias_idx", "(entity) WHERE NOT founder"),
        ),
        comment="Which source row became which target row.",
        grants=(("writer", ("SELECT", "INSERT", "UPDATE", "DELETE")), ("reader", ("SELECT",))),
    )


def _ledger() -> Table:
    counts = ("inserted", "updated", "unchanged", "deleted")
    return Table(
        schema=RECORD_SCHEMA,
        name=LEDGER,
        columns=(
            Column("load_id", "bigint", True, "One transaction."),
            Column("cohort", "text", True, "Cohort loaded."),
            Column("snapshot", "text", True, "Snapshot it came from."),
            Column("plan_digest", "text", True, "Digest of the plan."),
            Column("table_name", "text", True, "Table written."),
            *(Column(c, "bigint", True, f"Rows {c}.") for c in counts),
            Column("loaded_at", "timestamp with time zone", True, "When."),
            Column("run_id", "text", True, "Run that did it."),
        ),
        constraints=(Constraint("load_ledger_pkey", "PRIMARY KEY (load_id, table_name)"),),
        comment="What each load wrote, table by table; a load that changed nothing has no row.",
        grants=(("writer", ("SELECT", "INSERT")), ("reader", ("SELECT",))),
    )


def _pre_images() -> Table:
    return Table(
        schema=RECORD_SCHEMA,
        name=PRE_IMAGE,
        columns=(
            Column("load_id", "bigint", True, "Load that changed the row."),
            Column("table_name", "text", True, "Table of the row."),
            Column("target_id", "text", True, "Its key."),
            Column("operation", "text", True, "update or delete; insert, of a row of the crosswalk under another key."),
            Column("row", "jsonb", True, "The row before; null where there was none."),
        ),
        constraints=(
            Constraint("pre_image_pkey", "PRIMARY KEY (load_id, table_name, target_id)"),
            Constraint("pre_image_operation", "CHECK (operation IN ('insert', 'update', 'delete'))"),
        ),
        comment="Rows as they were before a load changed or removed them.",
        # Whole rows, personal data among them: nobody reads it but those who can write it.
        grants=(("writer", ("SELECT", "INSERT")),),
    )
