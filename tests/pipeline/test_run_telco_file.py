"""The public telco file, whole: the numbers that anybody can count in it are the numbers in the target.

The file is not part of this repository: TELCO_CSV names it, or it lies beside it.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from world import REPOSITORY, World, add_plan, make_root, opened

from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

FILE = Path(os.environ.get("TELCO_CSV") or REPOSITORY / "../shared/data/telco/Telco-Customer-Churn.csv").resolve()
COHORTS = "cohorts:\n  - {name: everybody, wave: 1, buckets: 1, description: Everybody in one run.}\n"
HELD = {
    "phone": 6_361,
    "multiple_lines": 2_971,
    "internet_dsl": 2_421,
    "internet_fiber": 3_096,
    "online_security": 2_019,
    "online_backup": 2_429,
    "device_protection": 2_422,
    "tech_support": 2_044,
    "streaming_tv": 2_707,
    "streaming_movies": 2_732,
}


@pytest.fixture(scope="module")
def whole(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not FILE.is_file():
        pytest.skip("the telco file is not here: set TELCO_CSV to Telco-Customer-Churn.csv")
    root = make_root(tmp_path_factory.mktemp("whole"))
    add_plan(root, "telco", "telco_file", COHORTS)
    with opened(root, "telco_file", server, {"TELCO_CSV": str(FILE)}) as world:
        yield world


@pytest.fixture(scope="module")
def whole_run(whole: World) -> Summary:
    return whole.migrate()


def test_all_7043_customers_are_accounted_for(whole: World, whole_run: Summary) -> None:
    assert whole_run.ok, whole_run.to_json("telco_file")
    sources = [row for cohort in whole_run.cohorts for row in whole.report(cohort)["sources"]]
    assert sum(row["read"] for row in sources) == sum(row["loaded"] for row in sources) == 7_043
    assert whole.target("select count(*) from telecom.accounts") == [(7_043,)]


def test_monthly_charges_are_45611660_cents_on_both_sides(whole: World, whole_run: Summary) -> None:
    money = [row for cohort in whole_run.cohorts for row in whole.report(cohort)["money"]]
    charges = [row for row in money if row["measure"] == "monthly_charges"]
    assert sum(row["source_minor"] for row in charges) == sum(row["target_minor"] for row in charges) == 45_611_660
    assert whole.target("select sum(recurring_minor)::bigint from telecom.subscription_items") == [(45_611_660,)]


def test_every_customer_who_stays_is_billed_the_monthly_charge_and_nobody_else(
    whole: World, whole_run: Summary
) -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    charges = {r["customerID"]: int(Decimal(r["MonthlyCharges"]) * 100) for r in rows if r["Churn"] == "No"}
    assert (len(charges), sum(charges.values()), len(rows) - len(charges)) == (5_174, 31_698_575, 1_869)
    for asset in ("shadow_billing", "verified_billing"):
        paths = sorted(whole.workspace.store.root.glob(f"{asset}/*/forecast.parquet"))
        told = [row for path in paths for row in pq.read_table(path).to_pylist()]
        for side in ("legacy", "target"):
            billed = {r["contract_id"]: (r[f"{side}_bills"], r[f"{side}_minor"]) for r in told if r[f"{side}_bills"]}
            assert billed == {own: (12, 12 * charge) for own, charge in charges.items()}
        differ = whole.workspace.store.root.glob(f"{asset}/*/bill_differences.parquet")
        assert [pq.read_metadata(path).num_rows for path in differ] == [0] * len(paths)


def test_the_eleven_blank_totals_are_defaulted_by_the_rule_and_listed(whole: World, whole_run: Summary) -> None:
    notes = [
        row
        for path in whole.workspace.store.root.glob("transformed_entitlements/*/notes.parquet")
        for row in pq.read_table(path).to_pylist()
        if row["action"] == "defaulted"
    ]
    assert len(notes) == len({row["source_id"] for row in notes}) == 11
    assert {(row["entity"], row["field"], row["new_value"]) for row in notes} == {
        ("subscription", "billed_to_date_minor", "0")
    }
    changes = [row for cohort in whole_run.cohorts for row in whole.report(cohort)["changes"]]
    listed = [row for row in changes if row["action"] == "defaulted"]
    assert sum(row["rows"] for row in listed) == 11
    assert {(row["table"], row["field"]) for row in listed} == {
        ("telco.customers", "subscription.billed_to_date_minor")
    }


def test_the_nine_services_are_29202_entitlements(whole: World, whole_run: Summary) -> None:
    found = dict(whole.target("select feature_code, count(*) from telecom.entitlements group by 1"))
    assert found == HELD and sum(found.values()) == 29_202
    assert found["internet_dsl"] + found["internet_fiber"] == 5_517


def test_the_1869_who_left_arrive_with_everything_ended(whole: World, whole_run: Summary) -> None:
    gone = "from telecom.accounts a join telecom.subscriptions s using (account_id) where a.status = 'churned'"
    assert whole.target(f"select count(*), count(s.ends_at), count(*) filter (where s.status = 'ended') {gone}") == [
        (1_869, 1_869, 1_869)
    ]
    theirs = f"account_id in (select account_id {gone})"
    running = f"select count(*) from telecom.entitlements where ends_at is null and {theirs}"
    assert whole.target(running) == [(0,)]
    assert whole.target("select count(*) from telecom.subscriptions where ends_at is not null") == [(1_869,)]


def test_running_it_again_writes_nothing(whole: World, whole_run: Summary) -> None:
    again = whole.migrate("everybody_01")
    assert again.ok and again.rows_written == 0
