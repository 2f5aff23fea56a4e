"""What loads of a cohort write, whichever rows they look at: stage tables, guarded writes, crosswalk, notes, ledger."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import psycopg
from psycopg import sql

from migration_assets.connectors.postgres_target import Connection, copy_in, write_csv
from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.load.changes import Changes, hashed_as_text
from migration_assets.stages.load.conflicts import Conflicts
from migration_assets.stages.load.guarded import RECORD_TABLE, GuardedWrites, change_name, same_key
from migration_assets.stages.load.hold import next_id
from migration_assets.stages.load.order import LoadOrder, TableResult
from migration_assets.stages.load.plan import LoadPlan, TableRows
from migration_assets.stages.load.schema import CROSSWALK, CROSSWALK_KEY, LEDGER, RECORD_SCHEMA, key_column

if TYPE_CHECKING:
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan

_CROSSWALK_VALUES = ("target_id", "status", "founder", "row_hash")


def begin_writes(connection: Connection, plan: Plan) -> GuardedWrites:
    """The writes of a load that begins now, with what notes them."""
    coded = frozenset(n for n, t in plan.target.tables.items() if ENTITIES[t.entity].origin == "catalog")
    load_id = next_id(connection, RECORD_SCHEMA)
    as_text = hashed_as_text(connection, plan.target.schema_name, plan.target.tables)
    changes = Changes(connection, load_id, coded, as_text)
    changes.begin()
    return GuardedWrites(connection, load_id, changes)


@dataclass
class CohortWrites:
    """Writes of one load. `staged`: tables whose rows lie in a stage table, since rows were there before."""

    engine: DuckDBEngine
    connection: Connection
    plan: Plan
    order: LoadOrder
    folder: Path
    load: LoadPlan
    writes: GuardedWrites
    conflicts: Conflicts
    staged: set[str] = field(default_factory=set)

    def target(self, table: str) -> sql.Identifier:
        return sql.Identifier(self.plan.target.schema_name, table)

    def file_of(self, table: TableRows) -> Path:
        """The table's rows as CSV. In key order the index grows at its end only, which is a third of the cost of random
        ids."""
        path = self.folder / f"{table.table}.csv"
        write_csv(self.engine, table.rows, path, order_by=[table.key])
        return path

    def copy_fresh(self, target: sql.Composable, columns: tuple[str, ...], path: Path) -> int | None:
        """Copy straight into the table; None, with nothing written, when a row of the same key is there after all."""
        try:
            with self.connection.transaction():
                return copy_in(self.connection, target, columns, path)
        except psycopg.errors.UniqueViolation:
            return None

    def compare(self, table: TableRows, path: Path) -> TableResult:
        """Write those of the table's rows that are new or differ."""
        self.staged.add(table.table)
        target = self.target(table.table)
        stage, _ = self.writes.stage(table.table, target, table.columns, path)
        declared = self.plan.target.tables[table.table]
        settle = partial(self.conflicts.settle, table, declared, target) if table.recorded else None
        new, changed, same = self.writes.write_changes(
            table.table, target, stage, (table.key,), table.columns, settle=settle
        )
        return TableResult(table.table, table.planned, new, changed, same)

    def note_changes(self, done: list[TableResult]) -> None:
        """Note what was inserted beside rows that were there, and what was changed or removed, of any table."""
        for name in (t.table for t in done if t.inserted and t.table in self.staged):
            target, key = self._keyed(name)
            new = sql.SQL("JOIN {} c ON {} WHERE c.is_new").format(change_name(name), same_key("t", "c", (key,)))
            self.writes.changes.note_inserted(name, target, key, new)
        for name in self.writes.changes.changed_tables():
            self.writes.changes.note_changed(name, *self._keyed(name))

    def _keyed(self, name: str) -> tuple[sql.Identifier, str]:
        return self.target(name), key_column(self.plan.target.tables[name])

    # --- the record ---

    def crosswalk_file(self) -> tuple[Path, tuple[str, ...]]:
        """The crosswalk's rows as CSV, stamped, and its columns. ValueError when the load has none."""
        if self.load.crosswalk is None:
            raise ValueError("no table of this load is recorded")
        stamped = self.load.crosswalk.mutate(**{c: ibis.literal(v) for c, v in self._stamp.items()})
        path = self.folder / f"{CROSSWALK}.csv"
        write_csv(self.engine, stamped, path, order_by=CROSSWALK_KEY)
        return path, tuple(stamped.columns)

    def stage_crosswalk(self, path: Path, columns: tuple[str, ...]) -> tuple[sql.Identifier, int]:
        """Copy them to a stage table; its name, and how many rows it took."""
        return self.writes.stage(CROSSWALK, RECORD_TABLE, columns, path)

    @property
    def _stamp(self) -> dict[str, Any]:
        """What the crosswalk says of the load that last wrote a row."""
        return {
            "cohort": self.order.cohort,
            "snapshot": self.order.snapshot,
            "load_id": self.writes.load_id,
            "loaded_at": self.order.loaded_at.isoformat(),
        }

    def write_crosswalk(self, stage: sql.Identifier, planned: int, deleted: int = 0) -> TableResult:
        """Write those of its rows that are new or differ; `deleted` were removed before."""
        compared = (*CROSSWALK_KEY, *_CROSSWALK_VALUES, "cohort")
        extra = {c: v for c, v in self._stamp.items() if c != "cohort"}
        new, changed, same = self.writes.write_changes(CROSSWALK, RECORD_TABLE, stage, CROSSWALK_KEY, compared, extra)
        return TableResult(CROSSWALK, planned, new, changed, same, deleted)

    def enter(self, tables: tuple[TableResult, ...], crosswalk: TableResult) -> bool:
        """Enter what was written in the ledger; whether anything was."""
        written = [t for t in (*tables, self._with_handed(crosswalk)) if t.written]
        statement = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)").format(
            sql.Identifier(RECORD_SCHEMA, LEDGER)
        )
        order = self.order
        for t in written:
            counts = (t.inserted, t.updated + t.led, t.unchanged, t.deleted)
            head = (self.writes.load_id, order.cohort, order.snapshot, self.plan.digest, t.table)
            self.connection.execute(statement, (*head, *counts, order.loaded_at, order.run_id))
        return bool(written)

    def _with_handed(self, crosswalk: TableResult) -> TableResult:
        """What the ledger says of the crosswalk: where only other cohorts' rows of it were changed, that too is a load
        that has written."""
        handed = self.writes.changes.touched_record() - crosswalk.updated - crosswalk.deleted
        return replace(crosswalk, updated=crosswalk.updated + max(handed, 0))
