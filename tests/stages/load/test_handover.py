"""The record of a customer that changed cohort moves with all that is theirs, and nothing else in the record moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from target_world import membership, order, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.changes import Changes
from migration_assets.stages.load.handover import Handover

# Each customer with its subscription, two items and an entitlement.
OF_ONE_CUSTOMER = 5
PLANNED = frozenset({"pilot", "base", "late"})


@pytest.fixture
def loaded(engine: DuckDBEngine, target: PostgresTarget) -> PostgresTarget:
    """Customers 1 and 2 were loaded with the pilot, 11 and 12 with the base."""
    load_cohort(engine, target, tiny_plan(), order("pilot"), world(range(1, 3)).canonical(engine))
    load_cohort(engine, target, tiny_plan(), order("base"), world(range(11, 13)).canonical(engine))
    return target


def handed(
    engine: DuckDBEngine, target: PostgresTarget, folder: Path, cohort: str, now: Mapping[str | None, Iterable[int]]
) -> int:
    """Rows of the record that a load of `cohort` hands over when these customers are in these cohorts."""
    with target.transaction() as connection:
        who = membership(engine, now, planned=PLANNED)
        changes = Changes(connection, 99)
        changes.begin()
        handover = Handover(engine, connection, tiny_plan(), cohort, who, folder, changes)
        assert engine.count(handover.settle()) == 0, "nobody bears another's id"
        return handover.moved


def record(target: PostgresTarget) -> dict[tuple[str, str], set[str]]:
    """Source ids of what each cohort has: (cohort, entity) -> ids."""
    found: dict[tuple[str, str], set[str]] = {}
    with target.transaction() as c:
        for cohort, entity, key in c.execute("SELECT cohort, entity, source_id FROM cutover.crosswalk").fetchall():
            found.setdefault((cohort, entity), set()).add(key)
    return found


def versions(target: PostgresTarget) -> list[Any]:
    """Which version of each row of the record there is; a row that is written again is another one."""
    with target.transaction() as c:
        return c.execute("SELECT target_id, xmin, ctid FROM cutover.crosswalk ORDER BY entity, target_id").fetchall()


@pytest.mark.parametrize("cohort", ["pilot", "base"])
def test_when_nobody_moved_nothing_is_written(
    engine: DuckDBEngine, loaded: PostgresTarget, tmp_path: Path, cohort: str
) -> None:
    before = versions(loaded)
    assert handed(engine, loaded, tmp_path, cohort, {"pilot": (1, 2), "base": (11, 12)}) == 0
    assert versions(loaded) == before


@pytest.mark.parametrize("cohort", ["pilot", "base"])
def test_one_that_leaves_or_comes_takes_everything_along_whichever_cohort_is_loaded(
    engine: DuckDBEngine, loaded: PostgresTarget, tmp_path: Path, cohort: str
) -> None:
    moved = handed(engine, loaded, tmp_path, cohort, {"pilot": (1,), "base": (2, 11, 12)})
    assert moved == OF_ONE_CUSTOMER
    has = record(loaded)
    assert has["pilot", "customer"] == has["pilot", "subscription"] == {"1"}
    assert has["base", "customer"] == has["base", "subscription"] == {"2", "11", "12"}
    assert has["pilot", "subscription_item"] == {"11", "12"}, "items 11 and 12 are those of customer 1"
    assert has["base", "subscription_item"] == {"21", "22", "111", "112", "121", "122"}
    assert has["pilot", "entitlement"] == {"1/seats/0"}
    assert handed(engine, loaded, tmp_path, cohort, {"pilot": (1,), "base": (2, 11, 12)}) == 0, "it has moved already"


def test_two_that_change_places_move_both_ways_in_one_load(
    engine: DuckDBEngine, loaded: PostgresTarget, tmp_path: Path
) -> None:
    assert handed(engine, loaded, tmp_path, "pilot", {"pilot": (1, 11), "base": (2, 12)}) == 2 * OF_ONE_CUSTOMER
    has = record(loaded)
    assert (has["pilot", "customer"], has["base", "customer"]) == ({"1", "11"}, {"2", "12"})


def test_a_move_between_two_other_cohorts_is_left_to_them(
    engine: DuckDBEngine, loaded: PostgresTarget, tmp_path: Path
) -> None:
    before = versions(loaded)
    assert handed(engine, loaded, tmp_path, "pilot", {"pilot": (1, 2), "base": (11,), "late": (12,)}) == 0
    assert versions(loaded) == before
    assert handed(engine, loaded, tmp_path, "late", {"pilot": (1, 2), "base": (11,), "late": (12,)}) == OF_ONE_CUSTOMER


def test_a_child_stays_when_only_its_parent_moves(engine: DuckDBEngine, loaded: PostgresTarget, tmp_path: Path) -> None:
    """Customer 2 is the child of 1; families are kept together by the cohort plan, not by guessing here."""
    assert handed(engine, loaded, tmp_path, "pilot", {"pilot": (2,), "base": (1, 11, 12)}) == OF_ONE_CUSTOMER
    assert record(loaded)["pilot", "customer"] == {"2"}


@pytest.mark.parametrize("now", [{"pilot": (1,)}, {}], ids=["one", "nobody"])
def test_a_customer_that_has_left_the_source_stays_where_it_was_loaded(
    engine: DuckDBEngine, loaded: PostgresTarget, tmp_path: Path, now: dict[str | None, Iterable[int]]
) -> None:
    before = versions(loaded)
    assert handed(engine, loaded, tmp_path, "pilot", now) == 0
    assert versions(loaded) == before


def test_a_customer_that_no_rule_takes_is_where_its_rows_are_laid_out(
    engine: DuckDBEngine, loaded: PostgresTarget, tmp_path: Path
) -> None:
    now: dict[str | None, Iterable[int]] = {"pilot": (1,), None: (2,), "base": (11, 12)}
    assert handed(engine, loaded, tmp_path, "pilot", now) == OF_ONE_CUSTOMER
    assert record(loaded)["unassigned", "customer"] == {"2"}


def test_a_customer_that_was_never_loaded_has_nothing_to_hand_over(
    engine: DuckDBEngine, loaded: PostgresTarget, tmp_path: Path
) -> None:
    assert handed(engine, loaded, tmp_path, "base", {"pilot": (1, 2), "base": (11, 12, 99)}) == 0
