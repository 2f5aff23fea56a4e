"""Ticks after the load of the telco plan, whose source is a file: in the order of a working day, each on the last."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from telco_rows import Row, telco_rows, write_telco
from world import World, command

from migration_assets.control import CARRIED, TickLog
from migration_assets.domain.errors import StageRefused
from migration_assets.plan.sync_models import Sync
from migration_assets.wiring.copies import copy_to_compare, take_changes
from migration_assets.wiring.delta import TickResult, run_tick
from migration_assets.wiring.rollback import take_back
from migration_assets.wiring.sync import JOB, Cursor, evaluated
from migration_assets.wiring.tags import PROCESS

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

COHORTS = ("pilot", "base_01", "unassigned")
Write = Callable[[list[Row]], None]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The file as it is by now; each test changes it further."""
    return telco_rows()


@pytest.fixture(scope="module")
def loaded(small: World, telco_csv: Path) -> World:
    with pytest.raises(StageRefused, match="no migration record yet"):
        tick(small)
    assert small.migrate().ok
    return small


def tick(world: World, **more: Any) -> TickResult:
    return run_tick(world.runner, "tester", **more)


def names(world: World) -> dict[str, str]:
    return dict(world.target("select account_number, status from telecom.accounts"))


def rows_of(found: TickResult) -> dict[str, int]:
    [table] = found.to_json("small")["tables"]
    return {k: table[k] for k in ("inserted", "updated", "deleted", "late", "changed")}


def test_nothing_changed_nothing_happens(loaded: World) -> None:
    record = loaded.workspace.record()
    found = tick(loaded)
    assert (found.ok, found.tick.state, found.tables, found.summary) == (True, "quiet", (), None)
    assert loaded.workspace.record() == record
    thorough = tick(loaded, thorough=True)
    assert (thorough.tick.state, thorough.tick.thorough, loaded.workspace.record()) == ("quiet", True, record)
    assert thorough.tick.lag_seconds is not None


def test_a_changed_row_arrives_and_other_cohorts_keep_their_verdicts(
    loaded: World, telco_csv: Path, rows: list[Row], server: str
) -> None:
    before, given = loaded.workspace.record(), {"TELCO_CSV": str(telco_csv)}
    frozen = command(loaded.workspace.root, server, "freeze", "check", "--plan", "small", **given)
    assert frozen.exit_code == 0 and "Nothing was written" in frozen.out
    changed = next(i for i, r in enumerate(rows) if r["customerID"] == "1004-TESTS")
    cohort = cohort_of(loaded, "1004-TESTS")
    [other] = {"pilot", "base_01"} - {cohort}
    assert rows[changed]["PaymentMethod"] != "Credit card (automatic)"
    rows[changed]["PaymentMethod"] = "Credit card (automatic)"
    write_telco(telco_csv, rows)
    runs = {v.run_id for v in loaded.workspace.control.verdicts(other, "reconciliation")}
    frozen = command(loaded.workspace.root, server, "freeze", "check", "--plan", "small", "--json", **given)
    [written] = json.loads(frozen.out)["tables"]
    assert (frozen.exit_code, written["updated"], written["changed"]) == (1, 1, 1)
    found = tick(loaded)
    told = found.to_json("small")
    assert found.ok, told
    assert rows_of(found) == {"inserted": 0, "updated": 1, "deleted": 0, "late": 0, "changed": 1}
    assert ([c["cohort"] for c in told["cohorts"]], told["carried"]) == ([cohort, "unassigned"], [other])
    assert 0 < told["rows_written"] < 10
    after = loaded.workspace.record()
    assert (after.snapshot, after.as_of) == (told["snapshot"], before.as_of) and after.snapshot != before.snapshot
    control = loaded.workspace.control
    assert {v.run_id for v in control.verdicts(other, "reconciliation")} == runs
    assert control.standing(other, "verified_billing", loaded.workspace.frozen_basis(), datetime.now(UTC)).passed
    entry = control.last_audit(CARRIED, other)
    assert entry is not None and (entry.detail["from"], entry.detail["to"]) == (before.snapshot, after.snapshot)
    assert loaded.report(other)["unchanged_since"] == before.snapshot


