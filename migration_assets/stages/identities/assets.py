"""`standardized_parties` and `customer_identities`: all parties in standard form, and who is who. Global."""

from __future__ import annotations

import dagster as dg

from migration_assets.engine.mapping import MappedFeed
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.identities.resolve import resolve_identities
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.lineage import entity_schema, mapping_lineage
from migration_assets.wiring.metadata import markdown_table, row_counts
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace


def specs(workspace: Workspace) -> list[StageSpec]:
    plan = workspace.plan
    parties = plan.entities_of("cleansed_customers")
    return [
        StageSpec(
            name="standardized_parties",
            group="prepare",
            description="Names, phones, e-mails, addresses and dates of all parties in standard form, cleaned once.",
            kinds=frozenset({"duckdb", "parquet"}),
            compute=_standardize,
            suite=workspace.suites["standardized_parties"],
            deps=[dg.AssetKey("golden_copy")],
            gates=["golden_copy"],
            by_cohort=False,
            static_metadata={**entity_schema(parties), **mapping_lineage(plan, parties)},
        ),
        StageSpec(
            name="customer_identities",
            group="prepare",
            description="Which customer rows, over all systems, are surely the same customer.",
            kinds=frozenset({"duckdb", "parquet"}),
            compute=_identify,
            suite=workspace.suites["customer_identities"],
            deps=[dg.AssetKey("standardized_parties")],
            gates=["standardized_parties"],
            by_cohort=False,
        ),
    ]


def _standardize(call: StageCall) -> StageOutput:
    feeds = Mapping(call.engine, call.plan, call.golden(), call.as_of)
    names = call.plan.entities_of("cleansed_customers")
    mapped: dict[str, MappedFeed] = {}
    for name in names:
        call.say(f"standardizing {name}")
        mapped[name] = feeds.entity(name)
    tables = {n: call.file("standardized_parties", n) for n in (*names, "notes")}
    written = {
        n: call.engine.write(m.rows, tables[n], order_by=["source_table", "source_row"]) for n, m in mapped.items()
    }
    notes = call.engine.union(m.notes for m in mapped.values())
    written["notes"] = call.engine.write(
        notes, tables["notes"], order_by=["entity", "source_table", "source_row", "field"]
    )
    metadata = {**row_counts(written, partitioned=False), **_changes(call, tables)}
    return StageOutput(tables, metadata, may_be_empty=call.may_be_empty(tables))


def _changes(call: StageCall, tables: dict) -> dict[str, object]:
    notes = call.engine.read(tables["notes"])
    counted = notes.group_by(["entity", "field", "rule", "action"]).aggregate(values=notes.count())
    rows = call.engine.arrow(counted.order_by(["entity", "field", "rule", "action"])).to_pylist()
    listed = [(f"{r['entity']}.{r['field']}", r["rule"], r["action"], r["values"]) for r in rows]
    return {"values touched, by rule": markdown_table(("field", "rule", "action", "values"), listed)}


def _identify(call: StageCall) -> StageOutput:
    customers = call.rows("standardized_parties", "customer")
    found = resolve_identities(call.engine, call.plan.file.identity, customers, call.golden())
    file = call.file("customer_identities", "identities")
    rows = call.engine.write(found, file, order_by=["customer_id"])
    kept = call.engine.read(file)
    sizes = kept.group_by("members").aggregate(rows=kept.count()).order_by("members")
    by_size = [(r["members"], r["rows"] // r["members"]) for r in call.engine.arrow(sizes).to_pylist()]
    metadata = {
        **row_counts({"identities": rows}, partitioned=False),
        "customers": sum(n for _, n in by_size),
        "rows merged into another": rows - sum(n for _, n in by_size),
        "identities by size": markdown_table(("rows of one customer", "customers"), by_size),
    }
    return StageOutput({"identities": file, "customer": call.file("standardized_parties", "customer")}, metadata)
