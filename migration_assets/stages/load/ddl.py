"""What a target consists of, as data, and the statements that bring a database there: no connection, no plan.

Every object has a fixed name, and its definition is kept beside it as a comment, so that running twice finds nothing to
do and a changed rule is seen without parsing what PostgreSQL made of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from migration_assets.domain.errors import TargetRefused

Role = Literal["owner", "writer", "reader"]
# Who may be granted something: a role of the plan, or whoever there is on the server.
Grantee = Role | Literal["everyone"]
EVERYONE = "PUBLIC"

_LONGEST_NAME = 63  # PostgreSQL cuts longer names silently


@dataclass(frozen=True)
class Column:
    """A column; `type` as PostgreSQL's `format_type` spells it."""

    name: str
    type: str
    required: bool
    comment: str = ""


@dataclass(frozen=True)
class Constraint:
    """A constraint; `definition` is what follows its name."""

    name: str
    definition: str


@dataclass(frozen=True)
class Index:
    """An index; `definition` is what follows `ON table`."""

    name: str
    definition: str


@dataclass(frozen=True)
class Policy:
    """Who sees which rows of a table; `definition` is what follows `ON table`. It binds nobody who owns the table.
    `only_alone`: it is not to be where others have policies of their own."""

    name: str
    definition: str
    only_alone: bool = False


