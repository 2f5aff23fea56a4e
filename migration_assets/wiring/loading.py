"""One load into the plan's target, for reference data and for cohorts alike, and what people see of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from migration_assets.engine.mapping import source_id
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.cohorts.assign import planned_cohorts
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.customers import Membership
from migration_assets.stages.load.order import LoadOrder, LoadResult, TableResult
from migration_assets.stages.load.whereabouts import SOURCE, Whereabouts
from migration_assets.wiring.audit_gaps import LOADED, make_good
from migration_assets.wiring.conflicts import conflicts_in, settlement_of
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.stage_names import ARRIVAL, TRANSFORMED
from migration_assets.wiring.tags import REPAIR

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.wiring.call import StageCall


def load_rows(
    call: StageCall,
    cohort: str,
    files: Mapping[str, Path],
    redirects: ir.Table | None = None,
    membership: Membership | None = None,
    holding: Callable[[], None] = lambda: None,
) -> LoadResult:
    """Load the canonical rows (entity -> Parquet file) of one cohort. `holding` is called in each transaction, when all
    of it is written and nobody else loads: what others have committed until then was seen."""
    order = LoadOrder(
        cohort=cohort,
        snapshot=call.snapshot,
        run_id=call.run_id,
        loaded_at=datetime.now(UTC),
        dry_run=call.is_dry_run,
        work_folder=call.workspace.work_folder,
        kept_folder=call.workspace.kept_folder,
        package_rows=call.plan.file.target.package_rows,
        settlement=settlement_of(call.workspace, repair=call.tags.get(REPAIR) == "true"),
    )
    canonical = {entity: call.engine.read(path) for entity, path in files.items()}
    if not order.dry_run:
        make_good(call.workspace, [cohort], call.actor)

    def announce(found: LoadResult) -> None:
        holding()
        if found.outstanding:
            call.say(
                f"a package of {found.rows_written:,} rows is written, {found.outstanding:,} rows are still to come"
            )
        if found.receivers:
            # What they were found to be was before this; `--resume` takes them, and so does the run itself. Before the
            # commit: whoever is killed in between must find them withdrawn, and a load too many does no harm.
            call.workspace.control.withdraw_verdicts(ARRIVAL, found.receivers)
            call.say(f"rows are handed to {', '.join(found.receivers)}, to be loaded after this")

    target = call.workspace.target
    result = load_cohort(call.engine, target, call.plan, order, canonical, redirects, membership, announce)
    removed = f", {result.rows_removed} of them removed" if result.rows_removed else ""
    call.say(f"{result.rows_written} rows written{removed}{' and rolled back: dry run' if result.dry_run else ''}")
    if result.conflicts:
        call.say(f"{len(result.conflicts)} fields that others have changed in the target were left as they are")
    if not result.dry_run:
        tables = [t.table for t in result.tables]
        conflicts_in(call.workspace).put(result.conflicts, cohort, tables, call.snapshot, order.loaded_at)
        detail = {
            "rows_written": result.rows_written,
            "rows_removed": result.rows_removed,
            "rows_handed_over": result.handed_over,
            "conflicts_left": len(result.conflicts),
            "conflicts_overwritten": result.overwritten,
            "snapshot": call.snapshot,
            "plan_digest": call.plan.digest,
            "run_id": call.run_id,
        }
        call.workspace.control.audit(call.actor, LOADED, cohort, detail, now=order.loaded_at)
    return result


def merged_rows(call: StageCall) -> ir.Table:
    """Source rows of this cohort that were merged into another: `entity, key, into_key`."""
    fates = call.rows("cleansed_customers", "dispositions")
    merged = fates.filter(fates["disposition"] == "merged")
    key = merged["source_system"] + "." + merged["source_table"] + ":" + merged["source_id"]
    return merged.select(entity=ibis.literal("customer"), key=key, into_key=merged["into_key"])


def membership_of(call: StageCall) -> Membership:
    """Who is in which cohort, as `cohort_plan` has it."""
    planned = {c.name for c in planned_cohorts(call.plan.cohorts.cohorts)}
    cohorts = frozenset({*planned, UNASSIGNED})
    members = call.global_rows("cohort_plan", "members")
    return Membership(members, cohorts, _whereabouts(call, cohorts), _left_out(call))


def _left_out(call: StageCall) -> ir.Table:
    """Source rows of this cohort that were rejected or excluded."""
    claims = call.engine.union(call.rows(asset, "dispositions") for asset in TRANSFORMED)
    return claims.filter(claims["disposition"].isin(["rejected", "excluded"])).select(*SOURCE)


def _whereabouts(call: StageCall, cohorts: Collection[str]) -> Whereabouts:
    """Where every source row lies, as `cohort_plan` has laid them out."""

    def rows_of(table: str) -> ir.Table | None:
        declared = call.plan.source_tables.get(table)
        if declared is None:
            return None
        raw = {c: call.workspace.cohort_rows(call.engine, c)(table) for c in sorted(cohorts)}
        return call.engine.union(
            rows.select(source_id=source_id(rows, declared.key), cohort=ibis.literal(c)) for c, rows in raw.items()
        )

    return rows_of


def loaded_table(result: LoadResult) -> pa.Table:
    """Table `loaded`, one row for each target table: table, planned, inserted, updated, unchanged, deleted, found,
    rejected.

    `rejected` are the rows, planned or spared, that the target, asked when all is written, does not hold; fewer than
    none are rows that nobody planned. Nothing here is worked out from the numbers it is compared with.
    """
    return pa.table(
        {
            "table": pa.array([t.table for t in result.tables], pa.string()),
            **{
                column: pa.array([getattr(t, column) for t in result.tables], pa.int64())
                for column in ("planned", "inserted", "updated", "unchanged", "deleted", "found")
            },
            "rejected": pa.array([_rejected(t) for t in result.tables], pa.int64()),
        }
    )


def _rejected(table: TableResult) -> int | None:
    return None if table.found is None else table.planned + table.spared - table.found


def load_metadata(result: LoadResult) -> dict[str, Any]:
    """Rows written, and what the load did to each table."""
    header = ("table", "planned", "inserted", "updated", "unchanged", "deleted", "spared", "led", "found")
    rows = [tuple(getattr(t, column) for column in header) for t in result.tables]
    return {
        "rows written": 0 if result.dry_run else result.rows_written,
        "rows removed": 0 if result.dry_run else result.rows_removed,
        "crosswalk rows written": 0 if result.dry_run else result.crosswalk.written,
        "crosswalk rows handed over": 0 if result.dry_run else result.handed_over,
        "changed by others and left": len(result.conflicts),
        "changed by others, waiting for a person": sum(c.asked for c in result.conflicts),
        "changed by others and written over": result.overwritten,
        "dry run": result.dry_run,
        "load": markdown_table(header, rows),
    }
