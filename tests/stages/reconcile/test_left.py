"""Differences that stand by right are counted apart; those that were loaded wrongly are never excused."""

from __future__ import annotations

from target_world import TARGET, World, order, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.ownership import Owner
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.models import Plan, TargetSchema
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.conflicts import plain_seal
from migration_assets.stages.reconcile.left import Words
from migration_assets.stages.reconcile.rows import RowsResult, compare_rows
from migration_assets.stages.reconcile.sides import both_sides

RENAMED = "UPDATE billing.customers SET name = 'Theirs', email = 'b@x.de' WHERE customer_number = 'C-00003'"


def plan(**owners: Owner) -> Plan:
    customers = TARGET.tables["customers"].model_copy(update={"owned_by": owners, "changed_at": "created_at"})
    tables = {**TARGET.tables, "customers": customers}
    return tiny_plan(target=TargetSchema(schema_name=TARGET.schema_name, roles=TARGET.roles, tables=tables))


def compared(
    engine: DuckDBEngine, target: PostgresTarget, pilot: World, plan: Plan, words: Words | None = None
) -> RowsResult:
    with both_sides(engine, target, plan, "pilot", pilot.canonical(engine)) as sides:
        return compare_rows(engine, plan, sides, words or Words())


def columns(engine: DuckDBEngine, found: RowsResult) -> list[str]:
    return sorted(engine.arrow(found.differences)["column"].to_pylist())


def run(target: PostgresTarget, sql: str) -> None:
    with target.transaction() as c:
        c.execute(sql)


def test_a_column_of_the_targets_stands_and_the_one_beside_it_does_not(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    target, pilot = loaded
    run(target, RENAMED)
    found = compared(engine, target, pilot, plan(name="target"))
    assert (columns(engine, found), found.left, found.ok) == (["email"], 1, False)
    assert {t.table: t.changed for t in found.tables}["customers"] == 1
    both = compared(engine, target, pilot, plan(name="target", email="target"))
    assert (both.left, both.ok) == (2, True)
    assert {t.table: t.changed for t in both.tables}["customers"] == 0


def test_a_column_that_was_loaded_wrongly_is_not_excused(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    """What is expected now is not what the load recorded: nobody else made this difference."""
    target, pilot = loaded
    bent = world()
    bent.one("customer", 3)["name"] = "Bent"
    load_cohort(engine, target, tiny_plan(), order(), bent.canonical(engine))
    found = compared(engine, target, pilot, plan(name="target"))
    assert (columns(engine, found), found.left) == (["name"], 0)


def test_a_person_may_let_it_stand_for_these_values_only(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    target, pilot = loaded
    run(target, RENAMED)
    with target.transaction(read_only=True) as c:
        ((key,),) = c.execute("SELECT customer_id::text FROM billing.customers WHERE name = 'Theirs'").fetchall()
    expected = plain_seal(pilot.one("customer", 3)["name"])
    words = {("customers", key, "name", expected, plain_seal("Theirs")): "target"}
    found = compared(engine, target, pilot, plan(), Words(words, plain_seal))  # type: ignore[arg-type]
    assert (columns(engine, found), found.left) == (["email"], 1)
    run(target, "UPDATE billing.customers SET name = 'Else' WHERE name = 'Theirs'")
    again = compared(engine, target, pilot, plan(), Words(words, plain_seal))  # type: ignore[arg-type]
    assert (columns(engine, again), again.left) == (["email", "name"], 0)


def test_the_most_recent_side_stands(engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]) -> None:
    target, pilot = loaded
    run(target, RENAMED.replace("name =", "created_at = 'infinity', name ="))
    owners = plan(name="most_recent", email="most_recent", created_at="most_recent")
    assert compared(engine, target, pilot, owners).left == 0, "no instant tells that it is later"
    run(target, "UPDATE billing.customers SET created_at = '2030-01-01' WHERE name = 'Theirs'")
    found = compared(engine, target, pilot, owners)
    assert (found.left, found.ok) == (3, True)
