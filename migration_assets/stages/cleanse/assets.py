"""`cleansed_customers`: the cohort's canonical parties, and what is told of them beyond what the sources say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from migration_assets.engine.mapping import MappedFeed
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.canonical import write_stage
from migration_assets.stages.cleanse.cohort import Cleansed, Parties, cleanse_cohort
from migration_assets.stages.cleanse.enrich import enriched
from migration_assets.stages.cleanse.kept_answers import KeptAnswers
from migration_assets.stages.cleanse.services import cleaners, opened_services, rules_table
from migration_assets.stages.feeds import Mapping
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.lineage import entity_schema, same_columns
from migration_assets.wiring.metadata import markdown_table, row_counts, stage_account
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine


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
            static_metadata={
                **entity_schema(entities),
                **same_columns(entities, "standardized_parties", workspace.plan.enrichment),
            },
        )
    ]


def _cleanse(call: StageCall) -> StageOutput:
    feeds = Mapping(call.engine, call.plan, call.cohort_rows(), call.as_of, call.golden())
    notes = call.rows("cohort_plan", "party.notes")

    def standardized(entity: str) -> MappedFeed:
        return MappedFeed(call.rows("cohort_plan", f"party.{entity}"), notes.filter(notes["entity"] == entity))

    identities = call.global_rows("customer_identities", "identities")
    parties = Parties(standardized, identities, tells_of_lost=call.partition == UNASSIGNED)
    made = cleanse_cohort(feeds, parties, call.upstream("reference_data"))
    told = _enrich(call, made)
    written = write_stage(call.engine, made, lambda t: call.file("cleansed_customers", t))
    for table, (rows, order) in made.beside.items():
        call.engine.write(rows, call.file("cleansed_customers", table), order_by=order)
    for table, rows in told.items():
        call.engine.write(rows, call.file("cleansed_customers", table), order_by=rows.columns[:3])
    ours = (*written, *made.beside, *told)
    tables = {**call.files("reference_data"), **{t: call.file("cleansed_customers", t) for t in ours}}
    metadata = {
        **row_counts(written, partitioned=True),
        **stage_account(call.engine, tables["notes"], tables["dispositions"]),
        **_who_won(call.rows("cleansed_customers", "survivors"), call.engine),
        **_undecided(call.rows("cleansed_customers", "conflicts"), call.engine),
        **_agreed(call.rows("cleansed_customers", "consent_states"), call.engine),
        **_values_added(call, tables["enrichment_rules"]),
    }
    # A plan need not add any value.
    return StageOutput(tables, metadata, may_be_empty={*call.may_be_empty(tables), *told})


def _who_won(rows: ir.Table, engine: DuckDBEngine) -> dict[str, Any]:
    by = ["field", "strategy", "source_system"]
    counted = rows.group_by(by).aggregate(
        values=rows.count(), differed=(rows["distinct_values"] > 1).sum(), rows=rows["candidates"].sum()
    )
    listed = engine.arrow(counted.order_by(by)).to_pylist()
    return {
        "who won, by field and rule": markdown_table(
            ("field", "rule", "value of", "values", "where rows differ", "rows asked"),
            [
                (r["field"], r["strategy"], r["source_system"] or "several", r["values"], r["differed"], r["rows"])
                for r in listed
            ],
        )
    }


def _undecided(rows: ir.Table, engine: DuckDBEngine) -> dict[str, Any]:
    """The greatest first: by how many customers, then by the money between highest and lowest, per currency."""
    by = ["field", "reason", "currency"]
    counted = rows.group_by(by).aggregate(customers=rows.count(), apart=rows["difference_minor"].sum())
    ranked = counted.order_by([counted["customers"].desc(), counted["apart"].desc(nulls_first=False), *by])
    listed = [[r[c] for c in (*by, "customers", "apart")] for r in engine.arrow(ranked).to_pylist()]
    return {
        "values nobody has decided": sum(n for *_, n, _ in listed),
        "what nobody has decided": markdown_table(
            ("field", "why", "currency", "customers", "minor units between"),
            [(f, why, currency or "", n, "" if apart is None else int(apart)) for f, why, currency, n, apart in listed],
        ),
    }


def _agreed(rows: ir.Table, engine: DuckDBEngine) -> dict[str, Any]:
    by = ["purpose", "channel", "allowed", "because"]
    listed = engine.arrow(rows.group_by(by).aggregate(n=rows.count()).order_by(by)).to_pylist()
    return {
        "what was agreed to": markdown_table(
            ("purpose", "channel", "allowed", "because", "customers and contacts"),
            [(r["purpose"], r["channel"], "yes" if r["allowed"] else "no", r["because"], r["n"]) for r in listed],
        )
    }


def _enrich(call: StageCall, made: Cleansed) -> dict[str, ir.Table]:
    """Put what the plan's rules tell into the rows; returns what is recorded of it, as tables of this stage."""
    environment, store = call.workspace.environment, call.workspace.store
    kept = KeptAnswers(store.enrichment_answers, call.snapshot, call.partition, environment.answers_key)
    with opened_services(call.plan, kept, environment.variables, trial=call.is_dry_run) as services:
        found = enriched(call.engine, call.plan, made.rows, call.as_of, cleaners(services))
        made.rows.update(found.rows)
        rules = call.engine.table(rules_table(found.rules, services))
        return {"enrichments": call.engine.cached(found.values), "enrichment_rules": rules}


def _values_added(call: StageCall, rules: Path) -> dict[str, object]:
    """How many values each rule added and on whose word; of services, what became of questions, 4xx and 5xx apart."""
    found = call.engine.arrow(call.engine.read(rules)).to_pylist()
    told = ("entity", "field", "rule", "source", "confidence", "lawful_basis", "lacking", "told", "refused")
    asked = ("rule", "kept", "answered", "unknown", "client_error", "server_error", "unreachable", "unreadable")
    services = [[r[c] for c in (*asked, "not_asked")] for r in found if r["is_service"]]
    metadata: dict[str, object] = {"values added": sum(r["told"] for r in found)}
    if found:
        metadata["values added, by rule"] = markdown_table(told, [[r[c] for c in told] for r in found])
    if services:
        metadata["questions to services"] = markdown_table((*asked, "not asked"), services)
        metadata["service answers 4xx"] = sum(r["client_error"] for r in found)
        metadata["service answers 5xx"] = sum(r["server_error"] for r in found)
    return metadata
