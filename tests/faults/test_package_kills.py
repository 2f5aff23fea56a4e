"""kill -9 amid the packages of a large cohort: readers see nothing of it or all, and the next run goes on."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from faulty_world import COHORT, STEPS, State, World, differences, opened_world
from forked import KILLED, forked
from psycopg import sql
from steps import Kill, run_steps
from world import change

pytestmark = pytest.mark.pipeline
PACKAGE = 100
_BEFORE, _LOAD = STEPS[:-3], STEPS[-3:-2]
CASES = [pytest.param(0, id="seed 0")] + [
    pytest.param(seed, id=f"seed {seed}", marks=pytest.mark.faults) for seed in range(1, 20)
]


@pytest.fixture(scope="module")
def packed(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All is ready to be loaded, in packages."""
    name = f"packed_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with opened_world(tmp_path_factory.mktemp("packed"), server, name) as world:
        plan = world.environment.plan_folder / "plan.yaml"
        change(plan, "  database: target\n", f"  database: target\n  package_rows: {PACKAGE}\n")
        ended = forked(run_steps, world.environment, _BEFORE)
        assert [said for said in ended.said if said[0] == "failed"] == []
        world.keep()
        yield world


@dataclass(frozen=True)
class Packages:
    """What the load ends with when nothing happens to it, how many effects it has, and what readers then see."""

    rows: State
    effects: int
    shown: dict[str, int]
    number: int


@pytest.fixture(scope="module")
def undisturbed_packages(packed: World) -> Packages:
    packed.back()
    ended = forked(run_steps, packed.environment, _LOAD)
    (word, asset, _, effects) = ended.said[-1]
    assert (_LOAD, word, asset) == ((("loaded_target", COHORT),), "done", "loaded_target")
    return Packages(packed.rows(), effects, shown(packed), packages(packed))


def shown(world: World) -> dict[str, int]:
    """Rows that a reader sees, of each table of the target that has rows of customers."""
    with psycopg.connect(world.environment.database("target").replace("+psycopg", "")) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_policies WHERE policyname = 'cutover_shown' ORDER BY 2"
        ).fetchall()
        role = sql.Identifier(f"{world.environment.plan}_reader")
        connection.execute(sql.SQL("SET ROLE {}").format(role))
        count = sql.SQL("SELECT count(*) FROM {}")
        found = {t: connection.execute(count.format(sql.Identifier(s, t))).fetchone() for s, t in tables}
    return {table: row[0] for table, row in found.items() if row}


def packages(world: World) -> int:
    with psycopg.connect(world.environment.database("target").replace("+psycopg", "")) as connection:
        query = "SELECT count(DISTINCT load_id) FROM cutover.load_ledger WHERE cohort = %s"
        row = connection.execute(query, [COHORT]).fetchone()
    return row[0] if row else 0


@pytest.mark.parametrize("seed", CASES)
def test_a_load_that_is_killed_amid_its_packages_is_gone_on_with(
    packed: World, undisturbed_packages: Packages, seed: int
) -> None:
    usual, dice = undisturbed_packages, random.Random(seed)
    assert usual.number > 2 and sum(usual.shown.values()) > 2 * PACKAGE
    packed.back()
    for _ in range(2):
        kill = Kill("loaded_target", effect=dice.randint(1, usual.effects))
        ended = forked(run_steps, packed.environment, _LOAD, kill)
        assert ended.code == KILLED or ended.said[-1][0] == "done", ended.said
        # Of the packages that are in, readers see nothing before the last one.
        seen, there = shown(packed), packages(packed)
        assert seen == (usual.shown if there == usual.number else dict.fromkeys(usual.shown, 0)), f"{kill}, {there}"
    ended = forked(run_steps, packed.environment, _LOAD)
    assert ended.said[-1][0] == "done", ended.said[-1]
    assert differences(packed.rows(), usual.rows) == []
    assert shown(packed) == usual.shown and packed.left_over() == []
