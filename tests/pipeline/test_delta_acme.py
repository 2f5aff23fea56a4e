"""Acme after its load: rows are edited, added and deleted in the old systems by SQL, and a tick brings them over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import ACME_COHORTS
from world import World, add_plan, asked, filled_with, make_root, opened

from migration_assets.demo import Legacy
from migration_assets.wiring.delta import TickResult, run_tick

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


@pytest.fixture(scope="module")
def loaded(server: str, legacy: Legacy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Acme under a name of its own: other tests must not see what happens to its old systems here."""
    root = make_root(tmp_path_factory.mktemp("ticking"))
    add_plan(root, "acme", "ticking", ACME_COHORTS)
    with opened(root, "ticking", server, before=filled_with(legacy)) as world:
        assert world.migrate().ok
        yield world


def tick(world: World, **more: Any) -> TickResult:
    return run_tick(world.runner, "tester", **more)


def crm(world: World, query: str) -> list[tuple[Any, ...]]:
    return asked(world.workspace.environment.database("legacy_crm"), query)


def accounts_of(world: World, cohort: str) -> list[str]:
    """Accounts of the CRM that move with a cohort, in order."""
    members = pq.read_table(world.workspace.store.file("cohort_plan", "_all", "members")).to_pylist()
    ids = (m["customer_id"].removeprefix("crm.accounts:") for m in members if m["cohort"] == cohort)
    return sorted(i for i in ids if ":" not in i)


def test_a_quiet_source_starts_nothing(loaded: World) -> None:
    before = loaded.workspace.record()
    found = tick(loaded)
    assert (found.ok, found.tick.state, found.tables, found.summary) == (True, "quiet", (), None)
    assert loaded.workspace.record() == before


def test_rows_that_are_edited_added_and_deleted_arrive_and_only_their_cohorts_run(loaded: World) -> None:
    rest, pilot = accounts_of(loaded, "rest_01"), accounts_of(loaded, "pilot")
    listed = ", ".join(f"'{a}'" for a in rest)
    consents = loaded.target("select count(*) from app.consents")
    # Stamps stay as they were: a look by time stamp would see none of this.
    [(contact,)] = crm(
        loaded,
        "update crm.contacts set job_title = 'Head of Moving' where contact_id = (select min(c.contact_id) from"
        " crm.contacts c join crm.accounts a using (account_id) where c.deleted_at is null and a.deleted_at is null"
        f" and a.record_type = 'CUST' and account_id in ({listed})) returning contact_id",
    )
    [(event, account)] = crm(
        loaded,
        "delete from crm.consent_events where event_id = (select max(event_id) from crm.consent_events)"
        " returning event_id, account_id",
    )
    crm(
        loaded,
        f"insert into crm.consent_events select {event + 1}, account_id, contact_id, purpose, channel, decision, basis,"
        f" event_time, evidence from crm.consent_events where account_id in ({listed}) order by event_id limit 1",
    )
    found = tick(loaded)
    told = found.to_json("ticking")
    assert found.ok, told
    assert {t["table"]: (t["inserted"], t["updated"], t["late"], t["deleted"]) for t in told["tables"]} == {
        "crm.contacts": (0, 0, 1, 0),
        "crm.consent_events": (0, 0, 1, 1),
    }
    touched = {"rest_01", "unassigned"} | ({"pilot"} if account in pilot else set())
    assert {c["cohort"] for c in told["cohorts"]} == touched
    assert set(told["carried"]) == {"pilot", "rest_01", "unassigned"} - touched
    assert contact and loaded.target("select count(*) from app.contacts where job_title = 'Head of Moving'") == [(1,)]
    assert loaded.target("select count(*) from app.consents") == consents
    assert loaded.report("rest_01")["ok"]


def test_a_whole_new_run_has_nothing_to_write_after_that(loaded: World) -> None:
    """The target is what a full reload would make of it, given the same crosswalk."""
    again = loaded.migrate(new_snapshot="true")
    assert again.ok and again.rows_written == 0, again.to_json("ticking")
