"""Who sees what of a cohort that is hidden: on the real server, as the roles that people have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from target_world import membership, order, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema, read_catalog
from migration_assets.stages.load.hidden import Reason, hidden_cohorts, hide, show
from migration_assets.stages.load.hold import hold_plan
from migration_assets.stages.load.inventory import inventory
from migration_assets.stages.load.schema import desired_schema, role_names
from migration_assets.stages.rollback.take_back import RollbackOrder, roll_back

PLAN = tiny_plan()
ROLES = role_names(PLAN)
AT = datetime(2026, 3, 4, tzinfo=UTC)
TABLES = ("customers", "subscriptions", "subscription_items", "entitlements")
PILOT, WAVE_1 = range(1, 5), range(11, 13)


@pytest.fixture
def both(engine: DuckDBEngine, target: PostgresTarget) -> PostgresTarget:
    """A target with two cohorts: four customers and two."""
    load_cohort(engine, target, PLAN, order(), world(PILOT).canonical(engine))
    load_cohort(engine, target, PLAN, order("wave_1"), world(WAVE_1).canonical(engine))
    return target


def seen(target: PostgresTarget, role: str = ROLES["reader"]) -> dict[str, int]:
    """Rows by table, as a role counts them."""
    with target.transaction(role=role, read_only=True) as c:
        return {t: c.execute(f"SELECT count(*) FROM billing.{t}").fetchall()[0][0] for t in TABLES}


def rows(customers: int) -> dict[str, int]:
    """What the world of so many customers comes to."""
    return dict(zip(TABLES, (customers, customers, 2 * customers, customers), strict=True))


def told_to_hide(target: PostgresTarget, cohort: str, reason: Reason = "differs") -> None:
    with target.transaction(role=ROLES["writer"]) as c:
        hold_plan(c, PLAN.file.uuid, 10)
        hide(c, cohort, reason, AT)


def told_to_show(target: PostgresTarget, *cohorts: str, reason: Reason | None = "differs") -> frozenset[str]:
    with target.transaction(role=ROLES["writer"]) as c:
        return show(c, cohorts, reason)


@contextmanager
def another_role(target: PostgresTarget, *privileges: str) -> Iterator[str]:
    """Somebody else's role, which may do something with customers and nothing besides."""
    name = f"other_{uuid4().hex[:8]}"
    role = sql.Identifier(name)
    with target.transaction() as c:
        c.execute(sql.SQL("CREATE ROLE {r} NOLOGIN; GRANT USAGE ON SCHEMA billing TO {r}").format(r=role))
        for privilege in privileges:
            c.execute(sql.SQL("GRANT {} ON billing.customers TO {}").format(sql.SQL(privilege), role))
    yield name
    with target.transaction() as c:
        c.execute(sql.SQL("DROP OWNED BY {r}; DROP ROLE {r}").format(r=role))


def test_a_reader_sees_nothing_of_a_hidden_cohort_and_everything_of_others(both: PostgresTarget) -> None:
    assert seen(both) == rows(6)
    told_to_hide(both, "pilot")
    assert seen(both) == rows(2)
    assert seen(both, ROLES["writer"]) == rows(6) and seen(both, ROLES["owner"]) == rows(6)
    with both.transaction(role=ROLES["reader"], read_only=True) as c:
        names = c.execute("SELECT customer_number FROM billing.customers ORDER BY 1").fetchall()
        assert names == [("C-00011",), ("C-00012",)]
        assert c.execute("SELECT count(*) FROM billing.products").fetchall() == [(1,)], "the catalog is nobody's"
        assert hidden_cohorts(c) == {"pilot": ("differs",)}
    assert told_to_show(both, "pilot", "wave_1") == {"pilot"}
    assert seen(both) == rows(6)
    with both.transaction() as c:
        assert c.execute("SELECT count(*) FROM cutover.hidden_row").fetchall() == [(0,)]


def test_two_reasons_to_hide_have_both_to_go(both: PostgresTarget) -> None:
    told_to_hide(both, "pilot")
    told_to_hide(both, "pilot", "incomplete")
    told_to_show(both, "pilot")
    assert seen(both) == rows(2)
    told_to_show(both, "pilot", reason="incomplete")
    assert seen(both) == rows(6)


def test_what_a_hidden_cohort_gets_later_is_hidden_too_and_what_it_gives_away_is_shown(
    engine: DuckDBEngine, both: PostgresTarget
) -> None:
    told_to_hide(both, "wave_1")
    load_cohort(engine, both, PLAN, order("wave_1"), world(range(11, 15)).canonical(engine))
    assert seen(both) == rows(4)
    moved = membership(engine, {"pilot": [*PILOT, 14], "wave_1": range(11, 14)})
    left = world(range(11, 14)).canonical(engine)
    assert load_cohort(engine, both, PLAN, order("wave_1"), left, membership=moved).receivers == ("pilot",)
    assert seen(both) == rows(5)


