"""The loaded target of the load's and the reconciliation's tests, for what is read back from it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "load"))  # for target_world

from target_world import copy_of, order, products, template, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.schema import desired_schema


@pytest.fixture(scope="module")
def loaded(server: str) -> Iterator[PostgresTarget]:
    """Cohorts `pilot` (customers 1-6) and `wave_1` (11-16), for the tests of one file."""
    with template(server) as (name, target), DuckDBEngine(memory_limit="1GB") as engine:
        apply_schema(target, desired_schema(tiny_plan()))
        load_cohort(engine, target, tiny_plan(), order("unassigned"), products(engine))
        load_cohort(engine, target, tiny_plan(), order("pilot"), world().canonical(engine))
        load_cohort(engine, target, tiny_plan(), order("wave_1"), world(range(11, 17)).canonical(engine))
        with copy_of(server, name) as copied:
            yield copied
