"""What anybody may expect of a migration, shown on the telco plan with 60 customers, in the order of a working day."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from graphql_client import graphql
from telco_rows import telco_rows, write_telco
from world import Answer, World, change, command

from migration_assets.wiring.kpis import kpis_of
from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def test_every_customer_arrives_and_the_cohorts_add_up_to_the_file(small: World, small_run: Summary) -> None:
    assert small_run.ok, small_run.to_json("small")
    assert list(small_run.cohorts) == ["pilot", "base_01", "unassigned"]
    read = [row["read"] for cohort in small_run.cohorts for row in small.report(cohort)["sources"]]
    assert (read, sum(read)) == ([10, 50, 0], 60)
    assert small.target("select count(*) from telecom.accounts") == [(60,)]
    cents = sum(round(float(row["MonthlyCharges"]) * 100) for row in telco_rows())
    assert small.target("select sum(recurring_minor)::bigint from telecom.subscription_items") == [(cents,)]


def test_the_key_figures_are_of_every_customer_and_dagster_plots_them(small: World, small_run: Summary) -> None:
    figures = kpis_of(small.workspace, small.instance, list(small_run.cohorts), datetime.now(UTC))
    overall = figures["overall"]
    assert (overall["rows_read"], overall["rows_loaded"], overall["error_rate_percent"]) == (60, 60, 0.0)
    assert overall["checks_run"] > 100 and overall["checks_passed"] <= overall["checks_run"]
    each = [f["duration_seconds"] for f in figures["cohorts"].values()]
    assert all(each) and max(each) <= overall["duration_seconds"] <= sum(each) + 0.5
    event = small.instance.get_latest_materialization_event(dg.AssetKey("reconciliation"))
    assert event and event.asset_materialization
    metadata = event.asset_materialization.metadata
    plotted = {"rows read", "rows loaded", "checks run", "validation success percent", "duration seconds"}
    assert plotted <= set(metadata) and isinstance(metadata["duration seconds"], dg.FloatMetadataValue)


def test_status_is_good_and_shows_the_global_phase(
    small: World, small_run: Summary, server: str, telco_csv: Path
) -> None:
    answer = command(small.workspace.root, server, "status", "--plan", "small", "--json", TELCO_CSV=str(telco_csv))
    found = json.loads(answer.out)
    assert answer.exit_code == 0 and found["ok"]
    assert {s["state"] for s in found["global"].values()} == {"passed"}
    assert found["kpis"]["overall"]["rows_loaded"] == 60


def test_a_second_run_writes_nothing(small: World, small_run: Summary) -> None:
    before = _recorded(small)
    again = small.migrate("base_01")
    assert again.ok and again.rows_written == 0
    assert _recorded(small) == before


def test_a_changed_rule_makes_the_verdict_it_gave_stale(small: World, small_run: Summary) -> None:
    # One right above the load, and one far upstream of it.
    for asset in ("cleansed_customers", "cohort_plan"):
        suite = small.workspace.root / "expectations" / f"{asset}.yaml"
        before = suite.read_text(encoding="utf-8")
        name = next(line for line in before.splitlines() if "- check:" in line)
        suite.write_text(before.replace(name, name + "_anew", 1), encoding="utf-8")
        refused = small.reopened().materialize("loaded_target", "pilot")
        assert not refused.ok and f"the verdict of `{asset}` is by rules that have changed since" in str(refused.reason)
        suite.write_text(before, encoding="utf-8")
    assert small.reopened().materialize("loaded_target", "pilot").ok


def test_a_copy_that_fails_its_own_checks_leaves_the_one_before_in_its_place(
    small: World, small_run: Summary, telco_csv: Path
) -> None:
    present, rows = small.workspace.store.current_snapshot(), telco_rows()
    write_telco(telco_csv, [*rows, rows[0]])
    failed = small.migrate("pilot", new_snapshot="true")
    assert failed.global_phase.stopped_at == "golden_copy" and failed.cohorts == {}
    assert small.workspace.store.current_snapshot() == present
    for asset in ("profiled_source", "loaded_target"):
        assert small.materialize(asset, "pilot").ok, "what was loaded still stands on the copy it came from"
    write_telco(telco_csv, rows)
    assert small.migrate("pilot").ok


def test_a_first_dry_run_passes_every_stage_and_leaves_the_target_empty(small_dry_run: tuple[Summary, int]) -> None:
    done, held = small_dry_run
    assert done.ok, done.to_json("small")
    assert done.rows_written == 0 and held == 0


def test_a_dry_run_writes_nothing_and_the_next_load_mends_what_is_missing(small: World, small_run: Summary) -> None:
    small.target("delete from telecom.payment_methods where account_id in (select account_id from telecom.accounts"
                 " where account_number = '1000-TESTS')")  # fmt: skip
    before = _recorded(small)
    (cohort,) = _cohort_of(small, "1000-TESTS")
    done = small.runner.phase("cohort_dry_run", cohort=cohort, tags={"cutover/dry_run": "true"})
    assert done.ok and done.rows_written == 0 and _recorded(small) == before
    assert small.target("select count(*) from telecom.payment_methods") == [(59,)]
    mended = small.materialize("loaded_target", cohort)
    assert mended.ok and mended.rows_written == 1
    assert small.target("select count(*) from telecom.payment_methods") == [(60,)]


BREAKS = {
    "deleted": "delete from telecom.payment_methods where payment_method_id = '{payment_methods}'",
    "a cent": "update telecom.subscriptions set billed_to_date_minor = billed_to_date_minor + 1"
    " where subscription_id = '{subscriptions}'",
    "trailing space": "update telecom.accounts set name = name || ' ' where account_id = '{accounts}'",
    "NULL to empty": "update telecom.payment_methods set token = '' where payment_method_id = '{payment_methods_2}'",
    "swapped": "update telecom.subscriptions s set plan_code = o.plan_code from telecom.subscriptions o"
    " where (s.subscription_id, o.subscription_id) in (('{one}', '{two}'), ('{two}', '{one}'))",
}


def test_reconcile_names_exactly_the_rows_that_were_changed_by_hand(
    small: World, small_run: Summary, server: str, telco_csv: Path
) -> None:
    hit = _rows_to_break(small)
    _save(small)
    for statement in BREAKS.values():
        small.target(statement.format(**hit))
    answer = command(
        small.workspace.root, server, "reconcile", "--plan", "small", "--cohort", "pilot", TELCO_CSV=str(telco_csv)
    )
    differences = {(d["kind"], d["table"], d["key"], d["column"]) for d in small.report("pilot")["differences"]}
    assert answer.exit_code == 1
    assert differences == {
        ("missing", "payment_methods", hit["payment_methods"], ""),
        ("changed", "subscriptions", hit["subscriptions"], "billed_to_date_minor"),
        ("changed", "accounts", hit["accounts"], "name"),
        ("changed", "payment_methods", hit["payment_methods_2"], "token"),
        ("changed", "subscriptions", hit["one"], "plan_code"),
        ("changed", "subscriptions", hit["two"], "plan_code"),
    }
    assert all(key in answer.out.replace("\n", "") for key in hit.values()), answer.out
    _put_back(small)
    assert small.runner.reconcile(["pilot"])["pilot"].ok
    assert small.report("pilot")["differences"] == []


def test_a_reconciliation_needs_nothing_of_what_dagster_knew_of_cohorts(small: World, small_run: Summary) -> None:
    """Its storage may have been lost: the migration record has them."""
    for cohort in small_run.cohorts:
        small.instance.delete_dynamic_partition("cohort", cohort)
    found = small.runner.reconcile()
    assert {name: r.ok for name, r in found.items()} == dict.fromkeys(small_run.cohorts, True)
    assert sorted(small.instance.get_dynamic_partitions("cohort")) == sorted(small_run.cohorts)


def test_a_repair_puts_back_all_but_money_and_a_person_decides_that(
    small: World, small_run: Summary, server: str, telco_csv: Path
) -> None:
    def cutover(*words: str) -> Answer:
        return command(small.workspace.root, server, *words, "--plan", "small", TELCO_CSV=str(telco_csv))

    hit = _rows_to_break(small)
    _save(small)
    for kind in ("deleted", "a cent", "trailing space", "NULL to empty"):
        small.target(BREAKS[kind].format(**hit))
    answer = cutover("reconcile", "--cohort", "pilot", "--repair", "--json")
    assert answer.exit_code == 1
    assert json.loads(answer.out)["repair"] == [
        {
            "cohort": "pilot",
            "before": {"missing": 1, "changed": 3, "extra": 0},
            "rows_written": 3,
            "after": {"missing": 0, "changed": 1, "extra": 0},
            "waiting_for_a_person": 1,
        }
    ]
    (waiting,) = json.loads(cutover("review", "conflicts", "--json").out)["conflicts"]
    told = (waiting["table"], waiting["target_id"], waiting["column"], waiting["currency"], waiting["amount_minor"])
    assert told == ("subscriptions", hit["subscriptions"], "billed_to_date_minor", "USD", 1)

    def settled(word: str) -> Answer:
        return cutover("review", "settle", str(waiting["conflict"]), word, "--reason", "As agreed with finance.")

    assert settled("target").exit_code == 0
    assert not small.runner.reconcile(["pilot"])["pilot"].ok, "a control total of finance's is off all the same"
    report = small.report("pilot")
    assert (report["differences"], report["left"]) == ([], 1) and report["controls_off"]
    assert settled("source").exit_code == 0
    done = small.runner.phase("cohort_arrival", cohort="pilot")
    assert done.ok and done.rows_written == 1
    for table, (key, columns) in COLUMNS.items():
        now, before = (f"select {key}, {columns} from {t} order by 1" for t in (f"telecom.{table}", f"saved_{table}"))
        assert small.target(now) == small.target(before)
    _put_back(small)


def _rows_to_break(small: World) -> dict[str, str]:
    """Rows of customers of the pilot; two of them have different plans, which can be swapped."""
    query = """
        select a.account_id::text, s.subscription_id::text, p.payment_method_id::text, s.plan_code
        from telecom.accounts a join telecom.subscriptions s using (account_id)
        join telecom.payment_methods p using (account_id) join cutover.crosswalk x on x.target_id = a.account_id
        where x.cohort = 'pilot' and x.entity = 'customer' order by a.account_number
    """
    first, second, third, *others = small.target(query)
    return {
        "accounts": first[0],
        "subscriptions": first[1],
        "payment_methods": first[2],
        "payment_methods_2": second[2],
        "one": third[1],
        "two": next(o[1] for o in others if o[3] != third[3]),
    }


COLUMNS = {
    "payment_methods": ("payment_method_id", "token"),
    "subscriptions": ("subscription_id", "billed_to_date_minor, plan_code"),
    "accounts": ("account_id", "name"),
}


def _save(small: World) -> None:
    for table in COLUMNS:
        small.target(f"create table public.saved_{table} as select * from telecom.{table}")


def _put_back(small: World) -> None:
    for table, (key, columns) in COLUMNS.items():
        theirs = ", ".join(f"s.{c}" for c in columns.split(", "))
        ours = ", ".join(f"t.{c}" for c in columns.split(", "))
        small.target(f"update telecom.{table} t set ({columns}) = row({theirs}) from public.saved_{table} s"
                     f" where s.{key} = t.{key} and row({theirs}) is distinct from row({ours})")  # fmt: skip
        small.target(f"insert into telecom.{table} select * from public.saved_{table} on conflict do nothing")
        small.target(f"drop table public.saved_{table}")


# What is said of it: no code is quoted, because what stands where one belongs may be somebody's name.
UNKNOWN = "subscription.plan_code: 2 with 1 different value"


@pytest.fixture(scope="module")
def unknown_code(small: World, small_run: Summary, telco_csv: Path) -> Summary:
    """A new snapshot, in which two customers of `base_01` have a contract that no code list knows."""
    rows = telco_rows()
    strange = [i for i, row in enumerate(rows) if _cohort_of(small, row["customerID"]) == ["base_01"]][:2]
    for i in strange:
        rows[i]["Contract"] = "Three year"
    write_telco(telco_csv, rows)
    return small.migrate(new_snapshot="true")


def test_an_unknown_code_stops_its_cohort_and_no_other(small: World, unknown_code: Summary) -> None:
    assert {name: phase.ok for name, phase in unknown_code.cohorts.items()} == {
        "pilot": True, "base_01": False, "unassigned": True,
    }  # fmt: skip
    stopped = unknown_code.cohorts["base_01"]
    assert stopped.stopped_at == "transformed_entitlements" and stopped.rows_written == 0
    assert unknown_code.exit_code == 1


def test_history_shows_the_failure_for_that_cohort_alone_with_field_and_count(
    small: World, unknown_code: Summary
) -> None:
    for named in unknown_code.cohorts["base_01"].failed_checks:
        asset, _, check = named.partition(".")
        key = dg.AssetCheckKey(dg.AssetKey(asset), check)
        by_cohort = {
            cohort: _last_evaluation(small.instance, key, cohort) for cohort in ("pilot", "base_01", "unassigned")
        }
        assert {cohort: e.passed for cohort, e in by_cohort.items()} == {
            "pilot": True, "base_01": False, "unassigned": True,
        }  # fmt: skip
    said = " ".join(
        v.detail for v in small.workspace.control.verdicts("base_01", "transformed_entitlements") if not v.passed
    )
    assert UNKNOWN in said and "Three year" not in said, said


def _last_evaluation(instance: dg.DagsterInstance, key: dg.AssetCheckKey, cohort: str) -> Any:
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
    events = [r.event.dagster_event for r in history if r.event and r.event.dagster_event]
    mine = [e.asset_check_evaluation_data for e in events if e.partition == cohort or _partition(e) == cohort]
    assert mine, f"no evaluation of {key.to_user_string()} for {cohort}"
    return mine[0]


def _partition(event: Any) -> str | None:
    found = getattr(event.event_specific_data, "partition", None)
    return str(found) if found is not None else None


def test_loading_the_stopped_cohort_alone_is_refused_with_the_reason(small: World, unknown_code: Summary) -> None:
    before = _recorded(small)
    refused = small.materialize("loaded_target", "base_01")
    assert not refused.ok and refused.exit_code == 1
    assert refused.reason is not None
    assert "cohort `base_01` may not go on" in refused.reason and "`transformed_entitlements` failed" in refused.reason
    assert _recorded(small) == before
    assert small.materialize("loaded_target", "pilot").ok


HISTORY = """query History($asset: AssetKeyInput!, $check: String!, $cohort: String!) {
  assetCheckExecutions(assetKey: $asset, checkName: $check, partition: $cohort, limit: 1) {
    evaluation { success } } }"""
FAILURE = """query Failure($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on ExecutionStepFailureEvent { stepKey error { message cause { message } } } } } } }"""


# Dagster reads this property of its own schedules whenever a code location is loaded in this process.
@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")
def test_graphql_shows_the_history_by_cohort_and_refuses_the_load_with_the_reason(
    small: World, unknown_code: Summary
) -> None:
    before = _recorded(small)
    asset, _, check = unknown_code.cohorts["base_01"].failed_checks[0].partition(".")
    with graphql(small) as client:
        shown = {
            cohort: client.ask(HISTORY, {"asset": {"path": [asset]}, "check": check, "cohort": cohort})
            for cohort in ("pilot", "base_01")
        }
        run = client.materialize("loaded_target", "base_01")
        events = client.ask(FAILURE, {"run": run})["logsForRun"]["events"]
        assert client.process.instance.get_run_by_id(run).status == dg.DagsterRunStatus.FAILURE
    assert {c: [e["evaluation"]["success"] for e in s["assetCheckExecutions"]] for c, s in shown.items()} == {
        "pilot": [True], "base_01": [False],
    }  # fmt: skip
    (failure,) = [e for e in events if e]
    assert failure["stepKey"] == "loaded_target"
    assert "cohort `base_01` may not go on" in str(failure["error"])
    assert _recorded(small) == before


def test_status_says_why_the_cohort_stopped(small: World, unknown_code: Summary, server: str, telco_csv: Path) -> None:
    answer = command(small.workspace.root, server, "status", "--plan", "small", "--json", TELCO_CSV=str(telco_csv))
    assert answer.exit_code == 1
    assert UNKNOWN in answer.out and "Three year" not in answer.out


def test_mapping_mistakes_are_caught_by_the_control_totals_though_every_stage_agrees_with_itself(
    small: World, unknown_code: Summary, telco_csv: Path
) -> None:
    write_telco(telco_csv, telco_rows())
    folder = small.workspace.plan.folder
    change(folder / "codes/contract_plan.csv", "One year,one_year,", "One year,two_year,")
    change(folder / "mapping/subscription_item.csv", "recurring_minor,telco,customers,MonthlyCharges,money,",
           "recurring_minor,telco,customers,tenure,money,")  # fmt: skip
    change(folder / "mapping/feeds.csv", "payment_methods,payment_method,telco,customers,,",
           'payment_methods,payment_method,telco,customers,"[{""field"": ""PaymentMethod"", ""op"": ""ne"", '
           '""value"": ""Credit card (automatic)""}]",')  # fmt: skip
    wrong = small.reopened().migrate("base_01", new_snapshot="true")
    assert wrong.cohorts["base_01"].stopped_at == "reconciliation", wrong.to_json("small")
    report = small.report("base_01")
    assert report["differences"] == [], "the target is what the stages say it should be"
    assert {c["measure"] for c in report["controls_off"]} == {
        "subscriptions_one_year", "subscriptions_two_year", "monthly_charges", "payment_methods",
        "payment_methods_card",
    }  # fmt: skip


def _recorded(small: World) -> list[tuple[Any, ...]]:
    """Crosswalk and ledger, every row of them."""
    crosswalk = "select 'crosswalk', md5(string_agg(c::text, '|' order by c::text)) from cutover.crosswalk c"
    ledger = "select 'ledger', md5(string_agg(l::text, '|' order by l::text)) from cutover.load_ledger l"
    return small.target(f"{crosswalk} union all {ledger} order by 1")


def _cohort_of(small: World, customer: str) -> list[str]:
    query = f"select cohort from cutover.crosswalk where entity = 'customer' and source_id = '{customer}'"
    return [row[0] for row in small.target(query)]
