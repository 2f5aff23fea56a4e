"""Applies a load: everything of one cohort in one transaction, and nothing at all where nothing changed.

Where the cohort's seal holds (`seal`), rows that are others than last time are all that is looked at (`part`);
otherwise everything is compared (`whole`). Crosswalk, pre-images and ledger are written in the same transaction. One
load of a plan at a time, by an advisory lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from migration_assets.connectors.postgres_target import Connection
from migration_assets.domain.errors import TargetRefused
from migration_assets.engine.held_folder import HeldFolder
from migration_assets.stages.load.cohort_states import APPLIED, set_states
from migration_assets.stages.load.cohort_writes import RECORD_TABLE, CohortWrites, begin_writes
from migration_assets.stages.load.conflicts import Conflicts
from migration_assets.stages.load.customers import Membership, borne_aliases, has_reserved
from migration_assets.stages.load.guarded import one_row
from migration_assets.stages.load.handover import Handover
from migration_assets.stages.load.hidden import hidden_cohorts, hide, show
from migration_assets.stages.load.hold import hold_plan
from migration_assets.stages.load.inputs import Inputs, Others, inputs_of
from migration_assets.stages.load.order import LoadOrder, LoadResult, together
from migration_assets.stages.load.outcome import Outcome
from migration_assets.stages.load.package import PackageLoad, next_package
from migration_assets.stages.load.part import PartLoad, nothing_changed
from migration_assets.stages.load.plan import LoadPlan, plan_load
from migration_assets.stages.load.refusal import refusal
from migration_assets.stages.load.schema import LEDGER, RECORD_SCHEMA, parents_first, role_names
from migration_assets.stages.load.seal import Rows, Seal, Seals
from migration_assets.stages.load.seal_table import break_seals
from migration_assets.stages.load.whole import WholeLoad

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import PostgresTarget
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan


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
    inputs = inputs_of(engine, plan, order, canonical, redirects, membership)
    done: list[LoadResult] = []
    rows: Mapping[str, Rows] | None = None
    while not done or done[-1].outstanding:
        load = _Load(engine, plan, order, canonical, redirects, membership, inputs, rows)
        with engine.passing():
            result, rows = _transaction(target, load, before_commit)
        done.append(result)
    return together(done)


def _transaction(
    target: PostgresTarget, load: _Load, before_commit: Callable[[LoadResult], None]
) -> tuple[LoadResult, Mapping[str, Rows] | None]:
    """The load, or a package of it; and the cohort's rows then, as far as they are followed."""
    order, roles = load.order, role_names(load.plan)
    hold = partial(hold_plan, plan=load.plan.file.uuid, seconds=order.lock_seconds)
    with (
        HeldFolder(order.work_folder) as folder,
        Outcome(target, roles["writer"], hold) as outcome,
        # Whom a policy binds, be it one that lets everything through, PostgreSQL gives no COPY and does not tell which
        # row it refused (`hidden`): not the writer.
        target.transaction(role=roles["owner"]) as connection,
    ):
        hold_plan(connection, load.plan.file.uuid, order.lock_seconds)
        # One load at a time: whole cohorts are joined, and a hash that does not fit is written out and read again.
        connection.execute("SET LOCAL work_mem = '128MB'")
        try:
            load.begin(connection, folder)
            result = load.run()
            touched = {*result.receivers, *([order.cohort] if result.recorded else [])}
            set_states(connection, touched, APPLIED, order.snapshot, order.run_id, order.loaded_at)
            _hide_or_show(connection, order, result)
            refuse_shared_ids(connection, order.cohort)
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.Error as error:
            raise refusal(error, load.engine, load.planned, folder) from None
        if order.dry_run:
            connection.rollback()
        else:
            before_commit(result)
            outcome.committing(_entered(load.writes.load_id, order.run_id) if result.in_ledger else None)
    load.forget()
    return result, load.rows


def _hide_or_show(connection: Connection, order: LoadOrder, result: LoadResult) -> None:
    """A cohort of which packages are outstanding is hidden from readers; and whose rows are whose may have changed."""
    if result.outstanding:
        hide(connection, order.cohort, "incomplete", order.loaded_at)
    else:
        show(connection, [order.cohort], "incomplete")


@dataclass
class _Load:
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
        self.seals = Seals(connection, self.plan, self.order.cohort)

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
        if seal is not None and holds and seal.inputs == inputs.rows:
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
        in_packages = size is not None and ((self._is_new() and inputs.total > size) or self._is_incomplete())
        if seal is None and not in_packages:
            return None
        others = inputs.other_than(kept, cohort, seal.inputs) if seal else Others(inputs.canonical, {})
        if others is None:
            return None
        result = None
        with self.connection.transaction():
            handover = self._handover() if seal is None or has_reserved(self.connection) else None
            aliases = handover.settle() if handover else None
            if aliases is None and self.membership is not None:
                aliases = borne_aliases(self.connection, self.engine)
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
        self.kept = inputs.so_far(package, kept, self.order.cohort, seal.inputs if seal else None)
        return PackageLoad(self._writing(), inputs, rows, outstanding).run()

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
        ).format(record=RECORD_TABLE, cohort=sql.Literal(cohort))
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
