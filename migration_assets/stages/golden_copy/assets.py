"""`golden_copy`: the immutable, checksummed export that everything is derived from. Global."""

from __future__ import annotations

import pyarrow as pa

from migration_assets.domain.errors import PlanFaults, StageRefused
from migration_assets.plan.check import check_plan
from migration_assets.plan.models import Plan
from migration_assets.stages.golden_copy.columns import raw_columns, unread_tables
from migration_assets.stages.golden_copy.manifest import Manifest
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.copies import take_whole, verified_copy
from migration_assets.wiring.lineage import golden_copy_lineage, legacy_tables
from migration_assets.wiring.metadata import markdown_table, row_counts
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.tags import NEW_SNAPSHOT, SNAPSHOT
from migration_assets.wiring.workspace import Workspace


def specs(workspace: Workspace) -> list[StageSpec]:
    plan = workspace.plan
    return [
        StageSpec(
            name="golden_copy",
            group="prepare",
            description=(
                "Every planned source table as Parquet with digests, from one consistent snapshot. Materializing it "
                f"again verifies the copy; the run tag {NEW_SNAPSHOT}=true takes a new one."
            ),
            kinds=frozenset({"parquet"}),
            compute=_copy,
            suite=workspace.suites["golden_copy"],
            deps=[s.key for s in legacy_tables(plan)],
            by_cohort=False,
            static_metadata=golden_copy_lineage(plan),
        )
    ]


def _copy(call: StageCall) -> StageOutput:
    store = call.workspace.store
    present = call.tags.get(SNAPSHOT) or store.current_snapshot()
    if present is None or call.tags.get(NEW_SNAPSHOT) == "true":
        manifest = take_whole(call.workspace, call.actor, call.say)
    else:
        call.say(f"verifying snapshot {present}")
        manifest = verified_copy(call.workspace, present)
        _require_all_tables(call.plan, manifest)
        _require_all_columns(call.plan, manifest)
    exports = call.file("golden_copy", "exports")
    call.engine.write(call.engine.table(_exports(manifest)), exports, order_by=["table"])
    tables = {t: store.golden_file(manifest.snapshot, t) for t in call.plan.source_tables} | {"exports": exports}
    empty = {t for t, declared in call.plan.source_tables.items() if declared.may_be_empty}
    snapshot = manifest.snapshot
    return StageOutput(
        tables,
        _described(manifest),
        may_be_empty=empty,
        # Nothing stands on a copy that has failed its own checks; the one before stays current.
        publish=lambda: _make_current(call, snapshot),
        basis=call.workspace.basis(snapshot, call.instant_of(snapshot)),
    )


def _make_current(call: StageCall, snapshot: str) -> dict[str, object]:
    if call.workspace.store.current_snapshot() != snapshot:
        call.workspace.store.make_current(snapshot)
    return {}


def _require_all_tables(plan: Plan, manifest: Manifest) -> None:
    """A plan that names a table the snapshot does not have needs a new snapshot, asked for by a person."""
    if missing := sorted(unread_tables(manifest, plan)):
        raise StageRefused(
            f"snapshot {manifest.snapshot} has no {', '.join(missing)}, or not from where and as the plan reads it now",
            "Take a new one: `cutover run --new-snapshot`.",
        )


def _require_all_columns(plan: Plan, manifest: Manifest) -> None:
    """Every column the plan names has to be in the snapshot: all faults now, not one by one as stages meet them."""
    if faults := check_plan(plan, columns=raw_columns(manifest, plan)):
        raise PlanFaults(
            faults,
            f"Mend them. Columns are those of snapshot {manifest.snapshot}; if the source has them by now, take a new "
            "one: `cutover run --new-snapshot`.",
        )


def _exports(manifest: Manifest) -> pa.Table:
    """Table `exports`, one row for each source table: table, rows, sha256, columns."""
    entries = manifest.tables.items()
    return pa.table(
        {
            "table": [name for name, _ in entries],
            "rows": [e.rows for _, e in entries],
            "sha256": [e.sha256 for _, e in entries],
            "columns": [len(e.columns) for _, e in entries],
        }
    )


def _described(manifest: Manifest) -> dict[str, object]:
    rows = {name: entry.rows for name, entry in manifest.tables.items()}
    files = [(name, e.rows, e.bytes, e.sha256[:16]) for name, e in manifest.tables.items()]
    return {
        **row_counts(rows, partitioned=False),
        "snapshot": manifest.snapshot,
        "taken at": manifest.taken_at.isoformat(),
        "bytes": sum(e.bytes for e in manifest.tables.values()),
        "files": markdown_table(("table", "rows", "bytes", "sha-256 begins"), files),
    }
