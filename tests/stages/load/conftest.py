"""Fixtures of the load's tests: an engine, and a target on the real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from target_world import copy_of, order, products, template, tiny_plan

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.schema import desired_schema


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(memory_limit="1GB") as engine:
        yield engine


@pytest.fixture
def empty_target(database: str) -> PostgresTarget:
    return PostgresTarget(database)


@pytest.fixture(scope="session")
def catalog_template(server: str) -> Iterator[str]:
    """A database with the tiny plan's schema and catalog, to be copied."""
    with template(server) as (name, target), DuckDBEngine(memory_limit="1GB") as engine:
        plan = tiny_plan()
        apply_schema(target, desired_schema(plan))
        load_cohort(engine, target, plan, order("unassigned"), products(engine))
        yield name


@pytest.fixture
def target(server: str, catalog_template: str) -> Iterator[PostgresTarget]:
    """A target of the test's own with the tiny plan's schema and its catalog."""
    with copy_of(server, catalog_template) as copied:
        yield copied
