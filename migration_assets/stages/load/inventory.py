"""What of the desired target is really there: one row for each planned object. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from migration_assets.stages.load.ddl import Catalog, Desired, Table, policies_of


class Planned(NamedTuple):
    """A schema, role, extension, table, column, constraint, index or policy that the plan wants."""

    kind: str
    name: str
    found: bool


def inventory(current: Catalog, desired: Desired) -> tuple[Planned, ...]:
    """Every planned object and whether it was found."""
    return tuple(_inventory(current, desired))


def _inventory(current: Catalog, desired: Desired) -> Iterator[Planned]:
    yield from (Planned("role", name, name in current.roles) for name in desired.roles.values())
    yield from (Planned("extension", name, name in current.extensions) for name in desired.extensions)
    yield from (Planned("schema", name, name in current.schemas) for name in desired.schemas)
    for table in desired.tables:
        yield from _parts(current, table)


def _parts(current: Catalog, table: Table) -> Iterator[Planned]:
    there, name = current.tables.get(table.qualified), table.qualified
    yield Planned("table", name, there is not None)
    columns, constraints, indexes = (there.columns, there.constraints, there.indexes) if there else ({}, {}, {})
    yield from (Planned("column", f"{name}.{c.name}", c.name in columns) for c in table.columns)
    yield from (Planned("constraint", f"{name}.{c.name}", c.name in constraints) for c in table.constraints)
    yield from (Planned("index", f"{name}.{i.name}", i.name in indexes) for i in table.indexes)
    # One that is there and not in force keeps nothing from anybody.
    policies = there.policies if there and there.row_security else {}
    yield from (Planned("policy", f"{name}.{p.name}", p.name in policies) for p in policies_of(table, there))
