"""Applies a load: everything of one cohort in one transaction, and nothing at all where nothing changed.

Rows that are new to the target are copied straight in. Where rows may be there already they are copied to a stage
table first, and only those that differ are written; what they replace is kept as a pre-image. Rows of the cohort that
an earlier load brought and this one does not have are removed, likewise with a pre-image. Crosswalk and ledger are
written in the same transaction. One load of a plan at a time, by an advisory lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import psycopg
from psycopg import sql

from migration_assets.connectors.postgres_target import Connection, copy_in, write_csv
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import TargetRefused
from migration_assets.engine.held_folder import HeldFolder
from migration_assets.stages.load.changes import Changes
from migration_assets.stages.load.cohort_states import APPLIED, set_states
from migration_assets.stages.load.conflicts import Conflict, Conflicts, Settlement
from migration_assets.stages.load.customers import Membership
from migration_assets.stages.load.guarded import GuardedWrites, change_name, one_row, same_key, stage_name
from migration_assets.stages.load.handover import Handover
from migration_assets.stages.load.hidden import keep_hidden
from migration_assets.stages.load.hold import LOCK_SECONDS, hold_plan, next_id
from migration_assets.stages.load.needed import SPARED, make_spared, spare_what_is_needed
from migration_assets.stages.load.outcome import Outcome
from migration_assets.stages.load.plan import LoadPlan, TableRows, plan_load
from migration_assets.stages.load.refusal import refusal
from migration_assets.stages.load.schema import (
    CROSSWALK,
    CROSSWALK_KEY,
    LEDGER,
    RECORD_SCHEMA,
    column_types,
    key_column,
    references_to,
    role_names,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import PostgresTarget
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan

_RECORD_TABLE = sql.Identifier(RECORD_SCHEMA, CROSSWALK)
_CROSSWALK_VALUES = ("target_id", "status", "founder", "row_hash")


@dataclass(frozen=True)
class LoadOrder:
    """Which load this is. `loaded_at` and `run_id` come from the caller: nothing here reads a clock.

    `lock_seconds`: how long to wait for another load of the same plan before giving up. `settlement`: what becomes of
    rows that others have changed since they were loaded.
    """

    cohort: str
    snapshot: str
    run_id: str
    loaded_at: datetime
    dry_run: bool = False
    lock_seconds: int = LOCK_SECONDS
    work_folder: Path | None = None
    settlement: Settlement = field(default_factory=Settlement)


@dataclass(frozen=True)
class TableResult:
    """What a load did to one table, in rows.

    Each number is taken by itself, so that they can contradict each other: `planned` are canonical rows counted by the
    engine, `inserted` and `updated` what the target says it wrote, `unchanged` those it compared and left, `found` the
    load's rows that the target holds when everything is written (None for the record itself, which is not counted).
    `spared` are rows the load does not have any more and left there, because rows of another cohort point at them;
    `led` references of other cohorts to rows that are merged by now, which were led to the survivor.
    """

    table: str
    planned: int
    inserted: int
    updated: int
    unchanged: int
    deleted: int = 0
    found: int | None = None
    spared: int = 0
    led: int = 0

    @property
    def written(self) -> int:
        return self.inserted + self.updated + self.deleted + self.led


@dataclass(frozen=True)
class LoadResult:
    """What a load did. `crosswalk` counts rows of the record, `tables` those of the target itself, parents first;
    `handed_over` are rows of the record that changed cohort or key, this one's or another's; `receivers` the other
    cohorts that were given rows, and have to be loaded after this one; `conflicts` what others have changed and the
    load has left, `overwritten` how many columns they had changed that it wrote all the same; `in_ledger`: whether the
    ledger has an entry of this load."""

    cohort: str
    tables: tuple[TableResult, ...]
    crosswalk: TableResult
    dry_run: bool = False
    handed_over: int = 0
    receivers: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    overwritten: int = 0
    in_ledger: bool = False

    @property
    def rows_written(self) -> int:
        """Rows of the target's own tables that were inserted, updated or deleted, and references that were led."""
        return sum(t.written for t in self.tables)

    @property
    def recorded(self) -> bool:
        """Whether the load has changed anything, the record of this cohort or another's included."""
        return self.in_ledger or self.handed_over > 0

    @property
    def rows_removed(self) -> int:
        """Those of them that were deleted, because this load does not have them any more."""
        return sum(t.deleted for t in self.tables)


