"""One transaction of a load: how much of the cohort it looks at, as the cohort's seal allows, and the seal it leaves.

Nothing, where inputs and rows are as they were (`seal`); only rows that are others (`part`); the next package of a
large cohort that is new (`package`); or everything (`whole`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from migration_assets.stages.load.cohort_writes import CohortWrites, begin_writes
from migration_assets.stages.load.conflicts import Conflicts
from migration_assets.stages.load.customers import Membership, bears_others
from migration_assets.stages.load.guarded import RECORD_TABLE, one_row
from migration_assets.stages.load.handover import Handover
from migration_assets.stages.load.hidden import hidden_cohorts
from migration_assets.stages.load.inputs import Inputs, Others
from migration_assets.stages.load.order import LoadOrder, LoadResult
from migration_assets.stages.load.package import PackageLoad, next_package
from migration_assets.stages.load.part import PartLoad, nothing_changed
from migration_assets.stages.load.plan import LoadPlan, plan_load
from migration_assets.stages.load.schema import RECORD_SCHEMA, parents_first
from migration_assets.stages.load.seal import Rows, Seal, Seals
from migration_assets.stages.load.seal_table import break_seals
from migration_assets.stages.load.whole import WholeLoad

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan


@dataclass
class LoadStep:
    """One transaction of a load. `inputs` is None where the cohort's seal is not asked for; `rows`: those of the cohort
    in the target, by table, where an earlier package has followed them; `planned` is what was made to be written."""

    engine: DuckDBEngine
    plan: Plan
    order: LoadOrder
    canonical: Mapping[str, ir.Table]
    redirects: ir.Table | None
    membership: Membership | None
    inputs: Inputs | None
    rows: Mapping[str, Rows] | None = None
    planned: LoadPlan = field(default_factory=lambda: LoadPlan((), None))
    kept: Inputs | None = None

    def begin(self, connection: Connection, folder: Path) -> None:
        """What can only be had inside the transaction."""
        self.connection, self.folder = connection, folder
        self.writes = begin_writes(connection, self.plan)
        self.seals = Seals(connection, self.plan, self.order.cohort, self.writes.changes.as_text)

    def run(self) -> LoadResult:
        """Write what there is to be written, as far as the seal says."""
        inputs, kept = self.inputs, self.order.kept_folder
        if inputs is None or kept is None:
            result = self._whole()
            self._break(result)
            return result
        seal = self.seals.found()
        # Before anything is compared: what is changed by others from here on does not fit the next seal.
        rows = self.rows or self.seals.rows(tuple(self._tables), seal)
        holds = seal is not None and seal.basis == inputs.basis and seal.rows == rows
        if seal is not None and holds and seal.digest == inputs.digest:
            return nothing_changed(self.order.cohort, inputs, rows, self._tables)
        result = self._some(inputs, kept, rows, seal if holds else None) or self._whole()
        if not self._break(result):
            self.kept = self.kept if result.outstanding and self.kept else inputs
            self.kept.keep(kept, self.order.cohort)
            self.rows = self.seals.put(self.writes.load_id, self.kept, rows)
        return result

    def forget(self) -> None:
        """Remove what earlier loads of the cohort have kept of their inputs."""
        if self.kept is not None and self.order.kept_folder is not None:
            self.kept.keep_only(self.order.kept_folder, self.order.cohort)

    @property
    def _tables(self) -> dict[str, str]:
        """Tables that the load has rows for, parents first, and the entity of each."""
        return {n: t.entity for n, t in parents_first(self.plan.target) if t.entity in self.canonical}

    def _some(self, inputs: Inputs, kept: Path, rows: Mapping[str, Rows], seal: Seal | None) -> LoadResult | None:
        """Only rows that differ from what was loaded last, or the next package; None, with nothing written, when
        everything has to be compared."""
        size, cohort = self.order.package_rows, self.order.cohort
        if seal is None and not self._is_new():
            return None
        in_packages = size is not None and (self._is_incomplete() if seal else inputs.total > size)
        if seal is None and not in_packages:
            return None
        others = inputs.other_than(kept, cohort, seal.digest) if seal else Others(inputs.canonical, {})
        if others is None or (in_packages and others.gone):
            return None
        result = None
        with self.connection.transaction():
            # Only where every customer bears the id that is minted from its own key is there nothing to ask.
            handover = self._handover() if seal is None or bears_others(self.connection) else None
            aliases = handover.settle() if handover else None
            if handover is None or handover.moved == 0:
                result = (
                    self._package(inputs, kept, rows, seal, others.canonical, aliases, size)
                    if in_packages and size is not None
                    else self._part(inputs, rows, others, aliases)
                )
            if result is None:
                raise psycopg.Rollback
        return result

    def _part(
        self, inputs: Inputs, rows: Mapping[str, Rows], others: Others, aliases: ir.Table | None
    ) -> LoadResult | None:
        self.planned = plan_load(self.engine, self.plan, others.canonical, self.redirects, aliases)
        return PartLoad(self._writing(), inputs, rows, others.gone).run()

    def _package(
        self, inputs: Inputs, kept: Path, rows: Mapping[str, Rows], seal: Seal | None, others: Mapping[str, ir.Table],
        aliases: ir.Table | None, size: int,
    ) -> LoadResult | None:  # fmt: skip
        package, outstanding = next_package(self.engine, self.plan.target, others, size)
        self.planned = plan_load(self.engine, self.plan, package, self.redirects, aliases)
        if seal is not None and self.planned.crosswalk is not None:
            # Rows merged into others came with the first package.
            loaded = self.planned.crosswalk.filter(self.planned.crosswalk["status"] == "loaded")
            self.planned = replace(self.planned, crosswalk=loaded)
        self.kept = inputs.so_far(package, kept, self.order.cohort, seal.digest if seal else None)
        result = PackageLoad(self._writing(), inputs, rows, outstanding).run()
        if result is None or outstanding:
            return result
        # The last one answers for all of them: what the target has now, whatever others did meanwhile.
        found = self.seals.rows(tuple(self._tables), None)
        return replace(result, tables=tuple(replace(t, found=found[t.table].count) for t in result.tables))

    def _is_new(self) -> bool:
        """Whether the record has nothing of the cohort."""
        query = sql.SQL("SELECT NOT EXISTS (SELECT FROM {} WHERE cohort = {})")
        return bool(one_row(self.connection, query.format(RECORD_TABLE, sql.Literal(self.order.cohort)))[0])

    def _is_incomplete(self) -> bool:
        """Whether packages of the cohort are outstanding."""
        return "incomplete" in hidden_cohorts(self.connection).get(self.order.cohort, ())

    def _whole(self) -> LoadResult:
        """Everything of the cohort, compared."""
        handover = self._handover()
        aliases = handover.settle() if handover else None
        self.planned = plan_load(self.engine, self.plan, self.canonical, self.redirects, aliases)
        return WholeLoad(self._writing(), handover).run()

    def _handover(self) -> Handover | None:
        if self.membership is None:
            return None
        return Handover(
            self.engine, self.connection, self.plan, self.order.cohort, self.membership, self.folder,
            self.writes.changes,
        )  # fmt: skip

    def _writing(self) -> CohortWrites:
        conflicts = Conflicts(self.writes, self.order.settlement, self.order.cohort)
        return CohortWrites(
            self.engine, self.connection, self.plan, self.order, self.folder, self.planned, self.writes, conflicts
        )

    def _break(self, result: LoadResult) -> bool:
        """Break seals that do not hold after this load; whether the cohort's own is among them."""
        if result.touched_others:
            break_seals(self.connection, RECORD_SCHEMA)
        elif self.inputs is None or result.conflicts or any(t.spared for t in result.tables):
            # What stays as others have made it, or only as long as others need it, is looked at every time.
            self.seals.break_own()
        else:
            return False
        return True
