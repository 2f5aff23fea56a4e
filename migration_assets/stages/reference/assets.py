"""`reference_data`: catalog, geo rules, users, roles, loaded once into the target. Global."""

from __future__ import annotations

import dagster as dg

from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.canonical import Upstream, write_stage
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.reference.load_once import reference_rows
from migration_assets.stages.references import FATES, empty
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.lineage import entity_schema, mapping_lineage
from migration_assets.wiring.loading import load_metadata, load_rows
from migration_assets.wiring.metadata import row_counts, stage_account
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace


def specs(workspace: Workspace) -> list[StageSpec]:
    entities = reference_entities(workspace)
    return [
        StageSpec(
            name="reference_data",
            group="target",
            description="Catalog, geo rules, users and roles, loaded before the first cohort.",
            kinds=frozenset({"duckdb", "postgres"}),
            compute=_load_reference,
            suite=workspace.suites["reference_data"],
            deps=[dg.AssetKey("golden_copy"), dg.AssetKey("target_schema")],
            gates=["golden_copy", "target_schema"],
            by_cohort=False,
            static_metadata={
                **entity_schema(entities),
                **mapping_lineage(workspace.plan, workspace.plan.entities_of("reference_data")),
            },
        )
    ]


def reference_entities(workspace: Workspace) -> tuple[str, ...]:
    from migration_assets.stages.reference.catalog import CATALOG_ENTITIES

    return tuple(dict.fromkeys((*CATALOG_ENTITIES, *workspace.plan.entities_of("reference_data"))))


def _load_reference(call: StageCall) -> StageOutput:
    feeds = Mapping(call.engine, call.plan, call.golden(), call.as_of)
    made = reference_rows(feeds, Upstream(parents={}, fates=empty(call.engine, FATES)))
    written = write_stage(call.engine, made, lambda t: call.file("reference_data", t))
    tables = {t: call.file("reference_data", t) for t in written}
    metadata = {
        **row_counts(written, partitioned=False),
        **stage_account(call.engine, tables["notes"], tables["dispositions"]),
    }
    return StageOutput(
        tables,
        metadata,
        may_be_empty=call.may_be_empty(tables),
        stands=not call.is_dry_run,
        publish=lambda: load_metadata(load_rows(call, UNASSIGNED, {t: tables[t] for t in made.rows})),
    )