def load_cohort(
    engine: DuckDBEngine,
    target: PostgresTarget,
    plan: Plan,
    order: LoadOrder,
    canonical: Mapping[str, ir.Table],
    redirects: ir.Table | None = None,
    membership: Membership | None = None,
    before_commit: Callable[[LoadResult], None] = lambda _: None,
) -> LoadResult:
    """Load the canonical rows (entity -> rows) of one cohort; entities that are not given are left alone.

    `redirects` (shape.REDIRECTS) are source rows merged into others; `membership` tells who is in which
    cohort now; `before_commit` does what has to have happened by the time anybody sees the rows. TargetRefused: another
    load is running, the target would not take a row, or it was lost; nothing was written then. A load that was applied
    without the target's saying so is as good as any other (outcome). A dry run does everything and rolls back.
    """
    roles = role_names(plan)
    hold = partial(hold_plan, plan=plan.file.uuid, seconds=order.lock_seconds)
    with (
        HeldFolder(order.work_folder) as folder,
        Outcome(target, roles["writer"], hold) as outcome,
        # Whom a policy binds, be it one that lets everything through, PostgreSQL gives no COPY and does not tell which
        # row it refused (`hidden`): not the writer.
        target.transaction(role=roles["owner"]) as connection,
    ):
        hold_plan(connection, plan.file.uuid, order.lock_seconds)
        # One load at a time: whole cohorts are joined, and a hash that does not fit is written out and read again.
        connection.execute("SET LOCAL work_mem = '128MB'")
        load = LoadPlan((), None)
        try:
            writes = _writes(connection, plan)
            handover = None
            if membership:
                handover = Handover(engine, connection, plan, order.cohort, membership, folder, writes.changes)
            load = plan_load(engine, plan, canonical, redirects, handover.settle() if handover else None)
            conflicts = Conflicts(writes, order.settlement, order.cohort)
            result = _Load(engine, connection, plan, order, folder, load, writes, conflicts, handover).run()
            touched = {*result.receivers, *([order.cohort] if result.recorded else [])}
            set_states(connection, touched, APPLIED, order.snapshot, order.run_id, order.loaded_at)
            keep_hidden(connection)
            refuse_shared_ids(connection, order.cohort)
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.Error as error:
            raise refusal(error, engine, load, folder) from None
        if order.dry_run:
            connection.rollback()
        else:
            before_commit(result)
            outcome.committing(_entered(writes.load_id, order.run_id) if result.in_ledger else None)
    return result


def refuse_shared_ids(connection: Connection, cohort: str) -> None:
    """TargetRefused when two rows of the crosswalk, one of them of this cohort, stand in the target under one id: two
    customers would write into one row. The net below `bearers`."""
    shared = connection.execute(
        sql.SQL(
            "SELECT a.entity, a.cohort, b.cohort, count(*) FROM {record} a JOIN {record} b "
            "ON b.target_id = a.target_id AND b.entity = a.entity "
            "AND (b.source_system, b.source_table, b.source_id) <> (a.source_system, a.source_table, a.source_id) "
            "WHERE NOT a.founder AND a.status = 'loaded' AND b.status = 'loaded' AND {cohort} IN (a.cohort, b.cohort) "
            "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT 1"
        ).format(record=_RECORD_TABLE, cohort=sql.Literal(cohort))
    ).fetchone()
    if shared:
        entity, one, other, count = shared
        raise TargetRefused(
            f"{count} rows of {entity} in cohort {one} bear the id of another row, in cohort {other}; "
            "nothing was written",
            f"The crosswalk of the target was changed by hand: compare cutover.crosswalk of {one} and {other} "
            "with the last backup of the target.",
        )


def _entered(load_id: int, run_id: str) -> sql.Composed:
    """Whether the ledger has this load; the number alone may be another's by now."""
    return sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE load_id = {} AND run_id = {})").format(
        sql.Identifier(RECORD_SCHEMA, LEDGER), sql.Literal(load_id), sql.Literal(run_id)
    )


def _writes(connection: Connection, plan: Plan) -> GuardedWrites:
    """The writes of a load that begins now, with what notes them."""
    coded = frozenset(n for n, t in plan.target.tables.items() if ENTITIES[t.entity].origin == "catalog")
    load_id = next_id(connection, RECORD_SCHEMA)
    changes = Changes(connection, load_id, coded)
    changes.begin()
    return GuardedWrites(connection, load_id, changes)


