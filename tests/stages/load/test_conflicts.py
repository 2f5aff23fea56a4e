"""Rows that others have changed in the target since they were loaded: what a load leaves, and what it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from target_world import TARGET, World, order, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.ownership import Owner
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.models import Plan, TargetSchema
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.conflicts import Conflicts, Settlement, plain_seal
from migration_assets.stages.load.order import LoadResult


def owned(table: str, **owners: Owner) -> Plan:
    """The tiny plan with owners of a table's columns."""
    tables = {
        **TARGET.tables,
        table: TARGET.tables[table].model_copy(update={"owned_by": owners, "changed_at": "created_at"}),
    }
    return tiny_plan(target=TargetSchema(schema_name=TARGET.schema_name, roles=TARGET.roles, tables=tables))


def load(
    engine: DuckDBEngine, target: PostgresTarget, rows: World, plan: Plan | None = None, **settled: Any
) -> LoadResult:
    return load_cohort(
        engine, target, plan or tiny_plan(), order(settlement=Settlement(**settled)), rows.canonical(engine)
    )


def change(target: PostgresTarget, sql: str) -> None:
    with target.transaction() as c:
        c.execute(sql)


def customer(target: PostgresTarget, number: int) -> Mapping[str, Any]:
    columns = ("name", "email", "country", "customer_number")
    with target.transaction(read_only=True) as c:
        (row,) = c.execute(
            f"SELECT {', '.join(columns)} FROM billing.customers t JOIN cutover.crosswalk x ON x.target_id = "
            "t.customer_id AND x.entity = 'customer' WHERE x.source_id = %s", [str(number)],
        ).fetchall()  # fmt: skip
    return dict(zip(columns, row, strict=True))


RENAMED = "UPDATE billing.customers SET name = 'Theirs' WHERE customer_number = 'C-00003'"


