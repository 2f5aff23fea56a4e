"""A package of a cohort that is loaded for the first time and has more rows than one transaction is to write.

Each package is a transaction of its own, with its crosswalk rows, notes and ledger entry, and leaves the cohort's seal
as it is so far: the next one, of this run or another, goes on with the rows that are not in it. Until the last one is
in readers do not see the cohort (`hidden`). Packages only insert: where a row is recorded already, of this cohort or
another, everything is compared in one transaction instead (`whole`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.load.cohort_writes import CohortWrites
from migration_assets.stages.load.guarded import RECORD_TABLE, of_cohort, planned_with
from migration_assets.stages.load.order import LoadResult, TableResult
from migration_assets.stages.load.plan import TableRows
from migration_assets.stages.load.schema import CROSSWALK, canonical_field, parents_first

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import TargetSchema
    from migration_assets.stages.load.inputs import Inputs
    from migration_assets.stages.load.seal import Rows


@dataclass
class PackageLoad:
    """Writes of one package. `rows`: what the target had of each table before it; `outstanding`: canonical rows that
    come after it."""

    to: CohortWrites
    inputs: Inputs
    rows: Mapping[str, Rows]
    outstanding: int

    def run(self) -> LoadResult | None:
        """Write it; None when a row is there already: the caller then takes back what was written."""
        path, columns = self.to.crosswalk_file()
        recorded = self.to.copy_fresh(RECORD_TABLE, columns, path)
        if recorded is None:
            return None
        copied = {}
        for table in self.to.load.tables:
            count = self.to.copy_fresh(self.to.target(table.table), table.columns, self.to.file_of(table))
            if count is None:
                return None
            copied[table.table] = count
        # Tables just filled have no statistics: a planner that expects a handful of rows would look each up by itself.
        with planned_with(self.to.connection, enable_nestloop="off"):
            tables = tuple(self._noted(t, copied[t.table]) for t in self.to.load.tables)
        crosswalk = TableResult(CROSSWALK, recorded, recorded, 0, 0)
        return LoadResult(
            self.to.order.cohort,
            tables,
            crosswalk,
            in_ledger=self.to.enter(tables, crosswalk),
            outstanding=self.outstanding,
        )

    def _noted(self, table: TableRows, copied: int) -> TableResult:
        """The result of a table, its rows noted as inserted and counted by the target on the way."""
        ours = of_cohort(table.key, table.entity, self.to.order.cohort, self.to.writes.load_id)
        noted = self.to.writes.changes.note_inserted(table.table, self.to.target(table.table), table.key, ours)
        before = self.rows[table.table].count
        return TableResult(table.table, self.inputs.counts[table.entity], copied, 0, before, found=before + noted)


def next_package(
    engine: DuckDBEngine, schema: TargetSchema, rows: Mapping[str, ir.Table], size: int
) -> tuple[dict[str, ir.Table], int]:
    """Of canonical rows (entity -> rows) those that come next, about `size` of them, and how many are left. No row
    comes before one that it points at in the target; rows that point at each other come together."""
    room, left, taken = size, 0, {}
    entities = dict.fromkeys(t.entity for _, t in parents_first(schema) if t.entity in rows)
    for entity in entities:
        chosen, count = rows[entity], engine.count(rows[entity])
        if count > room:
            chosen = engine.cached(chosen.order_by(ENTITIES[entity].key.name).limit(room))
            chosen = _with_parents(engine, schema, entity, chosen, rows[entity]) if room else chosen
        number = engine.count(chosen)
        taken[entity], room, left = chosen, max(room - number, 0), left + count - number
    return taken, left


def _with_parents(
    engine: DuckDBEngine, schema: TargetSchema, entity: str, chosen: ir.Table, rows: ir.Table
) -> ir.Table:
    """The rows and all rows of the same entity that they point at, directly or not."""
    key = ENTITIES[entity].key.name
    columns = {f for t in schema.tables.values() if t.entity == entity for f in t.columns.values()}
    leading = sorted(f for f in columns if canonical_field(ENTITIES[entity], f).references == entity)
    while leading:
        named = engine.union([chosen.select(_parent=field) for field in leading]).distinct()
        more = rows.semi_join(named, [(key, "_parent")]).anti_join(chosen, key)
        more = engine.cached(more)
        if engine.count(more) == 0:
            break
        chosen = engine.cached(engine.union([chosen, more]))
    return chosen