@dataclass
class _Load:
    """One load while it runs. `staged`: tables whose rows lie in a stage table, since rows were there before; the
    counts are rows by table."""

    engine: DuckDBEngine
    connection: Connection
    plan: Plan
    order: LoadOrder
    folder: Path
    load: LoadPlan
    writes: GuardedWrites
    conflicts: Conflicts
    handover: Handover | None = None
    staged: set[str] = field(default_factory=set)
    deleted: Counter[str] = field(default_factory=Counter)
    spared: Counter[str] = field(default_factory=Counter)
    led: Counter[str] = field(default_factory=Counter)
    receivers: set[str] = field(default_factory=set)

    def run(self) -> LoadResult:
        make_spared(self.connection)
        stage, crosswalk = self._place_crosswalk(fresh=not self._known_entities() & set(self.load.entities))
        if stage is not None and self.handover is not None:
            self.handover.arrive(stage)
        known = self._known_entities() if stage is not None else set()
        done = [self._table(t, fresh=self._is_fresh(t, known)) for t in self.load.tables]
        if stage is not None:
            for entity in reversed(self.load.entities):
                self._remove(entity, stage)
            crosswalk = self._write_crosswalk(stage, crosswalk.planned)
        # Tables just filled have no statistics: a planner that expects a handful of rows would look each up by itself.
        self.connection.execute("SET LOCAL enable_nestloop = off")
        found = {t.table: self._found(t) for t in self.load.tables}
        self._note_changes(done)
        self.connection.execute("SET LOCAL enable_nestloop TO DEFAULT")
        tables = (*(self._counted(t, found[t.table]) for t in done), *self._led_elsewhere())
        entries = [t for t in (*tables, self._with_handed(crosswalk)) if t.written]
        self._record(entries)
        given = self.receivers | (self.handover.receivers if self.handover else set())
        return LoadResult(
            self.order.cohort,
            tables,
            crosswalk,
            self.order.dry_run,
            self.handover.moved if self.handover else 0,
            tuple(sorted(given - {self.order.cohort})),
            tuple(self.conflicts.found),
            sum(self.conflicts.overwritten.values()),
            in_ledger=bool(entries),
        )

    def _counted(self, result: TableResult, found: int) -> TableResult:
        """The result of a table with what happened to it after its own rows were written."""
        name = result.table
        return replace(result, deleted=self.deleted[name], found=found, spared=self.spared[name], led=self.led[name])

    def _led_elsewhere(self) -> list[TableResult]:
        """Results of tables that this load has no rows for and in which it led references on."""
        own = {t.table for t in self.load.tables}
        return [TableResult(name, 0, 0, 0, 0, led=n) for name, n in sorted(self.led.items()) if n and name not in own]

    def _known_entities(self) -> set[str]:
        """Entities of which the crosswalk has rows of this cohort."""
        query = sql.SQL("SELECT DISTINCT entity FROM {} WHERE cohort = {}")
        found = self.connection.execute(query.format(_RECORD_TABLE, sql.Literal(self.order.cohort)))
        return {row[0] for row in found}

    def _is_fresh(self, table: TableRows, known: set[str]) -> bool:
        """Whether the table should hold none of these rows yet; a wrong guess costs time and nothing else."""
        if table.recorded:
            return table.entity not in known
        target = sql.Identifier(self.plan.target.schema_name, table.table)
        return not one_row(self.connection, sql.SQL("SELECT EXISTS (SELECT FROM {})").format(target))[0]

    # --- target tables ---

    def _table(self, table: TableRows, fresh: bool) -> TableResult:
        path = self.folder / f"{table.table}.csv"
        # In key order the index grows at its end only, which is a third of the cost of random ids.
        write_csv(self.engine, table.rows, path, order_by=[table.key])
        target = sql.Identifier(self.plan.target.schema_name, table.table)
        if fresh and (copied := self._copy_fresh(target, table.columns, path)) is not None:
            return TableResult(table.table, table.planned, copied, 0, 0)
        self.staged.add(table.table)
        stage, _ = self.writes.stage(table.table, target, table.columns, path)
        declared = self.plan.target.tables[table.table]
        settle = partial(self.conflicts.settle, table, declared, target) if table.recorded else None
        new, changed, same = self.writes.write_changes(
            table.table, target, stage, (table.key,), table.columns, settle=settle
        )
        return TableResult(table.table, table.planned, new, changed, same)

    def _found(self, table: TableRows) -> int:
        """Rows of the table that this load has there now, counted by the target: those of its entity in the cohort's
        crosswalk; of the catalog, which has no crosswalk, those staged, or all where there were none before. Where all
        were copied in they are noted as inserted on the way."""
        target = sql.Identifier(self.plan.target.schema_name, table.table)
        key = sql.Identifier("t", table.key)
        if table.recorded:
            ours = sql.SQL(
                "WHERE {key} IN (SELECT x.target_id FROM {crosswalk} x "
                "WHERE x.cohort = {cohort} AND x.entity = {entity} AND x.status = 'loaded')"
            ).format(
                key=key,
                crosswalk=_RECORD_TABLE,
                cohort=sql.Literal(self.order.cohort),
                entity=sql.Literal(table.entity),
            )
        elif table.table in self.staged:
            staged = sql.SQL("WHERE {key} IN (SELECT {column} FROM {stage})")
            ours = staged.format(key=key, column=sql.Identifier(table.key), stage=stage_name(table.table))
        else:
            ours = sql.Composed([])
        if table.table not in self.staged:
            return self.writes.changes.note_inserted(table.table, target, table.key, ours)
        return int(one_row(self.connection, sql.SQL("SELECT count(*) FROM {} t {}").format(target, ours))[0])

    def _note_changes(self, done: list[TableResult]) -> None:
        """Note what was inserted beside rows that were there, and what was changed or removed, of any table."""
        for name in (t.table for t in done if t.inserted and t.table in self.staged):
            target, key = self._target(name)
            new = sql.SQL("JOIN {} c ON {} WHERE c.is_new").format(change_name(name), same_key("t", "c", (key,)))
            self.writes.changes.note_inserted(name, target, key, new)
        for name in self.writes.changes.changed_tables():
            self.writes.changes.note_changed(name, *self._target(name))

    def _target(self, name: str) -> tuple[sql.Identifier, str]:
        return sql.Identifier(self.plan.target.schema_name, name), key_column(self.plan.target.tables[name])

    def _copy_fresh(self, target: sql.Composable, columns: tuple[str, ...], path: Path) -> int | None:
        """Copy straight into the table; None, with nothing written, when a row of the same key is there after all."""
        try:
            with self.connection.transaction():
                return copy_in(self.connection, target, columns, path)
        except psycopg.errors.UniqueViolation:
            return None

    def _remove(self, entity: str, crosswalk: sql.Identifier) -> None:
        """Delete rows of an entity that an earlier load of this cohort brought and that nobody has any more. What
        another cohort has now is handed over instead, and what rows there still point at stays; what points at a row
        that is merged by now, as the staged crosswalk has it, is led to the survivor."""
        tables = [t for t in self.load.tables if t.entity == entity]
        if tables[0].table not in self.staged:
            return
        gone = sql.Identifier("pg_temp", "gone_rows")
        self.connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(gone))
        found = self.connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE {gone} ON COMMIT DROP AS "
                "SELECT x.entity, x.source_system, x.source_table, x.source_id, x.target_id FROM {crosswalk} x "
                "WHERE x.cohort = {cohort} AND x.entity = {entity} AND x.status = 'loaded' "
                "AND NOT EXISTS (SELECT FROM {stage} s WHERE s.{key} = x.target_id)"
            ).format(
                gone=gone,
                crosswalk=_RECORD_TABLE,
                cohort=sql.Literal(self.order.cohort),
                entity=sql.Literal(entity),
                stage=stage_name(tables[0].table),
                key=sql.Identifier(tables[0].key),
            )
        )
        if found.rowcount == 0:
            return
        if self.handover is not None:
            self.handover.leave(gone)
        self._lead_on(tables, gone, crosswalk)
        kept = spare_what_is_needed(self.writes.changes, self.plan.target, self.order.cohort, entity, gone)
        self.receivers |= set(kept)
        for t in reversed(tables):
            self.deleted[t.table] += self._delete(t, gone)
            self.spared[t.table] += kept[self.order.cohort]

    def _lead_on(self, tables: list[TableRows], gone: sql.Identifier, crosswalk: sql.Identifier) -> None:
        """Rows that point at one which is going: to its survivor, where it is merged by now (this cohort's own do not
        point at it any more); reference data to what has its unique value now, such as a user's e-mail address: that is
        the same user under another number, and both cannot stand there."""
        entity = tables[0].entity
        pairs = [
            sql.SQL(
                "SELECT g.target_id AS old, s.target_id AS new FROM {} g JOIN {} s ON {} WHERE s.status = 'merged'"
            ).format(gone, crosswalk, same_key("g", "s", CROSSWALK_KEY))
        ]
        if ENTITIES[entity].stage == "reference_data":
            pairs += [self._same_thing(t, columns, gone) for t in tables for columns in self._unique(t)]
        led = sql.SQL(" UNION ").join(pairs)
        for table, column in references_to(self.plan.target, entity):
            declared, target = self.plan.target.tables[table], sql.Identifier(self.plan.target.schema_name, table)
            types = column_types(declared)
            self.led[table] += self.writes.lead(table, declared.entity, target, types, column, led, gone)

    def _unique(self, table: TableRows) -> tuple[tuple[str, ...], ...]:
        return self.plan.target.tables[table.table].unique

    def _same_thing(self, table: TableRows, columns: tuple[str, ...], gone: sql.Identifier) -> sql.Composed:
        """Pairs of a row that is going and a staged one with the same values in these columns."""
        return sql.SQL(
            "SELECT g.target_id AS old, n.{key} AS new FROM {gone} g JOIN {target} t ON t.{key} = g.target_id "
            "JOIN {stage} n ON {same} AND n.{key} <> t.{key}"
        ).format(
            key=sql.Identifier(table.key),
            gone=gone,
            target=sql.Identifier(self.plan.target.schema_name, table.table),
            stage=stage_name(table.table),
            same=same_key("n", "t", columns),
        )

    def _delete(self, table: TableRows, gone: sql.Identifier) -> int:
        key = sql.Identifier("t", table.key)
        target = sql.Identifier(self.plan.target.schema_name, table.table)
        statement = sql.SQL("DELETE FROM {} t USING {} g WHERE g.target_id = {} RETURNING t.*")
        return self.writes.changes.removing(table.table, statement.format(target, gone, key), (table.key,))

    # --- the record ---

    def _place_crosswalk(self, fresh: bool) -> tuple[sql.Identifier | None, TableResult]:
        """Copy the crosswalk straight in where this cohort had none, else to a stage table, which is returned."""
        if self.load.crosswalk is None:
            return None, TableResult(CROSSWALK, 0, 0, 0, 0)
        stamped = self.load.crosswalk.mutate(**{c: ibis.literal(v) for c, v in self._stamp.items()})
        path = self.folder / f"{CROSSWALK}.csv"
        write_csv(self.engine, stamped, path, order_by=CROSSWALK_KEY)
        columns = tuple(stamped.columns)
        if fresh and (copied := self._copy_fresh(_RECORD_TABLE, columns, path)) is not None:
            return None, TableResult(CROSSWALK, copied, copied, 0, 0)
        stage, planned = self.writes.stage(CROSSWALK, _RECORD_TABLE, columns, path)
        return stage, TableResult(CROSSWALK, planned, 0, 0, 0)

    @property
    def _stamp(self) -> dict[str, Any]:
        """What the crosswalk says of the load that last wrote a row."""
        return {
            "cohort": self.order.cohort,
            "snapshot": self.order.snapshot,
            "load_id": self.writes.load_id,
            "loaded_at": self.order.loaded_at.isoformat(),
        }

    def _write_crosswalk(self, stage: sql.Identifier, planned: int) -> TableResult:
        deleted = self._forget(stage)
        compared = (*CROSSWALK_KEY, *_CROSSWALK_VALUES, "cohort")
        extra = {c: v for c, v in self._stamp.items() if c != "cohort"}
        new, changed, same = self.writes.write_changes(CROSSWALK, _RECORD_TABLE, stage, CROSSWALK_KEY, compared, extra)
        return TableResult(CROSSWALK, planned, new, changed, same, deleted)

    def _forget(self, stage: sql.Identifier) -> int:
        """Delete crosswalk rows of this cohort that it no longer has."""
        gone = sql.SQL(
            "DELETE FROM {} t WHERE t.cohort = {} AND t.entity = ANY({}) "
            "AND NOT EXISTS (SELECT FROM {} s WHERE {}) AND NOT EXISTS (SELECT FROM {} p WHERE {}) RETURNING t.*"
        ).format(
            _RECORD_TABLE,
            sql.Literal(self.order.cohort),
            sql.Literal(list(self.load.entities)),
            stage,
            same_key("s", "t", CROSSWALK_KEY),
            SPARED,
            same_key("p", "t", CROSSWALK_KEY),
        )
        return self.writes.changes.removing(CROSSWALK, gone, CROSSWALK_KEY)

    def _with_handed(self, crosswalk: TableResult) -> TableResult:
        """What the ledger says of the crosswalk: where only other cohorts' rows of it were changed, that too is a load
        that has written."""
        handed = self.writes.changes.touched_record() - crosswalk.updated - crosswalk.deleted
        return replace(crosswalk, updated=crosswalk.updated + max(handed, 0))

    def _record(self, written: list[TableResult]) -> None:
        statement = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)").format(
            sql.Identifier(RECORD_SCHEMA, LEDGER)
        )
        order = self.order
        for t in written:
            counts = (t.inserted, t.updated + t.led, t.unchanged, t.deleted)
            head = (self.writes.load_id, order.cohort, order.snapshot, self.plan.digest, t.table)
            self.connection.execute(statement, (*head, *counts, order.loaded_at, order.run_id))
