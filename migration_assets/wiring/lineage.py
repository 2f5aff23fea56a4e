"""Column schema and column lineage, made from the plan's own files, so that a picture cannot drift from the code.

An asset of ours holds several tables; a column is written `<table>.<column>`. The chain runs
legacy table -> golden_copy -> canonical entity -> target table.
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.enrichment_models import EnrichmentRule
from migration_assets.plan.entries import place_in_source
from migration_assets.plan.lookups import place_of
from migration_assets.plan.models import MappingRow, Plan
from migration_assets.stages.load.schema import canonical_field
from migration_assets.wiring.metadata import markdown_table

SCHEMA = "dagster/column_schema"
LINEAGE = "dagster/column_lineage"
# The same as a table that people can read.
ORIGINS = "where each column comes from"

# What the derived entity is made of: field -> (entity, field) it comes from.
_ENTITLEMENT = {
    "entitlement_id": [("subscription_item", "item_id"), ("entitlement_override", "override_id")],
    "customer_id": [("subscription", "customer_id"), ("entitlement_override", "customer_id")],
    "subscription_id": [("subscription_item", "subscription_id")],
    "feature_code": [
        ("subscription_item", "product_code"),
        ("scheduled_change", "new_plan_code"),
        ("entitlement_override", "feature_code"),
    ],
    "region": [("subscription", "service_country"), ("entitlement_override", "region")],
    "starts_at": [
        ("subscription", "starts_at"),
        ("subscription_item", "starts_at"),
        ("scheduled_change", "effective_at"),
        ("entitlement_override", "starts_at"),
    ],
    "ends_at": [
        ("subscription", "ends_at"),
        ("subscription_item", "ends_at"),
        ("scheduled_change", "effective_at"),
        ("entitlement_override", "ends_at"),
    ],
    "limit_kind": [("entitlement_override", "limit_kind")],
    "limit_units": [
        ("subscription_item", "quantity"),
        ("scheduled_change", "new_quantity"),
        ("entitlement_override", "limit_units"),
    ],
    "granted_by": [("subscription_item", "kind")],
}


def table_key(qualified: str) -> dg.AssetKey:
    """Asset key of a legacy table, `system.table`."""
    system, _, table = qualified.partition(".")
    return dg.AssetKey([system, table])


def legacy_columns(plan: Plan) -> dict[str, list[str]]:
    """Columns of each legacy table that the plan names, in alphabetical order; secret ones left out."""
    named: dict[str, set[str]] = {t: set() for t, declared in plan.source_tables.items() if declared.split is None}
    for table, columns in copied_columns(plan).items():
        for column in columns:
            there, name = place_in_source(plan, table, column)
            named[there].add(name)
    return {t: sorted(columns) for t, columns in named.items()}


def copied_columns(plan: Plan) -> dict[str, list[str]]:
    """The same of each table of the golden copy, with those that are made of entries of a text."""
    named: dict[str, set[str]] = {}
    for table, declared in plan.source_tables.items():
        stamp = {declared.updated_at} if declared.updated_at else set()
        named[table] = {*declared.key, *declared.references} | stamp
    for row in plan.mapping:
        for table, column in _read_by(plan, row):
            named[table].add(column)
    for feed in plan.feeds:
        named[f"{feed.system}.{feed.table}"] |= set(feed.unpivot)
    return {t: sorted(columns - set(plan.source_table(t).secret)) for t, columns in named.items()}


def _read_by(plan: Plan, row: MappingRow) -> list[tuple[str, str]]:
    """Table and column of every raw column that a mapping row reads, over references if need be."""
    return [place_of(plan, f"{row.system}.{row.table}", c) for c in row.columns if not c.startswith("_")]


def legacy_tables(plan: Plan) -> list[dg.AssetSpec]:
    """The legacy tables as external assets: lineage starts at the old systems."""
    specs = []
    for qualified, declared in plan.source_tables.items():
        if declared.split is not None:
            continue
        system = qualified.partition(".")[0]
        personal = set(declared.personal)
        columns = [
            dg.TableColumn(name=c, tags={"personal": ""} if c in personal else {})
            for c in legacy_columns(plan)[qualified]
        ]
        specs.append(
            dg.AssetSpec(
                key=table_key(qualified),
                group_name=f"legacy_{system}",
                description=declared.description or f"Table {declared.read_from} of {system}.",
                kinds={"postgres" if plan.file.sources[system].kind == "sql" else plan.file.sources[system].kind},
                owners=["team:migration"],
                metadata={SCHEMA: dg.TableSchema(columns=columns)},
            )
        )
    return specs


def golden_copy_lineage(plan: Plan) -> dict[str, object]:
    """golden_copy and profiled_source: each column comes from the legacy column of its name, or from the text that its
    entries stand in."""
    deps = {
        f"{table}.{column}": [_from_source(plan, table, column)]
        for table, columns in copied_columns(plan).items()
        for column in columns
    }
    return {LINEAGE: dg.TableColumnLineage(deps_by_column=deps)}


def _from_source(plan: Plan, table: str, column: str) -> dg.TableColumnDep:
    there, name = place_in_source(plan, table, column)
    return dg.TableColumnDep(asset_key=table_key(there), column_name=name)


def entity_schema(entities: Iterable[str]) -> dict[str, object]:
    """Columns of canonical entities with type, description and a tag on personal ones."""
    columns = [
        dg.TableColumn(
            name=f"{name}.{f.name}",
            type=f.type,
            description=f.description,
            constraints=dg.TableColumnConstraints(nullable=not f.required, unique=f.type == "key"),
            tags={"personal": ""} if f.sensitivity == "personal" else {},
        )
        for name in entities
        for f in ENTITIES[name].fields
    ]
    return {SCHEMA: dg.TableSchema(columns=columns)}


def mapping_lineage(plan: Plan, entities: Iterable[str]) -> dict[str, object]:
    """Canonical columns and the golden-copy columns their mapping rows read; keys come from the table's key."""
    wanted = set(entities)
    deps: dict[str, list[dg.TableColumnDep]] = {}
    golden = dg.AssetKey("golden_copy")
    for row in (r for r in plan.mapping if r.entity in wanted):
        feed = next(f for f in plan.feeds if f.feed == row.feed)
        columns = set(_read_by(plan, row))
        if any(c.startswith("_") for c in row.columns):
            columns |= {(f"{row.system}.{row.table}", c) for c in feed.unpivot}
        sources = [dg.TableColumnDep(golden, f"{table}.{c}") for table, c in sorted(columns)]
        deps.setdefault(f"{row.entity}.{row.field}", []).extend(sources)
    for feed in (f for f in plan.feeds if f.entity in wanted):
        table = f"{feed.system}.{feed.table}"
        key = f"{feed.entity}.{ENTITIES[feed.entity].key.name}"
        deps.setdefault(key, []).extend(dg.TableColumnDep(golden, f"{table}.{c}") for c in plan.source_table(table).key)
    if "subscription_item" in wanted:
        deps |= _entitlement_lineage(wanted)
    unique = {column: list(dict.fromkeys(found)) for column, found in deps.items()}
    return {LINEAGE: dg.TableColumnLineage(deps_by_column=unique), ORIGINS: _readable(unique)}


