"""A rollback whose COMMIT is not answered: it is found to be there, or it is said that nothing was written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cutting_proxy import Trouble, troubled
from target_world import copy_of, order, template, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.errors import TargetRefused
from migration_assets.domain.patience import Patience
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.schema import desired_schema
from migration_assets.stages.rollback.take_back import RollbackOrder, roll_back

pytestmark = pytest.mark.postgres
ORDER = RollbackOrder(("pilot",), "anna", datetime(2026, 2, 1, 8, 0, tzinfo=UTC))
SHORT = Patience(connect=5, gone=1, statement=2)


@pytest.fixture
def loaded(server: str) -> Iterator[PostgresTarget]:
    with template(server) as (name, target), DuckDBEngine(memory_limit="1GB") as engine:
        apply_schema(target, desired_schema(tiny_plan()))
        given = {e: rows for e, rows in world().canonical(engine).items() if e == "customer"}
        load_cohort(engine, target, tiny_plan(), order("pilot"), given)
        with copy_of(server, name) as copied:
            yield copied


def customers(target: PostgresTarget) -> int:
    with target.transaction(read_only=True) as connection:
        found = connection.execute("SELECT count(*) FROM billing.customers").fetchone()
    return int(found[0]) if found else -1


def test_a_commit_that_arrived_without_an_answer_is_found(loaded: PostgresTarget) -> None:
    with troubled(loaded.url, Trouble("answer")) as proxy:
        done = roll_back(PostgresTarget(proxy.url, SHORT), tiny_plan(), ORDER)
        assert proxy.happened.is_set()
    assert done.rows("goes") == 6 and customers(loaded) == 0


def test_a_commit_that_never_arrived_is_said_to_have_written_nothing(loaded: PostgresTarget) -> None:
    with troubled(loaded.url, Trouble("commit")) as proxy:
        with pytest.raises(TargetRefused, match="the rollback was lost while it was being committed"):
            roll_back(PostgresTarget(proxy.url, SHORT), tiny_plan(), ORDER)
        assert proxy.happened.is_set()
    assert customers(loaded) == 6
    assert roll_back(loaded, tiny_plan(), ORDER).rows("goes") == 6, "and it can be done again"