def test_a_new_customer_gets_a_cohort_and_one_that_is_gone_is_gone(
    loaded: World, telco_csv: Path, rows: list[Row]
) -> None:
    new = {**rows[3], "customerID": "9000-TESTS"}
    gone = rows.pop(7)
    rows.append(new)
    write_telco(telco_csv, rows)
    found = tick(loaded)
    assert found.ok, found.to_json("small")
    assert rows_of(found) == {"inserted": 1, "updated": 0, "deleted": 1, "late": 0, "changed": 2}
    numbers = names(loaded)
    assert "9000-TESTS" in numbers and gone["customerID"] not in numbers and len(numbers) == 60
    assert cohort_of(loaded, "9000-TESTS") in COHORTS


def test_after_the_ticks_a_whole_new_run_has_nothing_to_write(loaded: World) -> None:
    """The target is what a full reload would make of it, given the same crosswalk."""
    rows = {t: e["rows"] for t, e in manifest(loaded).items()}
    again = loaded.migrate(new_snapshot="true")
    assert again.ok and again.rows_written == 0, again.to_json("small")
    assert {t: e["rows"] for t, e in manifest(loaded).items()} == rows
    assert tick(loaded).tick.state == "quiet"


def test_the_sensor_asks_for_a_run_and_the_run_brings_the_change_over(
    loaded: World, telco_csv: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a process of Dagster's: a process beside it finds the same storage.
    for name, value in loaded.workspace.environment.exports.items():
        monkeypatch.setenv(name, value)
    now, sync = datetime.now(UTC), Sync()
    quiet = evaluated(loaded.workspace, loaded.instance, sync, Cursor(), now)
    assert not quiet.run_requests and "nothing changed; lag" in str(quiet.skip_reason)
    rows[10]["Churn"] = "No" if rows[10]["Churn"] == "Yes" else "Yes"
    write_telco(telco_csv, rows)
    asked = evaluated(loaded.workspace, loaded.instance, sync, Cursor(), now)
    assert asked.run_requests is not None
    [request] = asked.run_requests
    job = loaded.runner.definitions.resolve_job_def(JOB)
    done = job.execute_in_process(instance=loaded.instance, raise_on_error=False, tags=dict(request.tags))
    assert done.success
    status = names(loaded)[rows[10]["customerID"]]
    assert (status == "inactive" or status != "active") is (rows[10]["Churn"] == "Yes")
    jobs = [r.job_name for r in loaded.instance.get_runs(dg.RunsFilter(), limit=8)]
    assert JOB in jobs and "global_phase" in jobs
    assert len({r.tags[PROCESS] for r in loaded.instance.get_runs(dg.RunsFilter(), limit=5)}) == 2
    [last] = TickLog(loaded.workspace.control, "small").last()
    assert (last.state, last.snapshot_after) == ("done", loaded.workspace.record().snapshot)
    assert not evaluated(loaded.workspace, loaded.instance, sync, Cursor(), now).run_requests


def test_a_copy_that_fails_its_checks_is_told_and_the_next_tick_comes_through(
    loaded: World, telco_csv: Path, rows: list[Row], server: str
) -> None:
    before = loaded.workspace.record()
    write_telco(telco_csv, [*rows, rows[0]])
    failed = tick(loaded)
    assert (failed.ok, failed.tick.reason) == (False, "the global phase stopped at golden_copy")
    assert loaded.workspace.record() == before
    write_telco(telco_csv, rows)
    given = {"TELCO_CSV": str(telco_csv)}
    answer = command(loaded.workspace.root, server, "delta", "--plan", "small", "--json", **given)
    told = json.loads(answer.out)
    assert (answer.exit_code, told["state"], told["snapshot"]) == (0, "quiet", before.snapshot)
    shown = command(loaded.workspace.root, server, "delta", "--plan", "small", **given)
    assert shown.exit_code == 0 and "Nothing changed" in shown.out


def cohort_of(world: World, number: str) -> str:
    import pyarrow.parquet as pq

    members = pq.read_table(world.workspace.store.file("cohort_plan", "_all", "members")).to_pylist()
    return next(str(m["cohort"]) for m in members if str(m["customer_id"]).endswith(f":{number}"))


def manifest(world: World) -> dict[str, Any]:
    folder = world.workspace.store.golden(world.workspace.record().snapshot)
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["tables"]
    return found


def broken_off(world: World, telco_csv: Path, rows: list[Row], number: int) -> str:
    """A copy of a change of one customer, there and current, and nothing else had happened yet; its snapshot."""
    rows[number]["Churn"] = "No" if rows[number]["Churn"] == "Yes" else "Yes"
    write_telco(telco_csv, rows)
    taken = take_changes(
        world.workspace, copy_to_compare(world.workspace, world.workspace.record().snapshot), "tester", print
    )
    assert taken is not None
    world.workspace.store.make_current(taken.manifest.snapshot)
    return taken.manifest.snapshot


def is_as_in_the_file(world: World, row: Row) -> bool:
    return (names(world)[row["customerID"]] == "active") is (row["Churn"] == "No")


def test_a_tick_goes_on_where_an_earlier_one_was_broken_off(loaded: World, telco_csv: Path, rows: list[Row]) -> None:
    copy = broken_off(loaded, telco_csv, rows, 20)
    found = tick(loaded)
    assert found.ok and set(found.to_json("small")["carried"]) == set(), "nobody knows what they read before"
    assert loaded.workspace.record().snapshot == copy
    assert is_as_in_the_file(loaded, rows[20])


def test_and_with_what_changed_since_which_may_be_what_stopped_it(
    loaded: World, telco_csv: Path, rows: list[Row]
) -> None:
    """A copy that a later global stage refuses stays the current one; what is mended in the source has to get in."""
    copy = broken_off(loaded, telco_csv, rows, 22)
    rows[23]["Churn"] = "No" if rows[23]["Churn"] == "Yes" else "Yes"
    write_telco(telco_csv, rows)
    found = tick(loaded)
    assert found.ok, found.to_json("small")
    assert [t["changed"] for t in found.to_json("small")["tables"]] == [1], "the other one is in the copy already"
    assert loaded.workspace.record().snapshot != copy
    assert is_as_in_the_file(loaded, rows[22]) and is_as_in_the_file(loaded, rows[23])


def test_what_is_left_to_do_is_done_without_running_what_stands(loaded: World) -> None:
    """Nothing changed, but one cohort's load is not what it was found to be any more."""
    loaded.workspace.control.withdraw_verdicts(("loaded_target", "reconciliation"), ["base_01"])
    found = tick(loaded)
    told = found.to_json("small")
    assert found.ok and {c["cohort"] for c in told["cohorts"]} == {"base_01", "unassigned"}, told
    assert told["carried"] == ["pilot"] and told["rows_written"] == 0


def test_a_cohort_that_was_taken_back_is_left_alone(loaded: World, telco_csv: Path, rows: list[Row]) -> None:
    """Somebody of the pilot pays otherwise, which moves nobody from one cohort to another."""
    paying = next(r for r in rows if cohort_of(loaded, r["customerID"]) == "pilot")
    take_back(loaded.workspace, loaded.instance, ["base_01"], "tester")
    before = names(loaded)
    paying["PaymentMethod"] = "Mailed check" if paying["PaymentMethod"] != "Mailed check" else "Electronic check"
    write_telco(telco_csv, rows)
    found = tick(loaded)
    assert found.ok and {c["cohort"] for c in found.to_json("small")["cohorts"]} == {"pilot", "unassigned"}
    assert loaded.target("select count(*) from cutover.crosswalk where cohort = 'base_01'") == [(0,)]
    assert names(loaded) == before and paying["customerID"] in before