def test_nobody_changes_a_row_between_its_settling_and_its_writing(
    engine: DuckDBEngine, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their change would be written over without a word, and be in no pre-image."""
    load(engine, target, world())
    later, waited = world(), []
    later.one("customer", 3)["name"] = "From the source"
    settle = Conflicts.settle

    def interrupted(self: Conflicts, table: Any, *more: Any) -> None:
        settle(self, table, *more)
        if table.table == "customers":
            with pytest.raises(psycopg.errors.LockNotAvailable), target.transaction() as c:
                c.execute("SET LOCAL lock_timeout = '100ms'")
                c.execute(RENAMED.encode())
            waited.append(table.table)

    monkeypatch.setattr(Conflicts, "settle", interrupted)
    assert load(engine, target, later).rows_written == 1
    assert waited == ["customers"] and customer(target, 3)["name"] == "From the source"


def test_what_nobody_else_changed_is_written(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, world())
    later = world()
    later.one("customer", 3)["name"] = "From the source"
    done = load(engine, target, later)
    assert (done.rows_written, done.conflicts, done.overwritten) == (1, (), 0)
    assert customer(target, 3)["name"] == "From the source"


def test_what_others_changed_stays_and_is_told_each_time(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, world())
    change(target, RENAMED)
    for _ in range(2):
        done = load(engine, target, world())
        assert done.rows_written == 0
        (left,) = done.conflicts
        assert (left.table, left.column, left.asked) == ("customers", "name", True)
        assert left.found == plain_seal("Theirs") and left.expected == plain_seal(world().one("customer", 3)["name"])
        assert {t.table: t.unchanged for t in done.tables}["customers"] == 6


def test_what_the_source_changed_beside_it_is_written(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, world())
    change(target, RENAMED)
    later = world()
    later.one("customer", 3)["country"] = "FR"
    done = load(engine, target, later)
    assert [c.column for c in done.conflicts] == ["name"] and done.rows_written == 1
    assert (customer(target, 3)["name"], customer(target, 3)["country"]) == ("Theirs", "FR")
    again = load(engine, target, later)
    assert [c.column for c in again.conflicts] == ["name"] and again.rows_written == 0


def test_a_column_that_both_changed_leaves_the_row(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, world())
    change(target, RENAMED)
    later = world()
    later.one("customer", 3).update(name="Ours", country="FR")
    done = load(engine, target, later)
    assert sorted(c.column for c in done.conflicts) == ["country", "name"] and done.rows_written == 0


def test_the_owner_of_a_column_decides(engine: DuckDBEngine, target: PostgresTarget) -> None:
    plan = owned("customers", name="source", email="target", country="person")
    load(engine, target, world(), plan)
    change(target, f"{RENAMED}; UPDATE billing.customers SET email = 't@x.de', country = 'AT' WHERE name = 'Theirs'")
    done = load(engine, target, world(), plan)
    assert {c.column: c.asked for c in done.conflicts} == {"email": False, "country": True}
    assert (done.rows_written, done.overwritten) == (1, 1)
    now = customer(target, 3)
    assert (now["email"], now["country"], now["name"]) == ("t@x.de", "AT", world().one("customer", 3)["name"])


def test_the_most_recent_side_wins(engine: DuckDBEngine, target: PostgresTarget) -> None:
    plan = owned("customers", name="most_recent", created_at="most_recent")
    load(engine, target, world(), plan)
    change(target, RENAMED.replace("name =", "created_at = created_at + interval '1 microsecond', name ="))
    change(
        target, RENAMED.replace("3'", "4'").replace("name =", "created_at = created_at - interval '1 second', name =")
    )
    done = load(engine, target, world(), plan)
    assert customer(target, 3)["name"] == "Theirs" and customer(target, 4)["name"] != "Theirs"
    assert {c.column for c in done.conflicts} == {"created_at", "name"} and not any(c.asked for c in done.conflicts)


MONEY = "UPDATE billing.subscriptions SET billed_to_date_minor = 1 WHERE billed_to_date_minor = 3000"


def test_a_repair_puts_back_what_is_not_money(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, world())
    change(target, f"{RENAMED}; {MONEY}")
    done = load(engine, target, world(), repair=True)
    assert customer(target, 3)["name"] == world().one("customer", 3)["name"]
    (left,) = done.conflicts
    assert (left.column, left.currency, left.amount_minor, left.asked) == ("billed_to_date_minor", "EUR", 2999, True)
    with target.transaction(read_only=True) as c:
        kept = c.execute("SELECT row->>'name' FROM cutover.pre_image WHERE operation = 'update'").fetchall()
    assert kept == [("Theirs",)]


def test_a_persons_word_holds_for_the_values_it_was_given_of(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, world())
    change(target, MONEY)
    (left,) = load(engine, target, world()).conflicts
    stays = load(engine, target, world(), words={left.about: "target"})
    assert stays.rows_written == 0 and [c.asked for c in stays.conflicts] == [False]
    change(target, MONEY.replace("= 1 ", "= 2 ").replace("3000", "1"))
    (other,) = load(engine, target, world(), words={left.about: "source"}).conflicts
    assert other.asked and other.about != left.about
    written = load(engine, target, world(), words={other.about: "source"})
    assert (written.rows_written, written.conflicts, written.overwritten) == (1, (), 1)


def test_a_row_that_is_gone_is_loaded_again_and_one_that_was_added_is_left(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    load(engine, target, world())
    change(target, "DELETE FROM billing.subscription_items WHERE quantity = 2")
    change(target, "INSERT INTO billing.customers (customer_id, name, kind) VALUES (gen_random_uuid(), 'x', 'person')")
    done = load(engine, target, world())
    assert (done.rows_written, done.conflicts) == (6, ())


def test_a_record_that_was_kept_in_another_form_says_nothing(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, world())
    change(target, "UPDATE cutover.crosswalk SET row_hash = md5(row_hash)")
    change(target, RENAMED)
    assert load(engine, target, world()).conflicts == ()


def test_a_dry_run_tells_the_same_and_writes_nothing(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, world())
    change(target, RENAMED)
    told = load_cohort(engine, target, tiny_plan(), replace(order(), dry_run=True), world().canonical(engine))
    assert [c.column for c in told.conflicts] == ["name"]
