"""Applies a load: everything of one cohort in one transaction, and nothing at all where nothing changed.

Rows that are new to the target are copied straight in. Where rows may be there already they are copied to a stage
table first, and only those that differ are written; what they replace is kept as a pre-image. Rows of the cohort that
an earlier load brought and this one does not have are removed, likewise with a pre-image. Crosswalk and ledger are
written in the same transaction. One load of a plan at a time, by an advisory lock.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import ibis
import psycopg
from psycopg import sql

from migration_assets.connectors.postgres_target import Connection, copy_in, copy_out, names, read_csv, write_csv
from migration_assets.domain.errors import TargetRefused
from migration_assets.stages.load.handover import hand_over
from migration_assets.stages.load.plan import LoadPlan, TableRows, plan_load
from migration_assets.stages.load.refusal import STAGE_PREFIX, refusal
from migration_assets.stages.load.schema import CROSSWALK, LEDGER, PRE_IMAGE, RECORD_SCHEMA, role_names

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import PostgresTarget
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan

_RECORD_TABLE = sql.Identifier(RECORD_SCHEMA, CROSSWALK)
_CROSSWALK_KEY = ("entity", "source_system", "source_table", "source_id")
_CROSSWALK_VALUES = ("target_id", "status", "founder", "row_hash")


@dataclass(frozen=True)
class LoadOrder:
    """Which load this is. `loaded_at` and `run_id` come from the caller: nothing here reads a clock.

    `lock_seconds`: how long to wait for another load of the same plan before giving up.
    """

    cohort: str
    snapshot: str
    run_id: str
    loaded_at: datetime
    dry_run: bool = False
    lock_seconds: int = 3600
    work_folder: Path | None = None


@dataclass(frozen=True)
class TableResult:
    """What a load did to one table, in rows.

    Each number is taken by itself, so that they can contradict each other: `planned` are canonical rows counted by the
    engine, `inserted` and `updated` what the target says it wrote, `unchanged` those it compared and left, `found` the
    load's rows that the target holds when everything is written (None for the record itself, which is not counted).
    """

    table: str
    planned: int
    inserted: int
    updated: int
    unchanged: int
    deleted: int = 0
    found: int | None = None

    @property
    def written(self) -> int:
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True)
class LoadResult:
    """What a load did. `crosswalk` counts rows of the record, `tables` those of the target itself, parents first."""

    cohort: str
    tables: tuple[TableResult, ...]
    crosswalk: TableResult
    dry_run: bool = False

    @property
    def rows_written(self) -> int:
        """Rows of the target's own tables that were inserted, updated or deleted."""
        return sum(t.written for t in self.tables)


def load_cohort(
    engine: DuckDBEngine,
    target: PostgresTarget,
    plan: Plan,
    order: LoadOrder,
    canonical: Mapping[str, ir.Table],
    redirects: ir.Table | None = None,
    members: ir.Table | None = None,
) -> LoadResult:
    """Load the canonical rows (entity -> rows) of one cohort; entities that are not given are left alone.

    `redirects` (shape.REDIRECTS) are source rows merged into others; `members` (customer_id, cohort) tells who is in
    which cohort now. TargetRefused: another load is running, or the target would not take a row; nothing was written
    then. A dry run does everything and rolls back.
    """
    with tempfile.TemporaryDirectory(prefix="cutover-load-", dir=order.work_folder) as name:
        folder = Path(name)
        with target.transaction(role=role_names(plan)["writer"]) as connection:
            _lock(connection, plan.file.uuid, order.lock_seconds)
            aliases = stored_aliases(engine, connection, folder)
            load = plan_load(engine, plan, canonical, redirects, aliases)
            try:
                if members is not None:
                    hand_over(engine, connection, plan.target, order.cohort, members, folder)
                result = _Load(engine, connection, plan, order, folder, load).run()
                connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            except psycopg.Error as error:
                raise refusal(error, engine, load, folder) from None
            if order.dry_run:
                connection.rollback()
    return result


def stored_aliases(engine: DuckDBEngine, connection: Connection, folder: Path) -> ir.Table:
    """Keys that bear an id minted from another row (shape.ALIASES), as the crosswalk has them."""
    query = sql.SQL(
        "SELECT entity, source_system || '.' || source_table || ':' || source_id, target_id FROM {} WHERE NOT founder"
    ).format(_RECORD_TABLE)
    copied = copy_out(connection, query, folder / "aliases.csv")
    return read_csv(engine, copied, {"entity": "text", "key": "text", "target_id": "uuid"})


