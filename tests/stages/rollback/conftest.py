"""Fixtures of the rollback's tests: the tiny world of the load's tests, on the real server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "load"))  # for target_world, which both folders share

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
    with copy_of(server, catalog_template) as copied:
        yield copied