@dataclass(frozen=True)
class Table:
    """A table; `grants` gives the privileges of each role besides its owner's. With `policies` row security is on."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    comment: str = ""
    grants: tuple[tuple[Grantee, tuple[str, ...]], ...] = ()
    policies: tuple[Policy, ...] = ()

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Desired:
    """What a plan wants of its target: roles (by part), tables parents first, extensions."""

    roles: Mapping[Role, str]
    tables: tuple[Table, ...]
    extensions: tuple[str, ...] = ()

    @property
    def schemas(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(t.schema for t in self.tables))

    @property
    def open_schemas(self) -> frozenset[str]:
        """Schemas with a table that everyone may look into."""
        return frozenset(t.schema for t in self.tables if any(to == "everyone" for to, _ in t.grants))


@dataclass(frozen=True)
class CurrentColumn:
    type: str
    required: bool
    has_default: bool
    comment: str


@dataclass(frozen=True)
class CurrentTable:
    """A table that is there: columns by name, definitions of constraints, indexes and policies by name (from their
    comments), and whether row security is on."""

    columns: Mapping[str, CurrentColumn]
    constraints: Mapping[str, str]
    indexes: Mapping[str, str]
    comment: str
    policies: Mapping[str, str] = field(default_factory=dict)
    row_security: bool = False


@dataclass(frozen=True)
class Catalog:
    """What a database holds now. `grants`: (role or EVERYONE, `schema` or `schema.table`, privilege)."""

    roles: frozenset[str]
    memberships: frozenset[str]
    extensions: frozenset[str]
    schemas: frozenset[str]
    tables: Mapping[str, CurrentTable]
    grants: frozenset[tuple[str, str, str]]


def plan_schema(current: Catalog, desired: Desired) -> tuple[str, ...]:
    """Statements, in order, that bring the database to what is desired: none when it is there already.

    TargetRefused lists every table that is there but cannot be what the plan says, before anything is changed.
    """
    differences = [d for table in desired.tables for d in _differences(current.tables.get(table.qualified), table)]
    if differences:
        raise TargetRefused(
            "the target's tables are not what the plan says:\n" + "\n".join(f"  {d}" for d in differences),
            "Change target.yaml to fit the target, or the target to fit the plan; nothing was changed.",
        )
    around = tuple(_surroundings(current, desired))
    inside = (*_tables(current, desired), *_grants(current, desired), *_row_security(current, desired))
    owner = ident(desired.roles["owner"])
    return (*around, *((f"SET LOCAL ROLE {owner}", *inside, "RESET ROLE") if inside else ()))


def ident(*parts: str) -> str:
    """A name for SQL text, quoted: `order` and `user` are table names people choose."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def literal(text: str) -> str:
    """A text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def object_name(*parts: str) -> str:
    """A name made of parts; one that is too long is cut and made unique by a digest of the whole."""
    whole = "_".join(parts)
    if len(whole) <= _LONGEST_NAME:
        return whole
    return f"{whole[: _LONGEST_NAME - 9]}_{hashlib.sha1(whole.encode(), usedforsecurity=False).hexdigest()[:8]}"


# --- differences nobody may paper over ---------------------------------------------------------------------------


def _differences(current: CurrentTable | None, table: Table) -> Iterator[str]:
    if current is None:
        return
    for column in table.columns:
        found = current.columns.get(column.name)
        if found is None:
            yield f"{table.qualified}.{column.name} is missing (wanted: {column.type})"
        elif found.type != column.type:
            yield f"{table.qualified}.{column.name} is {found.type} (wanted: {column.type})"
        elif found.required and not column.required:
            yield f"{table.qualified}.{column.name} demands a value (wanted: may be missing)"
    named = {c.name for c in table.columns}
    for name, other in current.columns.items():
        if name not in named and other.required and not other.has_default:
            yield f"{table.qualified}.{name} demands a value and the plan has none for it"


# --- statements --------------------------------------------------------------------------------------------------


def _surroundings(current: Catalog, desired: Desired) -> Iterator[str]:
    """Roles, extensions and schemas: made by whoever connects, not by the owner."""
    for role in desired.roles.values():
        if role not in current.roles:
            yield f"CREATE ROLE {ident(role)} NOLOGIN"
        if role not in current.memberships:
            yield f"GRANT {ident(role)} TO CURRENT_USER"
    for extension in desired.extensions:
        if extension not in current.extensions:
            yield f"CREATE EXTENSION {ident(extension)}"
    owner = desired.roles["owner"]
    for schema in desired.schemas:
        if schema not in current.schemas:
            yield f"CREATE SCHEMA {ident(schema)} AUTHORIZATION {ident(owner)}"
        wanted = [(owner, "USAGE"), (owner, "CREATE"), *((r, "USAGE") for r in _others(desired))]
        wanted += [(EVERYONE, "USAGE")] if schema in desired.open_schemas else []
        for role, privilege in wanted:
            made_for_owner = schema not in current.schemas and role == owner
            if (role, schema, privilege) not in current.grants and not made_for_owner:
                yield f"GRANT {privilege} ON SCHEMA {ident(schema)} TO {_to(role)}"


def _to(role: str) -> str:
    return role if role == EVERYONE else ident(role)


def _others(desired: Desired) -> tuple[str, ...]:
    return desired.roles["writer"], desired.roles["reader"]


def _tables(current: Catalog, desired: Desired) -> Iterator[str]:
    """Tables first, then what may lean on other tables."""
    for table in desired.tables:
        if table.qualified not in current.tables:
            yield _create(table)
    for table in desired.tables:
        yield from _columns(current.tables.get(table.qualified), table)
    for foreign in (False, True):
        for table in desired.tables:
            yield from _constraints(current.tables.get(table.qualified), table, foreign)
    for table in desired.tables:
        yield from _indexes(current.tables.get(table.qualified), table)


def _create(table: Table) -> str:
    lines = [f"  {ident(c.name)} {c.type}{' NOT NULL' if c.required else ''}" for c in table.columns]
    return f"CREATE TABLE {ident(table.schema, table.name)} (\n" + ",\n".join(lines) + "\n)"


def _columns(current: CurrentTable | None, table: Table) -> Iterator[str]:
    name = ident(table.schema, table.name)
    if table.comment != (current.comment if current else ""):
        yield f"COMMENT ON TABLE {name} IS {literal(table.comment)}"
    for column in table.columns:
        found = current.columns[column.name] if current else None
        if found and column.required and not found.required:
            yield f"ALTER TABLE {name} ALTER COLUMN {ident(column.name)} SET NOT NULL"
        if column.comment != (found.comment if found else ""):
            yield f"COMMENT ON COLUMN {name}.{ident(column.name)} IS {literal(column.comment)}"


def _constraints(current: CurrentTable | None, table: Table, foreign: bool) -> Iterator[str]:
    name = ident(table.schema, table.name)
    for constraint in table.constraints:
        if constraint.definition.startswith("FOREIGN KEY") != foreign:
            continue
        found = current.constraints.get(constraint.name) if current else None
        if found == constraint.definition:
            continue
        if found is not None:
            yield f"ALTER TABLE {name} DROP CONSTRAINT {ident(constraint.name)}"
        yield f"ALTER TABLE {name} ADD CONSTRAINT {ident(constraint.name)} {constraint.definition}"
        yield f"COMMENT ON CONSTRAINT {ident(constraint.name)} ON {name} IS {literal(constraint.definition)}"


def _indexes(current: CurrentTable | None, table: Table) -> Iterator[str]:
    for index in table.indexes:
        found = current.indexes.get(index.name) if current else None
        if found == index.definition:
            continue
        if found is not None:
            yield f"DROP INDEX {ident(table.schema, index.name)}"
        yield f"CREATE INDEX {ident(index.name)} ON {ident(table.schema, table.name)} {index.definition}"
        yield f"COMMENT ON INDEX {ident(table.schema, index.name)} IS {literal(index.definition)}"


def _grants(current: Catalog, desired: Desired) -> Iterator[str]:
    for table in desired.tables:
        for part, privileges in table.grants:
            role = EVERYONE if part == "everyone" else desired.roles[part]
            missing = [p for p in privileges if (role, table.qualified, p) not in current.grants]
            if missing:
                yield f"GRANT {', '.join(missing)} ON {ident(table.schema, table.name)} TO {_to(role)}"


def _row_security(current: Catalog, desired: Desired) -> Iterator[str]:
    """Policies first, so that nobody is shut out when row security is switched on."""
    for table in desired.tables:
        there, name = current.tables.get(table.qualified), ident(table.schema, table.name)
        wanted = policies_of(table, there)
        for policy in table.policies:
            found = there.policies.get(policy.name) if there else None
            if policy not in wanted:
                if found is not None:
                    yield f"DROP POLICY {ident(policy.name)} ON {name}"
                continue
            if found == policy.definition:
                continue
            if found is not None:
                yield f"DROP POLICY {ident(policy.name)} ON {name}"
            yield f"CREATE POLICY {ident(policy.name)} ON {name} {policy.definition}"
            yield f"COMMENT ON POLICY {ident(policy.name)} ON {name} IS {literal(policy.definition)}"
        if table.policies and not (there and there.row_security):
            yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"


def policies_of(table: Table, there: CurrentTable | None) -> tuple[Policy, ...]:
    """The policies that the table is to have, beside those that others have given it."""
    others = set(there.policies if there else ()) - {p.name for p in table.policies}
    return tuple(p for p in table.policies if not (p.only_alone and others))
