"""Applies a load of one cohort: all of it or nothing, and nothing at all where nothing changed.

How much of it has to be looked at is said by `step`. Crosswalk, pre-images and ledger are written in the transaction of
the rows; a large cohort that is new comes in several (`package`). One load of a plan at a time, by an advisory lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from migration_assets.connectors.postgres_target import Connection
from migration_assets.domain.errors import TargetRefused
from migration_assets.engine.held_folder import HeldFolder
from migration_assets.stages.load.cohort_states import APPLIED, set_states
from migration_assets.stages.load.customers import Membership
from migration_assets.stages.load.guarded import RECORD_TABLE
from migration_assets.stages.load.hidden import heirs_of_incomplete, hide, show
from migration_assets.stages.load.hold import hold_plan
from migration_assets.stages.load.inputs import inputs_of
from migration_assets.stages.load.order import LoadOrder, LoadResult, together
from migration_assets.stages.load.outcome import Outcome
from migration_assets.stages.load.refusal import refusal
from migration_assets.stages.load.schema import LEDGER, RECORD_SCHEMA, role_names
from migration_assets.stages.load.seal import Rows
from migration_assets.stages.load.step import LoadStep

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

    `redirects` (shape.REDIRECTS) are source rows merged into others; `membership` tells who is in which cohort now;
    `before_commit` does what has to have happened by the time anybody sees the rows, once for each package.
    TargetRefused: another load is running, the target would not take a row, or it was lost; nothing was written then,
    but for the packages that it says are in. A load that was applied without the target's saying so is as good as any
    other (outcome). A dry run does everything and rolls back.
    """
    inputs = inputs_of(engine, plan, order, canonical, redirects, membership)
    done: list[LoadResult] = []
    rows: Mapping[str, Rows] | None = None
    while not done or done[-1].outstanding:
        load = LoadStep(engine, plan, order, canonical, redirects, membership, inputs, rows)
        with engine.passing(), _after_packages(done):
            result, rows = _transaction(target, load, before_commit)
        done.append(result)
    return together(done)


@contextmanager
def _after_packages(done: Sequence[LoadResult]) -> Iterator[None]:
    """What is refused later says what is in the target already."""
    try:
        yield
    except TargetRefused as refused:
        if not done:
            raise
        rows = sum(p.rows_written for p in done)
        raise TargetRefused(
            f"package {len(done) + 1}: {refused.message}. {rows:,} rows of the packages before it are in the target, "
            "where readers do not see them",
            f"{refused.remedy} `cutover run --resume` goes on after them.",
        ) from None


def _transaction(
    target: PostgresTarget, load: LoadStep, before_commit: Callable[[LoadResult], None]
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
    """A cohort of which packages are outstanding is hidden from readers, and so is one that was given rows of it; and
    whose rows are whose may have changed."""
    heirs = heirs_of_incomplete(connection) - {order.cohort}
    for cohort in sorted(heirs | ({order.cohort} if result.outstanding else set())):
        hide(connection, cohort, "incomplete", order.loaded_at)
    if not result.outstanding:
        show(connection, [order.cohort], "incomplete")


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
