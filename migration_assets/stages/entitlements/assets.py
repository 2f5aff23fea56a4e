"""`transformed_entitlements`: the cohort's subscriptions, items, overrides, usage and entitlements."""

from __future__ import annotations

import dagster as dg

from migration_assets.stages.canonical import write_stage
from migration_assets.stages.entitlements.cohort import transform_cohort
from migration_assets.stages.entitlements.derive import CatalogRows
from migration_assets.stages.feeds import Mapping
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.lineage import entity_schema, mapping_lineage
from migration_assets.wiring.metadata import row_counts, stage_account
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace


def specs(workspace: Workspace) -> list[StageSpec]:
    entities = workspace.plan.entities_of("transformed_entitlements")
    return [
        StageSpec(
            name="transformed_entitlements",
            group="migrate",
            description="Subscriptions and items of the cohort, and what they entitle to by the catalog and overrides.",
            kinds=frozenset({"duckdb", "parquet"}),
            compute=_transform,
            suite=workspace.suites["transformed_entitlements"],
            deps=[dg.AssetKey("cleansed_customers")],
            gates=["cleansed_customers"],
            static_metadata={
                **entity_schema((*entities, "entitlement")),
                **mapping_lineage(workspace.plan, entities),
            },
        )
    ]


def _transform(call: StageCall) -> StageOutput:
    feeds = Mapping(call.engine, call.plan, call.cohort_rows(), call.as_of, call.golden())
    catalog = CatalogRows(
        plan=call.global_rows("reference_data", "plan"),
        product_feature=call.global_rows("reference_data", "product_feature"),
        feature=call.global_rows("reference_data", "feature"),
        geo_rule=call.global_rows("reference_data", "geo_rule"),
    )
    upstream = call.upstream("reference_data", "cleansed_customers")
    made = transform_cohort(feeds, upstream, catalog, call.rows("cleansed_customers", "customer"))
    written = write_stage(call.engine, made, lambda t: call.file("transformed_entitlements", t))
    tables = {
        **call.files("reference_data", "cleansed_customers"),
        "enrichments": call.file("cleansed_customers", "enrichments"),
        **{t: call.file("transformed_entitlements", t) for t in written},
    }
    metadata = {
        **row_counts(written, partitioned=True),
        **stage_account(call.engine, tables["notes"], tables["dispositions"]),
    }
    return StageOutput(tables, metadata, may_be_empty={*call.may_be_empty(tables), "enrichments"})
