"""Where a rollback works: the target's own schemas, or copies of them in a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.load.changes import hashed_as_text
from migration_assets.stages.load.schema import RECORD_SCHEMA, key_column, parents_first

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.plan.models import Plan, TargetSchema


@dataclass(frozen=True)
class Place:
    """The schema of the target's tables, and that of the record of loads."""

    plan: Plan
    target: str
    record: str

    @staticmethod
    def of(plan: Plan) -> Place:
        """The target itself."""
        return Place(plan, plan.target.schema_name, RECORD_SCHEMA)

    @property
    def schema(self) -> TargetSchema:
        return self.plan.target

    def as_text(self, connection: Connection, table: str) -> bool:
        """Whether the table's rows are hashed as text."""
        return bool(hashed_as_text(connection, self.target, [table]))

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables of the target, parents first."""
        return tuple(name for name, _ in parents_first(self.schema))

    def table(self, name: str) -> sql.Identifier:
        return sql.Identifier(self.target, name)

    def own(self, name: str) -> sql.Identifier:
        """A table of the record."""
        return sql.Identifier(self.record, name)

    def entity(self, table: str) -> str:
        return self.schema.tables[table].entity

    def key(self, table: str) -> sql.Identifier:
        return sql.Identifier(key_column(self.schema.tables[table]))

    def coded(self, table: str) -> bool:
        """Whether the table's keys are codes, and its rows not in the crosswalk."""
        return ENTITIES[self.entity(table)].origin == "catalog"

    def kind(self, table: str) -> sql.SQL:
        """Type of the table's key."""
        return sql.SQL("text") if self.coded(table) else sql.SQL("uuid")
