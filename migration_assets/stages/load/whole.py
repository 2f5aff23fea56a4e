"""A load that compares everything: all rows of the cohort are copied to the target, and what differs is written.

Rows that are new to the target are copied straight in. Where rows may be there already they are copied to a stage
table first, and only those that differ are written; what they replace is kept as a pre-image. Rows of the cohort that
an earlier load brought and this one does not have are removed, likewise with a pre-image.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from psycopg import sql

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.load.cohort_writes import CohortWrites
from migration_assets.stages.load.guarded import RECORD_TABLE, of_cohort, one_row, planned_with, same_key, stage_name
from migration_assets.stages.load.handover import Handover
from migration_assets.stages.load.needed import SPARED, make_spared, spare_what_is_needed
from migration_assets.stages.load.order import LoadResult, TableResult
from migration_assets.stages.load.plan import TableRows
from migration_assets.stages.load.schema import CROSSWALK, CROSSWALK_KEY, column_types, references_to


@dataclass
class WholeLoad:
    """One load while it runs; the counts are rows by table."""

    to: CohortWrites
    handover: Handover | None = None
    deleted: Counter[str] = field(default_factory=Counter)
    spared: Counter[str] = field(default_factory=Counter)
    led: Counter[str] = field(default_factory=Counter)
    receivers: set[str] = field(default_factory=set)

    def run(self) -> LoadResult:
        """Write everything of the cohort that is not there or not as it should be, and remove what it has no more."""
        make_spared(self.to.connection)
        stage, crosswalk = self._place_crosswalk(fresh=not self._known_entities() & set(self.to.load.entities))
        if stage is not None and self.handover is not None:
            self.handover.arrive(stage)
        known = self._known_entities() if stage is not None else set()
        done = [self._table(t, fresh=self._is_fresh(t, known)) for t in self.to.load.tables]
        if stage is not None:
            for entity in reversed(self.to.load.entities):
                self._remove(entity, stage)
            crosswalk = self.to.write_crosswalk(stage, crosswalk.planned, self._forget(stage))
        # Tables just filled have no statistics: a planner that expects a handful of rows would look each up by itself.
        with planned_with(self.to.connection, enable_nestloop="off"):
            found = {t.table: self._found(t, r.inserted) for t, r in zip(self.to.load.tables, done, strict=True)}
            self.to.note_changes(done)
        tables = (*(self._counted(t, found[t.table]) for t in done), *self._led_elsewhere())
        given = self.receivers | (self.handover.receivers if self.handover else set())
        return LoadResult(
            self.to.order.cohort,
            tables,
            crosswalk,
            self.to.order.dry_run,
            self.handover.moved if self.handover else 0,
            tuple(sorted(given - {self.to.order.cohort})),
            tuple(self.to.conflicts.found),
            sum(self.to.conflicts.overwritten.values()),
            in_ledger=self.to.enter(tables, crosswalk),
        )

    def _counted(self, result: TableResult, found: int) -> TableResult:
        """The result of a table with what happened to it after its own rows were written."""
        name = result.table
        return replace(result, deleted=self.deleted[name], found=found, spared=self.spared[name], led=self.led[name])

    def _led_elsewhere(self) -> list[TableResult]:
        """Results of tables that this load has no rows for and in which it led references on."""
        own = {t.table for t in self.to.load.tables}
        return [TableResult(name, 0, 0, 0, 0, led=n) for name, n in sorted(self.led.items()) if n and name not in own]

    def _known_entities(self) -> set[str]:
        """Entities of which the crosswalk has rows of this cohort."""
        query = sql.SQL("SELECT DISTINCT entity FROM {} WHERE cohort = {}")
        found = self.to.connection.execute(query.format(RECORD_TABLE, sql.Literal(self.to.order.cohort)))
        return {row[0] for row in found}

    def _is_fresh(self, table: TableRows, known: set[str]) -> bool:
        """Whether the table should hold none of these rows yet; a wrong guess costs time and nothing else."""
        if table.recorded:
            return table.entity not in known
        target = self.to.target(table.table)
        return not one_row(self.to.connection, sql.SQL("SELECT EXISTS (SELECT FROM {})").format(target))[0]

    # --- target tables ---

    def _table(self, table: TableRows, fresh: bool) -> TableResult:
        path = self.to.file_of(table)
        if fresh and (copied := self.to.copy_fresh(self.to.target(table.table), table.columns, path)) is not None:
            return TableResult(table.table, table.planned, copied, 0, 0)
        return self.to.compare(table, path)

    def _found(self, table: TableRows, inserted: int) -> int:
        """Rows of the table that this load has there now, counted by the target: those of its entity in the cohort's
        crosswalk; of the catalog, which has no crosswalk, those staged. Where the table has no other rows than were
        copied in there is nothing to look up. What was copied in is noted as inserted on the way."""
        target = self.to.target(table.table)
        key = sql.Identifier("t", table.key)
        if table.table not in self.to.staged and self._rows_in(target) == inserted:
            ours = sql.Composed([])
        elif table.recorded:
            ours = of_cohort(table.key, table.entity, self.to.order.cohort)
        elif table.table in self.to.staged:
            staged = sql.SQL("WHERE {key} IN (SELECT {column} FROM {stage})")
            ours = staged.format(key=key, column=sql.Identifier(table.key), stage=stage_name(table.table))
        else:
            ours = sql.Composed([])
        if table.table not in self.to.staged:
            return self.to.writes.changes.note_inserted(table.table, target, table.key, ours)
        return int(one_row(self.to.connection, sql.SQL("SELECT count(*) FROM {} t {}").format(target, ours))[0])

    def _rows_in(self, target: sql.Identifier) -> int:
        return int(one_row(self.to.connection, sql.SQL("SELECT count(*) FROM {}").format(target))[0])

    def _remove(self, entity: str, crosswalk: sql.Identifier) -> None:
        """Delete rows of an entity that an earlier load of this cohort brought and that nobody has any more. What
        another cohort has now is handed over instead, and what rows there still point at stays; what points at a row
        that is merged by now, as the staged crosswalk has it, is led to the survivor."""
        tables = [t for t in self.to.load.tables if t.entity == entity]
        if tables[0].table not in self.to.staged:
            return
        gone = sql.Identifier("pg_temp", "gone_rows")
        self.to.connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(gone))
        found = self.to.connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE {gone} ON COMMIT DROP AS "
                "SELECT x.entity, x.source_system, x.source_table, x.source_id, x.target_id FROM {crosswalk} x "
                "WHERE x.cohort = {cohort} AND x.entity = {entity} AND x.status = 'loaded' "
                "AND NOT EXISTS (SELECT FROM {stage} s WHERE s.{key} = x.target_id)"
            ).format(
                gone=gone,
                crosswalk=RECORD_TABLE,
                cohort=sql.Literal(self.to.order.cohort),
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
        kept = spare_what_is_needed(self.to.writes.changes, self.to.plan.target, self.to.order.cohort, entity, gone)
        self.receivers |= set(kept)
        for t in reversed(tables):
            self.deleted[t.table] += self._delete(t, gone)
            self.spared[t.table] += kept[self.to.order.cohort]

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
        for table, column in references_to(self.to.plan.target, entity):
            declared, target = self.to.plan.target.tables[table], self.to.target(table)
            types = column_types(declared)
            self.led[table] += self.to.writes.lead(table, declared.entity, target, types, column, led, gone)

    def _unique(self, table: TableRows) -> tuple[tuple[str, ...], ...]:
        return self.to.plan.target.tables[table.table].unique

    def _same_thing(self, table: TableRows, columns: tuple[str, ...], gone: sql.Identifier) -> sql.Composed:
        """Pairs of a row that is going and a staged one with the same values in these columns."""
        return sql.SQL(
            "SELECT g.target_id AS old, n.{key} AS new FROM {gone} g JOIN {target} t ON t.{key} = g.target_id "
            "JOIN {stage} n ON {same} AND n.{key} <> t.{key}"
        ).format(
            key=sql.Identifier(table.key),
            gone=gone,
            target=self.to.target(table.table),
            stage=stage_name(table.table),
            same=same_key("n", "t", columns),
        )

    def _delete(self, table: TableRows, gone: sql.Identifier) -> int:
        key = sql.Identifier("t", table.key)
        target = self.to.target(table.table)
        statement = sql.SQL("DELETE FROM {} t USING {} g WHERE g.target_id = {} RETURNING t.*")
        return self.to.writes.changes.removing(table.table, statement.format(target, gone, key), (table.key,))

    # --- the record ---

    def _place_crosswalk(self, fresh: bool) -> tuple[sql.Identifier | None, TableResult]:
        """Copy the crosswalk straight in where this cohort had none, else to a stage table, which is returned."""
        if self.to.load.crosswalk is None:
            return None, TableResult(CROSSWALK, 0, 0, 0, 0)
        path, columns = self.to.crosswalk_file()
        if fresh and (copied := self.to.copy_fresh(RECORD_TABLE, columns, path)) is not None:
            return None, TableResult(CROSSWALK, copied, copied, 0, 0)
        stage, planned = self.to.stage_crosswalk(path, columns)
        return stage, TableResult(CROSSWALK, planned, 0, 0, 0)

    def _forget(self, stage: sql.Identifier) -> int:
        """Delete crosswalk rows of this cohort that it no longer has."""
        gone = sql.SQL(
            "DELETE FROM {} t WHERE t.cohort = {} AND t.entity = ANY({}) "
            "AND NOT EXISTS (SELECT FROM {} s WHERE {}) AND NOT EXISTS (SELECT FROM {} p WHERE {}) RETURNING t.*"
        ).format(
            RECORD_TABLE,
            sql.Literal(self.to.order.cohort),
            sql.Literal(list(self.to.load.entities)),
            stage,
            same_key("s", "t", CROSSWALK_KEY),
            SPARED,
            same_key("p", "t", CROSSWALK_KEY),
        )
        return self.to.writes.changes.removing(CROSSWALK, gone, CROSSWALK_KEY)
