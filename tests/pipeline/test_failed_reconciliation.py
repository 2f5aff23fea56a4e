"""What the plan's word makes of a cohort whose reconciliation fails, on the telco plan with 60 customers: each of the
words, in the order of a bad day. A control total that nobody could meet makes it fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from world import Answer, World, change, command

from migration_assets.plan.load import load_plan
from migration_assets.stages.load.schema import role_names
from migration_assets.wiring.delta import moved_cohorts
from migration_assets.wiring.results import PhaseResult
from migration_assets.wiring.tags import TICK

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

GOOD_CONTROL = "customers,count,telco.customers,,,,,accounts,,,,,revops,,\n"
NOBODY = '"[{""field"": ""account_number"", ""op"": ""is_null""}]"'
BAD_CONTROL = f"customers,count,telco.customers,,,,,accounts,,,,{NOBODY},revops,,\n"


@pytest.fixture
def call(small: World, server: str, telco_csv: Path):  # type: ignore[no-untyped-def]
    def called(*arguments: str) -> Answer:
        return command(small.workspace.root, server, *arguments, "--plan", "small", TELCO_CSV=str(telco_csv))

    return called


def folder(small: World) -> Path:
    return small.workspace.root / "plans" / "small"


def loaded(small: World, cohort: str) -> PhaseResult:
    """The run of one cohort, by the plan's files as they are now."""
    return small.reopened().migrate(cohort).cohorts[cohort]


def says(small: World, word: str) -> None:
    """The plan says from now on what becomes of such a cohort."""
    file = folder(small) / "plan.yaml"
    text = file.read_text(encoding="utf-8").partition("after_failed_reconciliation")[0]
    file.write_text(f"{text.rstrip()}\nafter_failed_reconciliation: {word}\n", encoding="utf-8")


def seen_by_readers(small: World, where: str = "true") -> int:
    reader = role_names(load_plan(folder(small)))["reader"]
    with small.workspace.target.transaction(role=reader, read_only=True) as connection:
        return int(connection.execute(f"select count(*) from telecom.accounts where {where}").fetchall()[0][0])


def held(small: World) -> dict[str, list[tuple[Any, ...]]]:
    tables = ("accounts", "subscriptions", "subscription_items", "entitlements")
    found = {t: small.target(f"select t::text from telecom.{t} t order by 1") for t in tables}
    return found | {"crosswalk": small.target("select x::text from cutover.crosswalk x order by 1")}


def standing(call: Any, cohort: str) -> dict[str, Any]:
    [row] = [c for c in json.loads(call("status", "--json").out)["cohorts"] if c["cohort"] == cohort]
    return row


def test_stay_says_so_and_readers_go_on_seeing_it(small: World, call: Any) -> None:
    change(folder(small) / "controls.csv", GOOD_CONTROL, BAD_CONTROL)
    failed = loaded(small, "pilot")
    assert (failed.ok, failed.exit_code, failed.stopped_at) == (False, 1, "reconciliation")
    assert failed.aftermath == "its rows stay in the target, where readers see them"
    assert seen_by_readers(small) == 10
    found = standing(call, "pilot")
    assert (found["place"], found["hidden"]) == ("differs", [])


def test_hide_keeps_it_from_readers_until_a_comparison_passes(small: World, call: Any) -> None:
    says(small, "hide")
    answer = call("run", "--cohort", "pilot", "--json")
    [failed] = json.loads(answer.out)["cohorts"]
    assert answer.exit_code == 1 and "readers do not see them" in failed["aftermath"]
    assert seen_by_readers(small) == 0 and small.target("select count(*) from telecom.accounts") == [(10,)]
    found = standing(call, "pilot")
    assert (found["place"], found["hidden"]) == ("differs", ["differs"])
    assert "readers of the target do not see it" in call("status").out.replace("\n", " ")
    again = call("reconcile", "--cohort", "pilot", "--json")
    [report] = json.loads(again.out)["cohorts"]
    assert again.exit_code == 1 and report["aftermath"] == failed["aftermath"]
    assert not any(t["missing"] for t in report["targets"]), "what is hidden is not missing to the reconciliation"

    change(folder(small) / "controls.csv", BAD_CONTROL, GOOD_CONTROL)
    mended = loaded(small, "pilot")
    assert mended.ok and mended.aftermath is None and mended.rows_written == 0
    assert seen_by_readers(small) == 10
    found = standing(call, "pilot")
    assert (found["place"], found["hidden"], found["next"]) == ("verified", [], "")


