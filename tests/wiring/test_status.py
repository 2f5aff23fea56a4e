"""Where a plan stands, and what the command line says of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from test_views import COHORTS, NO_RUNS, printed, workspace

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.control import AssetStatus, FailedCheck
from migration_assets.domain.errors import Misconfigured
from migration_assets.wiring.kpis import last_run
from migration_assets.wiring.stage_names import COHORT_STAGES
from migration_assets.wiring.status import never_or_taken_back, status_of, taken_back
from migration_assets.wiring.status_views import print_status


@pytest.fixture
def held(database: str) -> PostgresTarget:
    """A target with the record of what was loaded."""
    target = PostgresTarget(database)
    with target.transaction() as connection:
        connection.execute("CREATE SCHEMA cutover")
        connection.execute("CREATE TABLE cutover.crosswalk ()")
    return target


def standing(
    folder: Path,
    target: PostgresTarget,
    severity: Any = "critical",
    changed: str = "",
    digest: str = "d" * 64,
    **states: Any,
) -> dict[str, Any]:
    """The status of a plan in which every stage has passed but those named; these failed one check. `digest`: of the
    plan's files as they are."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    failed = FailedCheck("tables_there", severity, True, 1, "one table is gone", {}, False)

    def status(record: Any, cohorts: Any, assets: Any, now: Any) -> tuple[AssetStatus, ...]:
        return tuple(
            AssetStatus(
                cohort, asset, states.get(asset, "passed"), 4, 1, (failed,) if asset in states else (), at, "run",
                "snap", changed,
            )
            for cohort in cohorts for asset in assets
        )  # fmt: skip

    found = workspace(folder)
    found.control.status, found.plan.digest = status, digest
    record = SimpleNamespace(snapshot="snap", as_of=at, trial=False, plan_digest="d" * 64)
    found.control.current_record = lambda plan: record
    found.target = target
    return status_of(found, NO_RUNS)


def test_status_is_good_when_every_stage_has_passed_or_is_signed_for(tmp_path: Path, held: PostgresTarget) -> None:
    assert standing(tmp_path, held)["ok"] and standing(tmp_path, held, loaded_target="waived")["ok"]


def test_status_shows_where_the_last_run_left_things_while_the_plan_is_edited_and_says_so_first(
    tmp_path: Path, held: PostgresTarget
) -> None:
    assert standing(tmp_path, held)["plan_changed"] is None
    found = standing(tmp_path, held, digest="e" * 64)
    assert not found["ok"] and found["plan_changed"] == {"then": "d" * 64, "now": "e" * 64}
    assert {s["state"] for c in found["cohorts"] for s in c["stages"].values()} == {"passed"}
    said = " ".join(printed(print_status, found).split())
    assert said.startswith("The plan's files were changed since the last run (digest dddddddddddd then")
    assert "pilot" in said and "`cutover run` makes everything by it" in said


def test_status_before_the_first_run_says_how_to_begin(tmp_path: Path) -> None:
    empty = workspace(tmp_path)
    empty.control.current_record = lambda plan: None
    found = status_of(empty, NO_RUNS)
    assert not found["ok"] and found["cohorts"] == [] and "`cutover run`" in printed(print_status, found)


def test_status_says_how_far_each_cohort_is_and_what_to_do(tmp_path: Path, held: PostgresTarget) -> None:
    assert [r["place"] for r in standing(tmp_path, held)["cohorts"]] == ["verified", "verified"]
    with held.transaction() as connection:
        connection.execute("CREATE TABLE cutover.cohort_state (cohort text, state text)")
        connection.execute("INSERT INTO cutover.cohort_state VALUES ('pilot', 'applied')")
    arrival = {"loaded_target": "never", "reconciliation": "never", "verified_billing": "never"}
    found = standing(tmp_path, held, **arrival)
    assert [r["place"] for r in found["cohorts"]] == ["applied", "planned"]
    said = printed(print_status, found)
    assert "pilot is applied: its rows are in the target and not noted as loaded" in said
    assert "rest is planned: nothing of it is in the target: `cutover run --resume` goes on from here." in said


def test_status_notices_that_the_target_is_gone(tmp_path: Path, held: PostgresTarget, database: str) -> None:
    with held.transaction() as connection:
        connection.execute("DROP SCHEMA cutover CASCADE")
    dropped = PostgresTarget(database.replace("/test_", "/gone_"))
    for target in (held, dropped):
        found = standing(tmp_path, target)
        assert not found["ok"] and "holds no record of what was loaded" in printed(print_status, found)
        assert not standing(tmp_path, target, loaded_target="never")["target_lost"], "nothing was loaded into it yet"


