"""Fixtures of the reconciliation's tests: the tiny world of the load's tests, loaded into a target."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "load"))  # for target_world, which both folders share

from target_world import (
    Legacy,
    World,
    copy_of,
    legacy,
    order,
    products,
    template,
    tiny_plan,
    world,
)

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
def loaded_template(server: str) -> Iterator[str]:
    """A database with cohorts `pilot` (customers 1-6) and `wave_1` (11-16), to be copied."""
    with template(server) as (name, target), DuckDBEngine(memory_limit="1GB") as engine:
        plan = tiny_plan()
        apply_schema(target, desired_schema(plan))
        load_cohort(engine, target, plan, order("unassigned"), products(engine))
        load_cohort(engine, target, plan, order("pilot"), world().canonical(engine))
        load_cohort(engine, target, plan, order("wave_1"), world(range(11, 17)).canonical(engine))
        yield name


@pytest.fixture
def loaded(server: str, loaded_template: str) -> Iterator[tuple[PostgresTarget, World]]:
    """A loaded target of the test's own, and what its pilot should hold."""
    with copy_of(server, loaded_template) as copied:
        yield copied, world()


@pytest.fixture
def raw(engine: DuckDBEngine) -> Legacy:
    """The legacy rows the pilot came from."""
    return legacy(engine)