def test_roll_back_takes_it_back_and_nothing_loads_it_by_itself(small: World, call: Any) -> None:
    says(small, "roll_back")
    change(folder(small) / "controls.csv", GOOD_CONTROL, BAD_CONTROL)
    before = held(small)
    answer = call("run", "--cohort", "base_01", "--json")
    [failed] = json.loads(answer.out)["cohorts"]
    assert answer.exit_code == 1 and failed["stopped_at"] == "reconciliation"
    assert failed["aftermath"].startswith("it was taken back, ") and failed["rows_written"] > 0
    assert held(small) == before and seen_by_readers(small) == 10

    found = standing(call, "base_01")
    assert found["stages"]["loaded_target"]["state"] == "rolled_back" and found["hidden"] == []
    noted = small.workspace.control.last_audit("rolled_back", "base_01")
    assert noted is not None and noted.detail["because"] == "reconciliation failed" and noted.detail["proven"]
    now = small.reopened().workspace
    assert moved_cohorts(now, now.record()) == ["pilot"], "ticks leave it alone"
    assert "base_01" not in [c["cohort"] for c in json.loads(call("run", "--resume", "--json").out)["cohorts"]]
    chosen_before = small.reopened().runner.phase("cohort_phase", cohort="base_01", tags={TICK: "true"})
    assert chosen_before.stopped_at == "loaded_target" and "was taken back since" in str(chosen_before.reason)
    assert held(small) == before


def test_roll_back_only_hides_what_was_compared_before(small: World) -> None:
    """Readers have seen it as verified: people may work with it."""
    failed = loaded(small, "pilot")
    assert not failed.ok and "it was compared before" in str(failed.aftermath)
    assert seen_by_readers(small) == 0 and small.target("select count(*) from telecom.accounts") == [(10,)]


MEANWHILE = """
create function cutover.meanwhile() returns trigger language plpgsql as $$ begin
  update telecom.accounts set status = 'prospect' where account_id = (select target_id from cutover.crosswalk
    where cohort = new.cohort and entity = 'customer' order by 1 limit 1);
  return new;
end $$;
create trigger meanwhile after update on cutover.cohort_state for each row when (new.state = 'differs')
  execute function cutover.meanwhile();
"""


def test_what_stops_the_rollback_leaves_the_cohort_hidden_and_is_told(small: World, call: Any) -> None:
    """Somebody edits a row between the comparison and the rollback."""
    says(small, "roll_back")
    controls = folder(small) / "controls.csv"
    controls.write_text(controls.read_text(encoding="utf-8").replace(GOOD_CONTROL, BAD_CONTROL), encoding="utf-8")
    small.target(MEANWHILE)
    failed = loaded(small, "base_01")
    small.target("drop trigger meanwhile on cutover.cohort_state")
    assert failed.aftermath is not None and "readers do not see them" in failed.aftermath
    assert "it could not be taken back: rows are not what the loads left: 1 of accounts changed" in failed.aftermath
    theirs = "account_id in (select target_id from cutover.crosswalk where cohort = 'base_01')"
    assert small.target(f"select count(*) from telecom.accounts where {theirs}") == [(50,)]
    assert seen_by_readers(small, theirs) == 0
    assert standing(call, "base_01")["hidden"] == ["differs"]
    assert call("rollback", "--cohort", "base_01").exit_code == 1, "for a person it is no other"
