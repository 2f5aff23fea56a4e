"""A plan written in code: the tables, feeds and rules a test names, and the least of everything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa

from migration_assets.domain.canonical import ENTITIES
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.catalog_models import Catalog, Product
from migration_assets.plan.models import (
    CohortRule,
    Cohorts,
    Feed,
    MappingRow,
    Plan,
    PlanFile,
    Target,
    TargetSchema,
    TargetTable,
)
from migration_assets.plan.source_models import Exclusion, SourceSystem, SourceTable

REST = CohortRule(name="base", wave=9, buckets=3)
CUSTOMERS_ONLY = {"accounts": TargetTable(entity="customer", columns={"id": "customer_id", "name": "name"})}


def plan_of(
    tables: Mapping[str, SourceTable],
    *,
    feeds: Iterable[Feed] = (),
    mapping: Iterable[MappingRow] = (),
    exclusions: Iterable[Exclusion] = (),
    cohorts: Iterable[CohortRule] = (REST,),
    target: Mapping[str, TargetTable] = CUSTOMERS_ONLY,
) -> Plan:
    """A plan of these source tables, each named `system.table`."""
    systems: dict[str, dict[str, SourceTable]] = {}
    for qualified, declared in tables.items():
        system, _, name = qualified.partition(".")
        systems.setdefault(system, {})[name] = declared
    file = PlanFile(
        name="coded",
        uuid=UUID("8f0f8a52-1111-4a05-8a9e-0f4f0e0a1c11"),
        title="Coded",
        owner="tests",
        sources={s: SourceSystem(kind="sql", database=f"legacy_{s}", tables=held) for s, held in systems.items()},
        target=Target(database="target"),
        exclusions=tuple(exclusions),
    )
    return Plan(
        folder=Path("plans/coded"),
        digest="d" * 64,
        file=file,
        feeds=tuple(feeds),
        mapping=tuple(mapping),
        codes={},
        catalog=Catalog(products=(Product(code="base", name="Base", kind="base"),)),
        geo=(),
        cohorts=Cohorts(cohorts=tuple(cohorts)),
        controls=(),
        target=TargetSchema(
            schema_name="billing",
            roles={"owner": "owner", "writer": "writer", "reader": "reader"},
            tables=dict(target),
        ),
    )


def table_of(entity: str | None, owner: str = "none", key: str = "id", **references: str) -> SourceTable:
    """A source table that this entity accounts for; `references`: column -> `system.table`."""
    return SourceTable(read_from="t", key=tuple(key.split()), home=entity, owner=owner, references=references)


def feed_of(name: str, entity: str, table: str, *unpivot: str) -> Feed:
    """A feed of every row of `system.table`."""
    system, _, bare = table.partition(".")
    return Feed(feed=name, entity=entity, system=system, table=bare, unpivot=unpivot, reason="As agreed.")


def field_of(feed: Feed, field: str, columns: str, rule: str, on_error: str = "", **arguments: Any) -> MappingRow:
    """How one field of a feed gets its value; `columns` are separated by spaces."""
    return MappingRow(
        entity=feed.entity, feed=feed.feed, field=field, system=feed.system, table=feed.table,
        columns=tuple(columns.split()), rule=rule, arguments=arguments, on_error=on_error, status="CONFIRMED",
        direction="to_target", system_of_record=feed.system, owner="tests",
        sensitivity=ENTITIES[feed.entity].field(field).sensitivity, reason="As agreed.",
    )  # fmt: skip


def constants_of(feed: Feed, **values: Any) -> list[MappingRow]:
    """Fields of a feed that have the same value in every row."""
    return [field_of(feed, field, "", "constant", value=value) for field, value in values.items()]


def raw_rows(engine: DuckDBEngine, *rows: Mapping[str, Any], columns: Iterable[str] = (), **types: pa.DataType) -> Any:
    """Rows of a source table as the golden copy has them, numbered from one; columns are text unless `types` says.

    `columns` are there even when no row names them.
    """
    named = dict.fromkeys([*columns, *(c for row in rows for c in row), *types], pa.string())
    numbered = [{"_row": n, **row} for n, row in enumerate(rows, start=1)]
    schema = pa.schema([("_row", pa.int64()), *(named | types).items()])
    return engine.table(pa.Table.from_pylist(numbered, schema=schema))
