"""Made-up histories: customers merge, part, vanish, come back and change cohort; then cohorts are taken back.

Whatever was loaded meanwhile: a rollback leaves rows of the cohorts that stand as they are, or says who stands in the
way; and when all that were loaded in a history are taken back, last one first, the target is empty again. A failing
case prints its seed.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from taken_world import ask, content, take_back
from target_world import PostgresTarget

from migration_assets.domain.errors import TargetRefused
from migration_assets.engine.duckdb import DuckDBEngine

sys.path.insert(0, str(Path(__file__).parents[1] / "load"))

from test_parting import COHORTS, Player, State, load_in_turn, made_up

MOVING = [c for c in COHORTS if c != "unassigned"]


def loaded_cohorts(target: PostgresTarget) -> list[str]:
    """Cohorts with loads that stand, the one loaded last first."""
    query = (
        "SELECT cohort FROM cutover.load_ledger WHERE load_id NOT IN (SELECT load_id FROM cutover.taken_back UNION "
        "SELECT rollback_id FROM cutover.taken_back) GROUP BY 1 ORDER BY max(load_id) DESC"
    )
    return [c for (c,) in ask(target, query) if c != "unassigned"]


def rows_of_others(target: PostgresTarget, cohort: str) -> list[tuple[str, str]]:
    """Whole rows of the target that the crosswalk has for other cohorts which stand."""
    standing = [c for c in loaded_cohorts(target) if c != cohort] or ["none"]
    found = []
    for entity, table, key in (
        ("customer", "customers", "customer_id"),
        ("subscription", "subscriptions", "subscription_id"),
        ("subscription_item", "subscription_items", "item_id"),
    ):
        found += ask(
            target,
            f"SELECT '{table}', t::text FROM billing.{table} t JOIN cutover.crosswalk x ON x.target_id = t.{key} "
            f"WHERE x.entity = '{entity}' AND x.status = 'loaded' AND x.cohort = ANY(ARRAY{standing!r}) ORDER BY 2",
        )
    return found


def record_is_whole(target: PostgresTarget) -> bool:
    """Whether crosswalk and tables name the same rows."""
    query = (
        "SELECT count(*) FROM (SELECT target_id FROM cutover.crosswalk WHERE entity = 'customer' "
        "AND status = 'loaded') x FULL JOIN billing.customers c ON c.customer_id = x.target_id "
        "WHERE c.customer_id IS NULL OR x.target_id IS NULL"
    )
    return ask(target, query) == [(0,)]


def play(engine: DuckDBEngine, target: PostgresTarget, seed: int) -> None:
    chance, player = random.Random(seed), Player(engine, target)
    empty = content(target)
    state = made_up(chance)
    for step in range(4):
        state = made_up(chance) if step else state
        some = chance.sample(MOVING, chance.randint(1, len(MOVING)))
        load_in_turn(player, state, some)
        if chance.random() < 0.5 and (there := loaded_cohorts(target)):
            back = chance.choice(there)
            others, before = rows_of_others(target, back), content(target)
            try:
                take_back(target, back)
            except TargetRefused as refused:
                assert "nothing was written" in str(refused), f"seed {seed}: {refused}"
                assert content(target) == before, f"seed {seed}"
                continue
            assert record_is_whole(target), f"seed {seed}: record and rows differ after taking {back} back"
            kept = set(rows_of_others(target, back))
            changed = [r for r in others if r not in kept]
            # What was led in a row of another cohort is led back; that is told, and the cohort is loaded again.
            assert all(table != "subscription_items" for table, _ in changed), f"seed {seed}: {changed}"
    remaining = loaded_cohorts(target)
    if remaining:
        take_back(target, *remaining)
    assert record_is_whole(target), f"seed {seed}"
    found = content(target)
    assert found == empty, f"seed {seed}: rows are left over"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_happened_all_can_be_taken_back(engine: DuckDBEngine, target: PostgresTarget, seed: int) -> None:
    play(engine, target, seed)


def test_one_that_comes_back_leaves_its_heir_the_id_also_after_a_rollback(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    """Found by tests/faults/test_states_of_the_plan.py: the id kept for it had been given to its heir since."""
    player, pilot = Player(engine, target), {1: "pilot", 2: "pilot"}
    player.load(State({1: 1, 2: 2}, pilot, {}), "pilot")
    player.load(State({1: 2, 2: 2}, {2: "pilot"}, {}), "pilot")
    take_back(target, "pilot")
    player.load(State({1: 1}, {1: "pilot"}, {}), "pilot")
    had = player.ids()[1]
    player.load(State({1: 1, 2: 2}, pilot, {}), "pilot")
    assert player.ids()[1] == had
    assert len(set(player.ids().values())) == 2


def test_the_id_that_is_given_again_is_the_last_one_that_it_had(engine: DuckDBEngine, target: PostgresTarget) -> None:
    """Found by tests/faults/test_states_of_the_plan.py: an id kept at an earlier rollback was given instead."""
    player, parted = Player(engine, target), State({1: 1, 4: 4}, {1: "pilot", 4: "late"}, {})
    player.load(State({1: 3, 3: 3}, {3: "pilot"}, {}), "pilot")
    take_back(target, "pilot")
    player.load(parted, "pilot")
    player.load(parted, "late")
    player.load(State({1: 4, 4: 4}, {4: "late"}, {}), "late")
    player.load(State({1: 4, 4: 4}, {4: "late"}, {}), "pilot")
    player.load(parted, "pilot")
    had = player.ids()[1]
    take_back(target, "pilot", "late")
    player.load(parted, "pilot")
    assert player.ids()[1] == had


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(100, 150))
def test_fifty_histories_can_be_taken_back(engine: DuckDBEngine, target: PostgresTarget, seed: int) -> None:
    play(engine, target, seed)