def _readable(deps: dict[str, list[dg.TableColumnDep]]) -> dg.MarkdownMetadataValue:
    """Lineage by column as a table: Dagster's open-source UI keeps it and does not draw it."""
    rows = [
        (column, ", ".join(f"{d.asset_key.to_user_string()} {d.column_name}" for d in found) or "a rule or a constant")
        for column, found in deps.items()
    ]
    return markdown_table(("column", "comes from"), rows)


def _entitlement_lineage(entities: set[str]) -> dict[str, list[dg.TableColumnDep]]:
    own = dg.AssetKey("transformed_entitlements")
    return {
        f"entitlement.{name}": [dg.TableColumnDep(own, f"{e}.{f}") for e, f in origin if e in entities]
        for name, origin in _ENTITLEMENT.items()
    }


def same_columns(
    entities: Iterable[str], upstream: str, enrichment: Iterable[EnrichmentRule] = ()
) -> dict[str, object]:
    """Each canonical column comes from the column of the same name one stage earlier, and from what a rule reads that
    fills it where it is missing."""
    deps = {
        f"{name}.{f.name}": [dg.TableColumnDep(dg.AssetKey(upstream), f"{name}.{f.name}")]
        for name in entities
        for f in ENTITIES[name].fields
    }
    for rule in enrichment:
        read = [dg.TableColumnDep(dg.AssetKey(upstream), f"{rule.reads_of or rule.entity}.{f}") for f in rule.reads]
        deps[f"{rule.entity}.{rule.field}"] += read
    return {LINEAGE: dg.TableColumnLineage(deps_by_column=deps), ORIGINS: _readable(deps)}


def target_lineage(plan: Plan) -> dict[str, object]:
    """Target columns, each from the canonical field that target.yaml names."""
    deps, columns = {}, []
    for table, declared in plan.target.tables.items():
        entity = ENTITIES[declared.entity]
        for column, field in declared.columns.items():
            deps[f"{table}.{column}"] = [dg.TableColumnDep(dg.AssetKey(entity.stage), f"{declared.entity}.{field}")]
            described = canonical_field(entity, field)
            columns.append(dg.TableColumn(f"{table}.{column}", type=described.type, description=described.description))
    return {
        LINEAGE: dg.TableColumnLineage(deps_by_column=deps),
        ORIGINS: _whole_way(plan),
        SCHEMA: dg.TableSchema(columns=columns),
    }


def _whole_way(plan: Plan) -> dg.MarkdownMetadataValue:
    """Each target column, the canonical field it holds and the legacy columns that field is made from."""
    sources: dict[tuple[str, str], list[str]] = {}
    for row in plan.mapping:
        found = (".".join(place_in_source(plan, *place)) for place in _read_by(plan, row))
        sources.setdefault((row.entity, row.field), []).extend(found)
    rows = [
        (
            f"{table}.{column}",
            f"{declared.entity}.{field}",
            ", ".join(dict.fromkeys(sources.get((declared.entity, field), []))),
        )
        for table, declared in plan.target.tables.items()
        for column, field in declared.columns.items()
    ]
    return markdown_table(("target column", "canonical field", "legacy columns"), rows)
