"""A working day with a rollback, on the telco plan with 60 customers: by the command line, down to what people see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from world import Answer, World, command

from migration_assets.wiring.results import Summary
from migration_assets.wiring.stage_names import ARRIVAL

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

TABLES = ("accounts", "subscriptions", "subscription_items")


def held(small: World) -> dict[str, Any]:
    """Every row of some tables, and the crosswalk without the numbers of loads."""
    found: dict[str, Any] = {t: small.target(f"select t::text from telecom.{t} t order by 1") for t in TABLES}
    query = (
        "select entity, source_id, target_id::text, status, founder, row_hash, cohort from cutover.crosswalk "
        "order by 1, 2"
    )
    return found | {"crosswalk": small.target(query)}


@pytest.fixture(scope="module")
def ran(small: World) -> Summary:
    """Everything loaded, without the dry run that other tests make first."""
    return small.migrate()


@pytest.fixture
def call(small: World, server: str, telco_csv: Path):  # type: ignore[no-untyped-def]
    def called(*arguments: str) -> Answer:
        return command(small.workspace.root, server, *arguments, "--plan", "small", TELCO_CSV=str(telco_csv))

    return called


def test_a_cohort_is_rehearsed_taken_back_and_loaded_again(small: World, ran: Summary, call: Any) -> None:
    assert ran.ok, ran.to_json("small")
    before = held(small)

    tried = json.loads(call("rollback", "--cohort", "base_01", "--rehearse", "--json").out)
    assert tried["ok"] and tried["rehearsed"]["rollback_milliseconds"] > 0
    assert tried["since_the_load"]["file"] is None
    assert held(small) == before
    noted = small.workspace.control.last_audit("rollback_rehearsed", "base_01")
    assert noted is not None and noted.detail["copied_rows"] == tried["rehearsed"]["copied_rows"]

    done = call("rollback", "--cohort", "base_01", "--json")
    assert done.exit_code == 0, done.err
    told = json.loads(done.out)
    assert all(t["proven"] and t["as_recorded"] for t in told["tables"])
    assert {t["table"]: t["deleted"] for t in told["tables"]}["accounts"] == 50
    assert small.target("select count(*) from telecom.accounts") == [(10,)], "the pilot's are still there"
    _told_everywhere(small, call)
    resumed = json.loads(call("run", "--resume", "--json").out)
    assert "base_01" not in [c["cohort"] for c in resumed["cohorts"]], "nobody asked for it to come again"
    assert small.target("select count(*) from telecom.accounts") == [(10,)]

    again = small.migrate("base_01")
    assert again.ok, again.to_json("small")
    assert held(small) == before, "loaded again, all is as if it had never been taken back"
    status = json.loads(call("status", "--json").out)
    assert status["ok"] and not any(c["rolled_back"] for c in status["cohorts"])


def test_it_waits_for_no_tick(small: World, ran: Summary, call: Any) -> None:
    """A tick that began before has chosen its cohorts already, and would load this one again."""
    with small.workspace.control.delta_lock():
        refused = call("rollback", "--cohort", "pilot", "--json")
    assert refused.exit_code != 0 and "on its way" in json.loads(refused.out)["error"]


def _told_everywhere(small: World, call: Any) -> None:
    """Status, gates, audit log and Dagster know that the cohort is not in the target."""
    answer = call("status", "--json")
    status = json.loads(answer.out)
    (row,) = [c for c in status["cohorts"] if c["cohort"] == "base_01"]
    assert answer.exit_code == 1 and row["stages"]["loaded_target"]["state"] == "rolled_back"
    assert row["rolled_back"]["by"] and {row["stages"][a]["state"] for a in ARRIVAL[1:]} == {"never"}
    assert "base_01 was rolled back by" in call("status").out
    refused = small.materialize("reconciliation", "base_01")
    assert not refused.ok and "`loaded_target` has not been checked" in (refused.reason or "")
    noted = small.workspace.control.last_audit("rolled_back", "base_01")
    assert noted is not None and noted.detail["proven"] is True and noted.actor
    (event,) = small.instance.fetch_observations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey("loaded_target"), asset_partitions=["base_01"]), limit=1
    ).records
    assert event.asset_observation is not None
    assert event.asset_observation.metadata["state"].value == "rolled back"
    nothing = call("rollback", "--cohort", "base_01", "--json")
    assert nothing.exit_code == 2 and "no load of base_01" in json.loads(nothing.out)["error"]


def test_what_somebody_else_changed_stops_it_and_is_listed_for_its_owner_alone(
    small: World, ran: Summary, call: Any
) -> None:
    one = "select target_id from cutover.crosswalk where entity = 'customer' and cohort = 'pilot' limit 1"
    small.target(f"update telecom.accounts set status = 'prospect' where account_id = ({one})")
    answer = call("rollback", "--cohort", "pilot", "--json")
    found = json.loads(answer.out)
    assert answer.exit_code == 1 and "1 of accounts changed by somebody else" in found["error"]
    file = Path(found["remedy"].rpartition(": ")[2])
    assert file.stat().st_mode & 0o077 == 0
    header, row = file.read_text(encoding="utf-8").splitlines()
    assert header == "table,key,source_row,what" and row.startswith("accounts,") and row.endswith("by somebody else")
    assert json.loads(call("status", "--json").out)["ok"], "nothing was withdrawn for a rollback that was refused"
