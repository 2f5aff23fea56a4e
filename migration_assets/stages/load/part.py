"""A load of which few inputs are others than last time: only these rows are made, copied to the target and written.

It goes by the cohort's seal (`seal`): everything else is in the target as it was loaded. Where a row has gone, or one
is recorded for another cohort, everything is compared after all (`whole`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.stages.load.cohort_writes import CohortWrites
from migration_assets.stages.load.guarded import RECORD_TABLE, change_name, one_row, planned_with, same_key
from migration_assets.stages.load.order import LoadResult, TableResult
from migration_assets.stages.load.schema import CROSSWALK, CROSSWALK_KEY, table_of

if TYPE_CHECKING:
    from migration_assets.stages.load.inputs import Inputs
    from migration_assets.stages.load.seal import Rows


def nothing_changed(cohort: str, inputs: Inputs, rows: Mapping[str, Rows], tables: Mapping[str, str]) -> LoadResult:
    """The result of a load that finds all as it was. `rows`: what the target has of each table; `tables`: the entity of
    each, parents first."""
    counted = tuple(
        TableResult(t, inputs.counts[entity], 0, 0, rows[t].count, found=rows[t].count) for t, entity in tables.items()
    )
    return LoadResult(cohort, counted, TableResult(CROSSWALK, 0, 0, 0, 0))


@dataclass
class PartLoad:
    """Writes of the rows that differ. `rows`: what the target had of each table; `gone`: by entity, how many rows of
    the last load are not among the inputs as they were."""

    to: CohortWrites
    inputs: Inputs
    rows: Mapping[str, Rows]
    gone: Mapping[str, int]

    def run(self) -> LoadResult | None:
        """Write them; None, with nothing written, when everything has to be compared."""
        path, columns = self.to.crosswalk_file()
        stage, _ = self.to.stage_crosswalk(path, columns)
        self.to.conflicts.staged_record = stage
        # A row that is looked up by its key costs little: what is asked for lies close together and in memory.
        with planned_with(self.to.connection, random_page_cost="1.1"):
            merged = self._merged_if_suitable(stage)
            if merged is None:
                return None
            tables = self.to.load.tables
            done = tuple(self._counted(self.to.compare(t, self.to.file_of(t)), t.entity, t.key) for t in tables)
            crosswalk = self._with_recorded(self.to.write_crosswalk(stage, 0), merged)
            self.to.note_changes(list(done))
        return LoadResult(
            self.to.order.cohort,
            done,
            crosswalk,
            conflicts=tuple(self.to.conflicts.found),
            overwritten=sum(self.to.conflicts.overwritten.values()),
            in_ledger=self.to.enter(done, crosswalk),
        )

    def _merged_if_suitable(self, stage: sql.Identifier) -> int | None:
        """How many staged rows are merged into others, where the rest are new or changed ones of this cohort, and as
        many have changed as are not what they were: then none has gone. None where it is not so."""
        query = sql.SQL(
            "SELECT s.entity, count(*) FILTER (WHERE s.status = 'merged'), "
            "count(x.entity) FILTER (WHERE s.status = 'loaded'), "
            "count(*) FILTER (WHERE s.status = 'loaded' AND x.status = 'loaded' AND x.cohort = {cohort}) "
            "FROM {stage} s LEFT JOIN {record} x ON {same} GROUP BY s.entity"
        ).format(
            cohort=sql.Literal(self.to.order.cohort),
            stage=stage,
            record=RECORD_TABLE,
            same=same_key("x", "s", CROSSWALK_KEY),
        )
        merged, changed = 0, dict.fromkeys(self.inputs.counts, 0)
        for entity, merged_of, recorded, own in self.to.connection.execute(query):
            if recorded != own:
                return None
            merged, changed[entity] = merged + merged_of, own
        return merged if all(n == self.gone.get(e, 0) for e, n in changed.items()) else None

    def _with_recorded(self, crosswalk: TableResult, merged: int) -> TableResult:
        """The crosswalk's result with the rows that were not looked at."""
        schema = self.to.plan.target
        held = sum(rows.count for t, rows in self.rows.items() if table_of(schema, schema.tables[t].entity) == t)
        known = held + merged
        return replace(crosswalk, planned=known + crosswalk.inserted, unchanged=known - crosswalk.updated)

    def _counted(self, result: TableResult, entity: str, key: str) -> TableResult:
        """With the rows that were not looked at: they were counted by the target when the load began."""
        name, before = result.table, self.rows[result.table].count
        new = sql.SQL("SELECT count(*) FROM {} t JOIN {} c ON {} WHERE c.is_new").format(
            self.to.target(name), change_name(name), same_key("t", "c", (key,))
        )
        came = int(one_row(self.to.connection, new)[0])
        return replace(
            result,
            planned=self.inputs.counts[entity],
            unchanged=before - result.updated,
            found=before + came,
        )