def test_who_was_taken_back_is_not_guessed_at_while_the_target_is_away(database: str, held: PostgresTarget) -> None:
    """Whoever went on would load again what was taken back; people who look are shown the rest."""
    gone = PostgresTarget(database.replace("/test_", "/gone_"))
    tried: Any = SimpleNamespace(target=gone, control=SimpleNamespace(ever_checked=lambda _: frozenset({"pilot"})))
    for ask in (taken_back, never_or_taken_back):
        with pytest.raises(Misconfigured):
            ask(tried, ["pilot", "rest"])
    assert taken_back(tried, ["rest"]) == set() and never_or_taken_back(tried, ["rest"]) == {"rest"}, "none was tried"


def test_status_says_that_the_last_global_phase_failed(tmp_path: Path, held: PostgresTarget) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert last_run(instance, "global_phase") is None
        for outcome in ("good", "bad"):
            job = dg.JobDefinition(name="global_phase", graph_def=graph_of(outcome))
            ran = job.execute_in_process(instance=instance, raise_on_error=False)
            assert last_run(instance, "global_phase") == {
                "run_id": ran.run_id,
                "ok": outcome == "good",
                "ended": last_run(instance, "global_phase")["ended"],  # type: ignore[index]
            }
    found = standing(tmp_path, held) | {"last_global_run": {"run_id": "a1b2c3d4e5", "ok": False, "ended": "today"}}
    assert "last global phase (today) did not come through" in printed(print_status, found)


def graph_of(outcome: str) -> dg.GraphDefinition:
    @dg.op
    def work() -> None:
        if outcome == "bad":
            raise RuntimeError("no")

    return dg.GraphDefinition(name="work_graph", node_defs=[work])


@pytest.mark.parametrize("stage", ["target_schema", "cohort_plan", "loaded_target"])
@pytest.mark.parametrize("state", ["failed", "never", "stale"])
def test_status_is_not_good_where_a_stage_does_not_stand(
    tmp_path: Path, held: PostgresTarget, stage: str, state: str
) -> None:
    assert not standing(tmp_path, held, **{stage: state})["ok"]


def test_status_shows_the_global_phase_and_why_it_failed(tmp_path: Path, held: PostgresTarget) -> None:
    said = printed(print_status, standing(tmp_path, held, target_schema="failed"))
    assert "Global phase" in said and "global target_schema: tables_there: one table is gone (critical)" in said
    assert "why it is checked: What is not there holds nothing." in said


def test_a_check_that_stops_nothing_says_how_bad_it_is_and_why_it_is_made(tmp_path: Path, held: PostgresTarget) -> None:
    found = standing(tmp_path, held, severity="warning", loaded_target="passed")
    told = found["cohorts"][0]["stages"]["loaded_target"]["failed"]
    assert told == [
        {
            "check": "tables_there", "severity": "warning", "evaluated": True, "rows": 1, "detail": "one table is gone",
            "why": "What is not there holds nothing.",
        }
    ]  # fmt: skip
    said = printed(print_status, found)
    assert "loaded_target.tables_there" in said and "What is not there holds nothing." in said
    assert "pilot, rest" in said and "warning" in said


def test_what_is_stale_says_what_has_changed_once_for_all_that_it_is_true_of(
    tmp_path: Path, held: PostgresTarget
) -> None:
    changed = "of snapshot S1, not S2"
    found = standing(tmp_path, held, changed=changed, cleansed_customers="stale", loaded_target="stale")
    assert found["cohorts"][0]["stages"]["loaded_target"]["changed"] == changed
    assert found["cohorts"][0]["stages"]["loaded_target"]["failed"] == [], "what it found is about another snapshot"
    said = printed(print_status, found)
    assert said.count(changed) == 1 and "stages of pilot (2), rest (2)." in said


def test_status_shows_the_key_figures_of_each_cohort_and_of_all(tmp_path: Path, held: PostgresTarget) -> None:
    found = standing(tmp_path, held, loaded_target="failed")
    assert set(found["kpis"]["cohorts"]) == set(COHORTS)
    # Four checks of each stage, and in each of two cohorts one that failed.
    run = 4 * len(COHORT_STAGES)
    assert found["kpis"]["cohorts"]["pilot"]["checks_run"] == run
    assert found["kpis"]["overall"]["checks_passed"] == 2 * (run - 1)
    said = printed(print_status, found)
    assert "Key figures" in said and f"{100 * (run - 1) / run:.3f}".rstrip("0") in said
