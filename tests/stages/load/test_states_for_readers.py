"""What the target says of its cohorts, to whoever may read it."""

from __future__ import annotations

from datetime import UTC, datetime

from target_world import membership, order, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.cohort_states import VERIFIED, set_states, states
from migration_assets.stages.load.schema import role_names

ROLES = role_names(tiny_plan())


def said(target: PostgresTarget) -> dict[str, str]:
    """As a reader sees it."""
    with target.transaction(role=ROLES["reader"], read_only=True) as connection:
        return {c: s for c, s in states(connection).items() if c != "unassigned"}


def verify(target: PostgresTarget, *cohorts: str) -> None:
    with target.transaction(role=ROLES["writer"]) as connection:
        set_states(connection, cohorts, VERIFIED, "20260101T000000Z-abcdef", "run-9", datetime(2026, 2, 2, tzinfo=UTC))


def test_a_load_says_applied_with_its_rows_and_a_second_one_that_changes_nothing_says_nothing(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    assert said(target) == {}
    load_cohort(engine, target, tiny_plan(), order(dry_run=True), world().canonical(engine))
    assert said(target) == {}
    load_cohort(engine, target, tiny_plan(), order(), world().canonical(engine))
    assert said(target) == {"pilot": "applied"}
    verify(target, "pilot")
    load_cohort(engine, target, tiny_plan(), order(), world().canonical(engine))
    assert said(target) == {"pilot": "verified"}
    changed = world()
    changed.one("customer", 3)["name"] = "Another"
    load_cohort(engine, target, tiny_plan(), order(), changed.canonical(engine))
    assert said(target) == {"pilot": "applied"}


def test_who_is_given_rows_by_another_cohort_is_not_verified_any_more(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    plan, there = tiny_plan(), world(range(1, 5))
    load_cohort(engine, target, plan, order(), there.canonical(engine))
    load_cohort(engine, target, plan, order("wave_1"), world(range(11, 13)).canonical(engine))
    verify(target, "pilot", "wave_1")
    moved = membership(engine, {"pilot": range(1, 4), "wave_1": [4, 11, 12]})
    left = world(range(1, 4)).canonical(engine)
    assert load_cohort(engine, target, plan, order(), left, membership=moved).receivers == ("wave_1",)
    assert said(target)["wave_1"] == "applied"
