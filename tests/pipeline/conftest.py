"""The migrations that the tests of this folder look at; each costs a minute.

Acme's is run once a session. The small one is run for each file of tests that asks for it: they change its plan, its
source and its target, and none may depend on what another has left behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from telco_rows import telco_rows, write_telco
from world import World, add_plan, filled_with, make_root, opened

from migration_assets.demo import Legacy, generate
from migration_assets.demo.world import DEFAULT_RATES
from migration_assets.wiring.results import Summary

ACME_COHORTS = """cohorts:
  - {name: pilot, wave: 0, where: [{field: segment, op: eq, value: small}], limit: 20, description: First.}
  - {name: rest, wave: 1, buckets: 1, description: Everybody else.}
"""
TELCO_COHORTS = """cohorts:
  - {name: pilot, wave: 0, where: [{field: status, op: eq, value: active}], limit: 10, description: First.}
  - {name: base, wave: 1, buckets: 1, description: Everybody else.}
"""


@pytest.fixture(scope="session")
def server(own_server: str) -> str:
    """Databases are named after plans here: two workers on one server would write into one Acme."""
    return own_server


@pytest.fixture(scope="session")
def legacy() -> Legacy:
    """Acme with every defect; so few customers that some kinds need a higher rate to be there at all."""
    return generate(120, seed=7, messy={**DEFAULT_RATES, "test_account": 0.02, "erased": 0.02})


@pytest.fixture(scope="session")
def acme(server: str, legacy: Legacy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Acme's plan with two cohorts; its legacy systems are filled, nothing has run."""
    root = make_root(tmp_path_factory.mktemp("acme"))
    add_plan(root, "acme", "acme", ACME_COHORTS)

    with opened(root, "acme", server, before=filled_with(legacy)) as world:
        yield world


@pytest.fixture(scope="session")
def acme_run(acme: World) -> Summary:
    return acme.migrate()


@pytest.fixture(scope="module")
def telco_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_telco(tmp_path_factory.mktemp("telco") / "customers.csv", telco_rows())


@pytest.fixture(scope="module")
def small(server: str, telco_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The telco plan, under the name `small`, on 60 made-up customers; nothing has run."""
    root = make_root(tmp_path_factory.mktemp("small"))
    add_plan(root, "telco", "small", TELCO_COHORTS)
    with opened(root, "small", server, {"TELCO_CSV": str(telco_csv)}) as world:
        yield world


@pytest.fixture(scope="module")
def small_dry_run(small: World) -> tuple[Summary, int]:
    """A dry run on a target that has never held a row, and how many rows its tables and record held afterwards."""
    done = small.migrate(dry_run="true")
    tables = small.target("select schemaname, tablename from pg_tables where schemaname in ('telecom', 'cutover')")
    assert len(tables) > 5, "we looked at the right place"
    held = [small.target(f'select count(*) from "{schema}"."{table}"') for schema, table in tables]
    return done, sum(count for ((count,),) in held)


@pytest.fixture(scope="module")
def small_run(small: World, small_dry_run: tuple[Summary, int]) -> Summary:
    return small.migrate()
