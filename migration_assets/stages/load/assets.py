"""`target_schema` (global) and `loaded_target` (by cohort): the target's tables, and the rows in them."""

from __future__ import annotations

import dagster as dg
import pyarrow as pa

from migration_assets.domain.errors import StageRefused
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.load.catalog import apply_schema, has_record, read_catalog
from migration_assets.stages.load.inventory import inventory
from migration_assets.stages.load.schema import desired_schema
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.lineage import target_lineage
from migration_assets.wiring.loading import (
    load_metadata,
    load_rows,
    loaded_table,
    membership_of,
    merged_rows,
)
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.stage_names import ARRIVAL, TRANSFORMED
from migration_assets.wiring.status import taken_back
from migration_assets.wiring.workspace import Workspace


def specs(workspace: Workspace) -> list[StageSpec]:
    return [
        StageSpec(
            name="target_schema",
            group="target",
            description="Tables, constraints, indexes and roles of the target, from target.yaml.",
            kinds=frozenset({"postgres"}),
            compute=_make_schema,
            suite=workspace.suites["target_schema"],
            # Its verdict is about a snapshot, so there has to be one.
            deps=[dg.AssetKey("golden_copy")],
            by_cohort=False,
        ),
        StageSpec(
            name="loaded_target",
            group="migrate",
            description="The cohort in the target: all or nothing, guarded, with crosswalk, ledger and pre-images.",
            kinds=frozenset({"postgres"}),
            compute=_load,
            suite=workspace.suites["loaded_target"],
            deps=[dg.AssetKey(a) for a in (*TRANSFORMED, "shadow_billing", "target_schema", "reference_data")],
            gates=[*TRANSFORMED, "shadow_billing", "target_schema", "reference_data"],
            static_metadata=target_lineage(workspace.plan),
        ),
    ]


def _make_schema(call: StageCall) -> StageOutput:
    call.workspace.make_target_database()
    target, desired = call.workspace.target, desired_schema(call.plan)
    if not has_record(target):
        # A target without a record has never been loaded, whatever was found of the one that stood in its place. Before
        # the record is made: whoever is killed in between must find it missing again.
        call.workspace.control.withdraw_verdicts(("reference_data", *ARRIVAL))
    result = apply_schema(target, desired)
    call.say("unchanged" if result.unchanged else f"{len(result.statements)} statements")
    with target.transaction(read_only=True) as connection:
        planned = inventory(read_catalog(connection, desired), desired)
    file = call.file("target_schema", "objects")
    frame = pa.table({column: [getattr(p, column) for p in planned] for column in ("kind", "name", "found")})
    call.engine.write(call.engine.table(frame), file, order_by=["kind", "name"])
    tables = [(name, t.entity, len(t.columns)) for name, t in call.plan.target.tables.items()]
    metadata = {
        "statements run": len(result.statements),
        "objects": len(planned),
        "tables": markdown_table(("table", "entity", "columns"), tables),
    }
    return StageOutput({"objects": file}, metadata)


def _load(call: StageCall) -> StageOutput:
    if call.is_tick and taken_back(call.workspace, [call.partition]):
        raise StageRefused(
            f"cohort `{call.partition}` was taken back since the tick began",
            f"`cutover run --cohort {call.partition}` loads it again; ticks leave it alone until then.",
        )
    files = {e: call.file(asset, e) for asset in TRANSFORMED for e in call.entities(asset)}
    if call.is_dry_run or call.partition == UNASSIGNED:
        # In a dry run the global phase has rolled its rows back, and what is tried here needs them. And what left the
        # reference data goes with the last cohort of all, when no customer needs it any more.
        files = call.files("reference_data") | files
    seen: list[int] = []
    result = load_rows(
        call, call.partition, files, merged_rows(call), membership_of(call),
        holding=lambda: seen.append(call.workspace.control.last_withdrawal()),
    )  # fmt: skip
    file = call.file("loaded_target", "loaded")
    call.engine.write(call.engine.table(loaded_table(result)), file, order_by=["table"])
    return StageOutput(
        {"loaded": file}, load_metadata(result), stands=not call.is_dry_run, looked_since=max(seen, default=None)
    )