def test_a_cohort_that_is_hidden_before_it_has_any_row_is_not_shown_by_its_load(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    told_to_hide(target, "pilot")
    load_cohort(engine, target, PLAN, order(), world(PILOT).canonical(engine))
    assert seen(target) == rows(0) and seen(target, ROLES["writer"]) == rows(4)
    told_to_show(target, "pilot")
    assert seen(target) == rows(4)


def test_a_load_that_did_not_change_the_cohort_leaves_it_hidden_and_writes_nothing(
    engine: DuckDBEngine, both: PostgresTarget
) -> None:
    told_to_hide(both, "pilot")
    again = load_cohort(engine, both, PLAN, order(), world(PILOT).canonical(engine))
    assert again.rows_written == 0 and seen(both) == rows(2)


def test_a_rollback_leaves_nothing_hidden_behind_and_the_hash_of_the_others(both: PostgresTarget) -> None:
    told_to_hide(both, "pilot")
    result = roll_back(both, PLAN, RollbackOrder(("pilot",), "anna", AT))
    assert all(p.holds for p in result.proof) and result.rows("goes") == sum(rows(4).values())
    assert seen(both) == rows(2) == seen(both, ROLES["writer"])
    with both.transaction() as c:
        assert hidden_cohorts(c) == {}
        assert c.execute("SELECT count(*) FROM cutover.hidden_row").fetchall() == [(0,)]


def test_other_peoples_roles_go_on_and_see_what_readers_see(both: PostgresTarget) -> None:
    told_to_hide(both, "pilot")
    one = "INSERT INTO billing.customers (customer_id, name, kind) VALUES (gen_random_uuid(), 'x', 'person')"
    with another_role(both, "SELECT", "INSERT", "UPDATE") as role, both.transaction(role=role) as c:
        assert c.execute("SELECT count(*) FROM billing.customers").fetchall() == [(2,)]
        assert c.execute("UPDATE billing.customers SET email = 'a@example.org'").rowcount == 2
        assert c.execute(one).rowcount == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege), c.transaction():
            c.execute("SELECT FROM cutover.hidden_cohort")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), c.transaction():
            c.execute("DELETE FROM cutover.hidden_row")


def test_one_customer_is_looked_up_without_reading_all_hidden_rows(both: PostgresTarget) -> None:
    told_to_hide(both, "pilot")
    with both.transaction(role=ROLES["reader"]) as c:
        c.execute("SET LOCAL enable_seqscan = off")
        plan = c.execute("EXPLAIN SELECT * FROM billing.customers WHERE customer_id = gen_random_uuid()").fetchall()
    told = "\n".join(line for (line,) in plan)
    assert "hidden_row_pkey" in told and "hashed" not in told


def test_a_target_made_before_gets_its_policies_once(engine: DuckDBEngine, both: PostgresTarget) -> None:
    desired = desired_schema(PLAN)
    with both.transaction() as c:
        for table in TABLES:
            c.execute(
                f"DROP POLICY cutover_shown ON billing.{table}; DROP POLICY cutover_writer ON billing.{table}; "
                f"DROP POLICY cutover_everyone ON billing.{table}"
            )
            c.execute(f"ALTER TABLE billing.{table} DISABLE ROW LEVEL SECURITY")
        c.execute("DROP TABLE cutover.hidden_row, cutover.hidden_cohort; REVOKE USAGE ON SCHEMA cutover FROM PUBLIC")
    assert told_to_show(both, "pilot") == frozenset(), "before the next run nothing can be hidden there"
    with both.transaction(read_only=True) as c:
        missing = {p.name for p in inventory(read_catalog(c, desired), desired) if not p.found and p.kind == "policy"}
    assert missing == {
        f"billing.{t}.{p}" for t in TABLES for p in ("cutover_shown", "cutover_writer", "cutover_everyone")
    }
    made = apply_schema(both, desired).statements
    assert sum("ENABLE ROW LEVEL SECURITY" in s for s in made) == len(TABLES)
    assert apply_schema(both, desired).unchanged
    told_to_hide(both, "pilot")
    assert seen(both) == rows(2)


def test_a_policy_that_was_changed_or_switched_off_by_hand_is_made_again(both: PostgresTarget) -> None:
    with both.transaction() as c:
        c.execute("ALTER TABLE billing.customers DISABLE ROW LEVEL SECURITY")
        c.execute("COMMENT ON POLICY cutover_shown ON billing.subscriptions IS 'USING (true)'")
    made = [s for s in apply_schema(both, desired_schema(PLAN)).statements if "ROLE" not in s]
    assert made[0] == 'ALTER TABLE "billing"."customers" ENABLE ROW LEVEL SECURITY'
    assert [s.split()[0] for s in made[1:]] == ["DROP", "CREATE", "COMMENT"]


def test_a_dump_by_a_reader_is_refused_rather_than_short(both: PostgresTarget) -> None:
    """What pg_dump asks for: all rows, or an error."""
    with both.transaction(role=ROLES["reader"]) as c:
        c.execute("SET LOCAL row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), c.transaction():
            c.execute("COPY billing.customers TO STDOUT")
        c.execute("SET LOCAL row_security = on")
    with both.transaction(role=ROLES["owner"]) as c:
        c.execute("SET LOCAL row_security = off")
        assert c.execute("SELECT count(*) FROM billing.customers").fetchall() == [(6,)]


def test_what_others_have_shut_stays_shut(both: PostgresTarget) -> None:
    """Policies of one table are added up: a wide one of ours would open what theirs closes."""
    theirs = "CREATE POLICY tenant ON billing.customers USING (country = current_setting('app.tenant', true))"
    with both.transaction() as c:
        c.execute(theirs)
        c.execute("UPDATE billing.customers SET country = 'FR' WHERE customer_number IN ('C-00002', 'C-00012')")
    made = [s for s in apply_schema(both, desired_schema(PLAN)).statements if "ROLE" not in s]
    assert made == ['DROP POLICY "cutover_everyone" ON "billing"."customers"']
    assert apply_schema(both, desired_schema(PLAN)).unchanged
    told_to_hide(both, "pilot")
    with both.transaction(role=ROLES["reader"], read_only=True) as c:
        c.execute("SELECT set_config('app.tenant', 'FR', true)")
        assert c.execute("SELECT customer_number FROM billing.customers").fetchall() == [("C-00012",)]
    with both.transaction() as c:
        c.execute("DROP POLICY tenant ON billing.customers")
    assert not apply_schema(both, desired_schema(PLAN)).unchanged
    assert seen(both) == rows(2)
