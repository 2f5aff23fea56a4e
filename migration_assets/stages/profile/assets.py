"""`profiled_source`: what the sources hold for one cohort, and a report that a person would like to read."""

from __future__ import annotations

import dagster as dg

from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.models import Plan
from migration_assets.stages.profile.measure import profile_tables
from migration_assets.stages.profile.model import Profile, ProfiledTable, Reference
from migration_assets.stages.profile.report import Heading, html_report, markdown_summary
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.lineage import golden_copy_lineage
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace

TABLES = ("tables", "columns", "relationships", "findings")


def specs(workspace: Workspace) -> list[StageSpec]:
    return [
        StageSpec(
            name="profiled_source",
            group="migrate",
            description="Types, nulls, patterns, keys, relationships and the four dimensions of quality, by table.",
            kinds=frozenset({"duckdb"}),
            compute=_profile,
            suite=workspace.suites["profiled_source"],
            deps=[dg.AssetKey("cohort_plan")],
            gates=["golden_copy", "cohort_plan"],
            static_metadata=golden_copy_lineage(workspace.plan),
        )
    ]


def _profile(call: StageCall) -> StageOutput:
    profile = profile_tables(call.engine, _tables(call), rules=actions(call.plan), as_of=call.as_of)
    files = {name: call.file("profiled_source", name) for name in TABLES}
    for name, path in files.items():
        call.engine.write(call.engine.table(getattr(profile, name)), path)
    report = call.report("profile.html", html_report(profile, _heading(call)))
    metadata = {
        "dagster/partition_row_count": sum(profile.tables["rows"].to_pylist()),
        "tables": profile.tables.num_rows,
        "findings": profile.findings.num_rows,
        "orphans": _sum(profile, "orphans"),
        "summary": dg.MetadataValue.md(markdown_summary(profile)),
        "report": dg.MetadataValue.path(str(report)),
    }
    # A cohort may well have no finding, and a plan no references.
    return StageOutput(files, metadata, may_be_empty={"relationships", "findings"})


def _sum(profile: Profile, column: str) -> int:
    return sum(profile.relationships[column].to_pylist())


def _tables(call: StageCall) -> list[ProfiledTable]:
    """The source tables of the cohort; references point at the whole golden copy, whatever cohort a parent is in."""
    plan, golden = call.plan, call.workspace.store
    return [
        ProfiledTable(
            name=name,
            path=call.file("cohort_plan", name),
            key=declared.key,
            references=tuple(
                Reference(column, to, plan.source_table(to).key[0], golden.golden_file(call.snapshot, to))
                for column, to in declared.references.items()
                if len(plan.source_table(to).key) == 1
            ),
            personal=frozenset(declared.personal),
            home=declared.home,
            description=declared.description,
            updated_at=declared.updated_at,
        )
        for name, declared in plan.source_tables.items()
        if name in call.source_tables
    ]


def actions(plan: Plan) -> dict[tuple[str, str], str]:
    """What the pipeline does with each source column, in words, from the mapping itself."""
    said: dict[tuple[str, str], list[str]] = {}
    for row in plan.mapping:
        for column in row.columns:
            rejects = row.on_error == "reject" or ENTITIES[row.entity].field(row.field).takes_row_along
            verb = "or the row is rejected" if rejects else "or the value is set aside"
            words = f"rule `{row.rule}` makes {row.entity}.{row.field}, {verb}"
            said.setdefault((f"{row.system}.{row.table}", column), []).append(words)
    for rule in plan.file.exclusions:
        columns = [p.field for p in rule.where] + ([rule.stale.column] if rule.stale else [])
        for column in ("", *columns, *(rule.redundant.by if rule.redundant else ())):
            said.setdefault((rule.table, column), []).append(f"rows under `{rule.rule}` are excluded")
    return {place: "; ".join(dict.fromkeys(words)) for place, words in said.items()}


def _heading(call: StageCall) -> Heading:
    return Heading(call.plan.file.title, call.partition, call.snapshot, call.as_of.isoformat())
