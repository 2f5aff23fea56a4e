"""Acme after its load: rows are edited, added and deleted in the old systems, and a tick brings them over.

One migration is used by the tests of this file, in order; each tick is one of a real history.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import ACME_COHORTS
from world import World, add_plan, asked, filled_with, make_root, opened

from migration_assets.demo import Legacy
from migration_assets.domain.errors import StageRefused
from migration_assets.wiring.delta import TickResult, run_tick

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

COHORTS = ACME_COHORTS.replace("buckets: 1", "buckets: 2")


@pytest.fixture(scope="module")
def loaded(server: str, legacy: Legacy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = make_root(tmp_path_factory.mktemp("ticking"))
    add_plan(root, "acme", "ticking", COHORTS)
    with opened(root, "ticking", server, before=filled_with(legacy)) as world:
        with pytest.raises(StageRefused, match="no migration record yet"):
            tick(world)
        assert world.migrate().ok
        yield world


def tick(world: World, **more: Any) -> TickResult:
    return run_tick(world.runner, "tester", **more)


def legacy_sql(world: World, name: str, query: str) -> list[tuple[Any, ...]]:
    return asked(world.workspace.environment.database(name), query)


def cohort_of(world: World, account: str) -> str:
    import pyarrow.parquet as pq

    members = pq.read_table(world.workspace.store.file("cohort_plan", "_all", "members")).to_pylist()
    return next(str(m["cohort"]) for m in members if m["customer_id"] == f"crm.accounts:{account}")


def test_nothing_changed(loaded: World) -> None:
    before = loaded.workspace.record()
    found = tick(loaded)
    assert (found.ok, found.tick.state, found.tables, found.summary) == (True, "quiet", (), None)
    assert loaded.workspace.record() == before


def test_an_edited_row_arrives_and_only_its_cohort_runs(loaded: World) -> None:
    before = loaded.workspace.record()
    [(account,)] = legacy_sql(
        loaded,
        "legacy_crm",
        "update accounts set phone = '+49 30 1234567' where account_id = "
        "(select min(account_id) from accounts where record_type = 'CUSTOMER' and deleted_at is null)"
        " returning account_id",
    )
    found = tick(loaded)
    told = found.to_json("ticking")
    assert found.ok, (found.tick, told["cohorts"])
    print(json.dumps(told, indent=1))
    assert [t["table"] for t in told["tables"]] == ["crm.accounts"]
    assert told["tables"][0]["changed"] == 1
    ran = [c["cohort"] for c in told["cohorts"]]
    assert ran == [cohort_of(loaded, account), "unassigned"]
    assert set(found.carried) == {"pilot", "rest_01", "rest_02"} - set(ran)
    assert loaded.workspace.record().snapshot != before.snapshot
    assert loaded.workspace.record().as_of == before.as_of
