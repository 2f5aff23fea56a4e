"""`transformed_billing`: the cohort's invoices, payments, credits and orders."""

from __future__ import annotations

import dagster as dg

from migration_assets.stages.billing.cohort import transform_cohort
from migration_assets.stages.canonical import write_stage
from migration_assets.stages.feeds import Mapping
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.lineage import entity_schema, mapping_lineage
from migration_assets.wiring.metadata import row_counts, stage_account
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace


def specs(workspace: Workspace) -> list[StageSpec]:
    entities = workspace.plan.entities_of("transformed_billing")
    return [
        StageSpec(
            name="transformed_billing",
            group="migrate",
            description="Invoices, lines, payments, credits, refunds and orders of the cohort, as they were.",
            kinds=frozenset({"duckdb", "parquet"}),
            compute=_transform,
            suite=workspace.suites["transformed_billing"],
            # Invoice lines name the subscription items they bill, so entitlements come first.
            deps=[dg.AssetKey("cleansed_customers"), dg.AssetKey("transformed_entitlements")],
            gates=["cleansed_customers", "transformed_entitlements"],
            static_metadata={**entity_schema(entities), **mapping_lineage(workspace.plan, entities)},
        )
    ]


def _transform(call: StageCall) -> StageOutput:
    feeds = Mapping(call.engine, call.plan, call.cohort_rows(), call.as_of, shared=call.golden())
    upstream = call.upstream("reference_data", "cleansed_customers", "transformed_entitlements")
    made = transform_cohort(feeds, upstream)
    written = write_stage(call.engine, made, lambda t: call.file("transformed_billing", t))
    tables = {
        **call.files("reference_data", "cleansed_customers", "transformed_entitlements"),
        **{t: call.file("transformed_billing", t) for t in written},
    }
    metadata = {
        **row_counts(written, partitioned=True),
        **stage_account(call.engine, tables["notes"], tables["dispositions"]),
    }
    return StageOutput(tables, metadata, may_be_empty=call.may_be_empty(tables))
