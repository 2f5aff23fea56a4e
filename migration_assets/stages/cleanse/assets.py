"""`cleansed_customers`: the cohort's canonical parties."""

from __future__ import annotations

import dagster as dg

from migration_assets.engine.mapping import MappedFeed
from migration_assets.stages.canonical import write_stage
from migration_assets.stages.cleanse.cohort import Parties, cleanse_cohort
from migration_assets.stages.feeds import Mapping
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.lineage import entity_schema, same_columns
from migration_assets.wiring.metadata import row_counts, stage_account
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace


def specs(workspace: Workspace) -> list[StageSpec]:
    entities = workspace.plan.entities_of("cleansed_customers")
    return [
        StageSpec(
            name="cleansed_customers",
            group="migrate",
            description="Customers, contacts, addresses and consents of the cohort after survivorship and validation.",
            kinds=frozenset({"duckdb", "parquet"}),
            compute=_cleanse,
            suite=workspace.suites["cleansed_customers"],
            deps=[dg.AssetKey("profiled_source"), dg.AssetKey("cohort_plan"), dg.AssetKey("reference_data")],
            gates=["profiled_source", "cohort_plan", "reference_data"],
            static_metadata={**entity_schema(entities), **same_columns(entities, "standardized_parties")},
        )
    ]


def _cleanse(call: StageCall) -> StageOutput:
    feeds = Mapping(call.engine, call.plan, call.cohort_rows(), call.as_of, shared=call.golden())
    notes = call.rows("cohort_plan", "party.notes")

    def standardized(entity: str) -> MappedFeed:
        return MappedFeed(call.rows("cohort_plan", f"party.{entity}"), notes.filter(notes["entity"] == entity))

    parties = Parties(standardized, call.global_rows("customer_identities", "identities"))
    made = cleanse_cohort(feeds, parties, call.upstream("reference_data"))
    written = write_stage(call.engine, made, lambda t: call.file("cleansed_customers", t))
    tables = {**call.files("reference_data"), **{t: call.file("cleansed_customers", t) for t in written}}
    metadata = {
        **row_counts(written, partitioned=True),
        **stage_account(call.engine, tables["notes"], tables["dispositions"]),
    }
    return StageOutput(tables, metadata, may_be_empty=call.may_be_empty(tables))
