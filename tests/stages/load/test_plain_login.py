"""A target reached by an account that is no superuser: schema, load, hiding and rollback, on the real server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from psycopg import sql
from sqlalchemy.engine import make_url
from target_world import order, products, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.errors import TargetRefused
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.hidden import hide, show
from migration_assets.stages.load.hold import hold_plan
from migration_assets.stages.load.schema import desired_schema, role_names
from migration_assets.stages.rollback.take_back import RollbackOrder, roll_back

AT = datetime(2026, 3, 4, tzinfo=UTC)
# Of its own: roles belong to the server, and those of other tests were made by the superuser.
PLAN = tiny_plan(f"plain_{uuid4().hex[:8]}")
ROLES = role_names(PLAN)


@pytest.fixture
def plain(database: str) -> Iterator[PostgresTarget]:
    """A target whose account owns the database and may make roles, and nothing besides."""
    name, password = f"mover_{uuid4().hex[:8]}", uuid4().hex
    url = make_url(database)
    mover = sql.Identifier(name)
    made = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER CREATEROLE PASSWORD {}").format(mover, sql.Literal(password))
    with PostgresTarget(database).transaction() as c:
        c.execute(made)
        c.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(str(url.database)), mover))
    yield PostgresTarget(url.set(username=name, password=password).render_as_string(hide_password=False))
    with PostgresTarget(database).transaction() as c:
        c.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(sql.Identifier(str(url.database))))
        there = c.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(ROLES.values())]).fetchall()
        for role in (*(r for (r,) in there), name):
            c.execute(sql.SQL("DROP OWNED BY {r} CASCADE; DROP ROLE {r}").format(r=sql.Identifier(role)))


def test_an_account_that_is_no_superuser_loads_hides_shows_and_takes_back(
    engine: DuckDBEngine, plain: PostgresTarget
) -> None:
    apply_schema(plain, desired_schema(PLAN))
    load_cohort(engine, plain, PLAN, order("unassigned"), products(engine))
    first = load_cohort(engine, plain, PLAN, order(), world(range(1, 5)).canonical(engine))
    assert first.rows_written > 0
    assert load_cohort(engine, plain, PLAN, order(), world(range(1, 5)).canonical(engine)).rows_written == 0

    with plain.transaction(role=ROLES["writer"]) as c:
        hold_plan(c, PLAN.file.uuid, 10)
        hide(c, "pilot", "differs", AT)
    assert (_customers(plain, ROLES["reader"]), _customers(plain, ROLES["writer"])) == (0, 4)
    with plain.transaction(role=ROLES["writer"]) as c:
        hold_plan(c, PLAN.file.uuid, 10)
        show(c, ["pilot"], "differs")
    assert _customers(plain, ROLES["reader"]) == 4

    assert all(p.holds for p in roll_back(plain, PLAN, RollbackOrder(("pilot",), "tests", AT)).proof)
    assert _customers(plain, ROLES["writer"]) == 0


def test_an_account_that_may_not_make_roles_is_told_what_it_lacks(plain: PostgresTarget, database: str) -> None:
    name = make_url(plain.url).username
    with PostgresTarget(database).transaction() as c:
        c.execute(sql.SQL("ALTER ROLE {} NOCREATEROLE").format(sql.Identifier(str(name))))
    with pytest.raises(TargetRefused, match=r"permission denied to (create|grant) role"):
        apply_schema(plain, desired_schema(PLAN))


def _customers(target: PostgresTarget, role: str) -> int:
    with target.transaction(role=role, read_only=True) as c:
        return int(c.execute("SELECT count(*) FROM billing.customers").fetchall()[0][0])