def _lock(connection: Connection, plan: UUID, seconds: int) -> None:
    """Hold the plan's lock until the transaction ends."""
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{seconds}s")))
    try:
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cutover load {plan}"])
    except psycopg.errors.LockNotAvailable:
        raise TargetRefused(
            f"another load of this plan has held the target for {seconds} seconds; nothing was written",
            "Wait for the other run to end (`cutover status` shows it), then run this cohort again.",
        ) from None
    connection.execute("SET LOCAL lock_timeout = 0")


@dataclass
class _Load:
    """One load while it runs. `staged`: tables whose rows lie in a stage table, since rows were there before."""

    engine: DuckDBEngine
    connection: Connection
    plan: Plan
    order: LoadOrder
    folder: Path
    load: LoadPlan
    load_id: int = 0
    staged: set[str] = field(default_factory=set)

    def run(self) -> LoadResult:
        self.load_id = self._next_id()
        known = self._known_entities()
        done = [self._table(t, fresh=self._is_fresh(t, known)) for t in self.load.tables]
        gone = {t.table: self._remove(t) for t in reversed(self.load.tables) if t.table in self.staged and t.recorded}
        crosswalk = self._crosswalk(fresh=not known & set(self.load.entities))
        # Tables just filled have no statistics: a planner that expects a handful of rows would look each up by itself.
        self.connection.execute("SET LOCAL enable_nestloop = off")
        found = {t.table: self._found(t) for t in self.load.tables}
        self.connection.execute("SET LOCAL enable_nestloop TO DEFAULT")
        tables = tuple(replace(t, deleted=gone.get(t.table, 0), found=found[t.table]) for t in done)
        self._record([t for t in (*tables, crosswalk) if t.written])
        return LoadResult(self.order.cohort, tables, crosswalk, self.order.dry_run)

    def _next_id(self) -> int:
        query = sql.SQL("SELECT coalesce(max(load_id), 0) + 1 FROM {}")
        return int(self._one(query.format(sql.Identifier(RECORD_SCHEMA, LEDGER)))[0])

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
        return not self._one(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(target))[0]

    def _one(self, query: sql.Composed) -> tuple[Any, ...]:
        row = self.connection.execute(query).fetchone()
        return row if row is not None else ()

    # --- target tables ---

    def _table(self, table: TableRows, fresh: bool) -> TableResult:
        path = self.folder / f"{table.table}.csv"
        # In key order the index grows at its end only, which is a third of the cost of random ids.
        write_csv(self.engine, table.rows, path, order_by=[table.key])
        target = sql.Identifier(self.plan.target.schema_name, table.table)
        if fresh and (copied := self._copy_fresh(target, table.columns, path)) is not None:
            return TableResult(table.table, table.planned, copied, 0, 0)
        self.staged.add(table.table)
        stage, _ = self._stage(table.table, target, table.columns, path)
        new, changed, same = self._write_changes(table.table, target, stage, (table.key,), table.columns)
        return TableResult(table.table, table.planned, new, changed, same)

    def _found(self, table: TableRows) -> int:
        """Rows of the table that this load has there now, counted by the target: those of its entity in the cohort's
        crosswalk; of the catalog, which has no crosswalk, those staged, or all where there were none before."""
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
            ours = staged.format(key=key, column=sql.Identifier(table.key), stage=_stage_name(table.table))
        else:
            ours = sql.Composed([])
        return int(self._one(sql.SQL("SELECT count(*) FROM {} t {}").format(target, ours))[0])

    def _copy_fresh(self, target: sql.Composable, columns: tuple[str, ...], path: Path) -> int | None:
        """Copy straight into the table; None, with nothing written, when a row of the same key is there after all."""
        try:
            with self.connection.transaction():
                return copy_in(self.connection, target, columns, path)
        except psycopg.errors.UniqueViolation:
            return None

    def _stage(
        self, name: str, target: sql.Composable, columns: tuple[str, ...], path: Path
    ) -> tuple[sql.Identifier, int]:
        stage = _stage_name(name)
        self.connection.execute(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                stage, names(columns), target
            )
        )
        return stage, copy_in(self.connection, stage, columns, path)

    def _write_changes(
        self,
        name: str,
        target: sql.Composable,
        stage: sql.Identifier,
        key: tuple[str, ...],
        columns: tuple[str, ...],
        extra: Mapping[str, object] | None = None,
    ) -> tuple[int, int, int]:
        """Insert what is new and update what differs, from the stage table; returns both counts, and that of the rows
        that are there as they should be.

        `extra` columns are written with what they are given but do not make a row different.
        """
        changes = sql.Identifier("pg_temp", f"change_{name}"[:63])
        values = tuple(c for c in columns if c not in key)
        parts = {
            "target": target, "stage": stage, "changes": changes, "same": _same_key("t", "s", key),
            "key": names(key, "s"), "first": sql.Identifier("t", key[0]), "differ": _differ("t", "s", values),
        }  # fmt: skip
        self.connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE {changes} ON COMMIT DROP AS SELECT {key}, {first} IS NULL AS is_new "
                "FROM {stage} s LEFT JOIN {target} t ON {same} WHERE {first} IS NULL OR {differ}"
            ).format(**parts)
        )
        count = sql.SQL(
            "SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new), "
            "(SELECT count(*) FROM {stage} s JOIN {target} t ON {same} WHERE NOT {differ}) FROM {changes}"
        )
        new, changed, same = self._one(count.format(**parts))
        if changed:
            self._keep(name, target, key, sql.SQL("JOIN {} s ON {} WHERE NOT s.is_new").format(changes, parts["same"]))
        if new or changed:
            written = self._upsert(target, stage, changes, key, columns, dict(extra or {}))
            if written != new + changed:
                raise TargetRefused(
                    f"{name} was changed by somebody else while it was loaded; nothing was written",
                    "Stop what else writes to the target, then run this cohort again.",
                )
        return int(new), int(changed), int(same)

    def _upsert(
        self,
        target: sql.Composable,
        stage: sql.Composable,
        changes: sql.Composable,
        key: tuple[str, ...],
        columns: tuple[str, ...],
        extra: dict[str, object],
    ) -> int:
        written = (*columns, *extra)
        values = tuple(c for c in columns if c not in key)
        kept = (sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(c)) for c in written if c not in key)
        new = sql.SQL(", ").join(kept)
        action: sql.Composable = sql.SQL("NOTHING")
        if values:
            action = sql.SQL("UPDATE SET {} WHERE {}").format(new, _differ("t", "excluded", values))
        selected = sql.SQL(", ").join([*(sql.Identifier("s", c) for c in columns), *map(sql.Literal, extra.values())])
        statement = sql.SQL(
            "INSERT INTO {target} AS t ({columns}) SELECT {selected} FROM {stage} s JOIN {changes} c ON {same} "
            "ON CONFLICT ({key}) DO {action}"
        ).format(
            target=target,
            columns=names(written),
            selected=selected,
            stage=stage,
            changes=changes,
            same=_same_key("s", "c", key),
            key=names(key),
            action=action,
        )
        return self.connection.execute(statement).rowcount

    def _keep(self, name: str, target: sql.Composable, key: tuple[str, ...], which: sql.Composed) -> None:
        """Pre-images of the rows of `target t` that `which` picks."""
        statement = sql.SQL("INSERT INTO {} SELECT {}, {}, {}, 'update', to_jsonb(t) FROM {} t {}").format(
            sql.Identifier(RECORD_SCHEMA, PRE_IMAGE),
            sql.Literal(self.load_id),
            sql.Literal(name),
            _key_text("t", key),
            target,
            which,
        )
        self.connection.execute(statement)

    def _remove(self, table: TableRows) -> int:
        """Delete rows that an earlier load of this cohort brought and that it no longer has."""
        key = sql.Identifier("t", table.key)
        gone = sql.SQL(
            "DELETE FROM {target} t USING {crosswalk} x WHERE x.target_id = {key} AND x.cohort = {cohort} "
            "AND x.entity = {entity} AND x.status = 'loaded' "
            "AND NOT EXISTS (SELECT FROM {stage} s WHERE {same}) RETURNING t.*"
        ).format(
            target=sql.Identifier(self.plan.target.schema_name, table.table),
            crosswalk=_RECORD_TABLE,
            key=key,
            cohort=sql.Literal(self.order.cohort),
            entity=sql.Literal(table.entity),
            stage=_stage_name(table.table),
            same=_same_key("s", "t", (table.key,)),
        )
        return self._delete(table.table, gone, (table.key,))

    def _delete(self, name: str, gone: sql.Composed, key: tuple[str, ...]) -> int:
        statement = sql.SQL("WITH t AS ({}) INSERT INTO {} SELECT {}, {}, {}, 'delete', to_jsonb(t) FROM t").format(
            gone,
            sql.Identifier(RECORD_SCHEMA, PRE_IMAGE),
            sql.Literal(self.load_id),
            sql.Literal(name),
            _key_text("t", key),
        )
        return self.connection.execute(statement).rowcount

    # --- the record ---

    def _crosswalk(self, fresh: bool) -> TableResult:
        if self.load.crosswalk is None:
            return TableResult(CROSSWALK, 0, 0, 0, 0)
        stamp = {
            "cohort": self.order.cohort,
            "snapshot": self.order.snapshot,
            "load_id": self.load_id,
            "loaded_at": self.order.loaded_at.isoformat(),
        }
        stamped = self.load.crosswalk.mutate(**{c: ibis.literal(v) for c, v in stamp.items()})
        path = self.folder / f"{CROSSWALK}.csv"
        write_csv(self.engine, stamped, path, order_by=_CROSSWALK_KEY)
        columns = tuple(stamped.columns)
        if fresh and (copied := self._copy_fresh(_RECORD_TABLE, columns, path)) is not None:
            return TableResult(CROSSWALK, copied, copied, 0, 0)
        stage, planned = self._stage(CROSSWALK, _RECORD_TABLE, columns, path)
        deleted = self._forget(stage)
        compared = (*_CROSSWALK_KEY, *_CROSSWALK_VALUES, "cohort")
        extra = {c: v for c, v in stamp.items() if c != "cohort"}
        new, changed, same = self._write_changes(CROSSWALK, _RECORD_TABLE, stage, _CROSSWALK_KEY, compared, extra)
        return TableResult(CROSSWALK, planned, new, changed, same, deleted)

    def _forget(self, stage: sql.Identifier) -> int:
        """Delete crosswalk rows of this cohort that it no longer has."""
        gone = sql.SQL(
            "DELETE FROM {} t WHERE t.cohort = {} AND t.entity = ANY({}) "
            "AND NOT EXISTS (SELECT FROM {} s WHERE {}) RETURNING t.*"
        ).format(
            _RECORD_TABLE,
            sql.Literal(self.order.cohort),
            sql.Literal(list(self.load.entities)),
            stage,
            _same_key("s", "t", _CROSSWALK_KEY),
        )
        return self._delete(CROSSWALK, gone, _CROSSWALK_KEY)

    def _record(self, written: list[TableResult]) -> None:
        statement = sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)").format(
            sql.Identifier(RECORD_SCHEMA, LEDGER)
        )
        order = self.order
        for t in written:
            counts = (t.inserted, t.updated, t.unchanged, t.deleted)
            head = (self.load_id, order.cohort, order.snapshot, self.plan.digest, t.table)
            self.connection.execute(statement, (*head, *counts, order.loaded_at, order.run_id))


def _stage_name(table: str) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"{STAGE_PREFIX}{table}"[:63])


def _same_key(left: str, right: str, key: tuple[str, ...]) -> sql.Composed:
    pairs = (sql.SQL("{} = {}").format(sql.Identifier(left, c), sql.Identifier(right, c)) for c in key)
    return sql.SQL(" AND ").join(pairs)


def _differ(left: str, right: str, columns: tuple[str, ...]) -> sql.Composable:
    """Whether two rows differ in any of the columns; missing equals missing."""
    if not columns:
        return sql.SQL("false")
    return sql.SQL("({}) IS DISTINCT FROM ({})").format(names(columns, left), names(columns, right))


def _key_text(alias: str, key: tuple[str, ...]) -> sql.Composed:
    parts = (sql.SQL("{}::text").format(sql.Identifier(alias, c)) for c in key)
    return sql.SQL(" || '|' || ").join(parts)
