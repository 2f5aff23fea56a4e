"""Acme with every defect that was planted: what arrived, and what was left behind and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from telco_rows import telco_rows, write_telco
from world import World, add_plan, command, opened, target_ids

from migration_assets.demo import Legacy
from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


COHORTS = ("pilot", "rest_01", "unassigned")
COUNTS = ("loaded", "merged", "rejected", "excluded")


@pytest.fixture(scope="module")
def reports(acme: World, acme_run: Summary) -> dict[str, dict[str, Any]]:
    return {cohort: acme.report(cohort) for cohort in COHORTS}


@pytest.fixture(scope="module")
def fates(acme: World, acme_run: Summary) -> dict[str, list[tuple[str, str]]]:
    """'crm.accounts/A-00000001' -> its dispositions (disposition, rule); there should be one."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(acme.workspace.store.root.glob("*/*/dispositions.parquet")):
        for row in pq.read_table(path).to_pylist():
            key = f"{row['source_system']}.{row['source_table']}/{row['source_id']}"
            found.setdefault(key, []).append((row["disposition"], row["rule"]))
    return found


def test_every_cohort_passes(acme_run: Summary) -> None:
    assert acme_run.ok, {name: phase.failed_checks or phase.reason for name, phase in acme_run.cohorts.items()}
    assert tuple(acme_run.cohorts) == COHORTS and acme_run.rows_written > 5_000


def test_every_source_row_is_loaded_merged_rejected_or_excluded_once(
    reports: dict[str, dict[str, Any]], legacy: Legacy, fates: dict[str, list[tuple[str, str]]]
) -> None:
    read: Counter[str] = Counter()
    for report in reports.values():
        for row in report["sources"]:
            assert row["read"] == sum(row[c] for c in COUNTS), (report["cohort"], row)
            read[row["table"]] += row["read"]
    assert dict(read) == legacy.truth["rows"]
    assert [key for key, found in fates.items() if len(found) != 1] == []


def test_nothing_is_left_behind_without_a_rule(reports: dict[str, dict[str, Any]]) -> None:
    reasons = [reason for report in reports.values() for reason in report["reasons"]]
    assert reasons and all(reason["rule"] for reason in reasons)
    left = sum(row[c] for report in reports.values() for row in report["sources"] for c in COUNTS[1:])
    assert sum(reason["rows"] for reason in reasons) == left


@pytest.mark.parametrize(
    ("kind", "fate"),
    [
        ("soft_deleted", ("excluded", "soft_deleted_account")),
        ("test_account", ("excluded", "test_account")),
        ("stale_lead", ("excluded", "stale_lead")),
        ("orphan_contact", ("rejected", "orphan")),
        ("orphan_subscription", ("rejected", "orphan")),
        ("orphan_invoice", ("rejected", "orphan")),
        ("inverted_subscription", ("rejected", "inverted_period")),
        ("inverted_override", ("rejected", "inverted_period")),
        ("negative_quantity", ("rejected", "negative_quantity")),
    ],
)
def test_what_was_planted_meets_its_rule(
    kind: str, fate: tuple[str, str], legacy: Legacy, fates: dict[str, list[tuple[str, str]]]
) -> None:
    planted = legacy.truth["defects"][kind]
    assert planted and {key: fates[key] for key in planted} == {key: [fate] for key in planted}


@pytest.mark.parametrize("kind", ["duplicate_account", "duplicate_erp_customer"])
def test_exact_duplicates_become_one_customer(
    kind: str, acme: World, acme_run: Summary, legacy: Legacy, fates: dict[str, list[tuple[str, str]]]
) -> None:
    planted = legacy.truth["defects"][kind]
    assert planted
    for copy in planted:
        original = legacy.truth["originals"][kind][copy]
        assert "merged" in {fates[copy][0][0], fates[original][0][0]}, (copy, fates[copy], fates[original])
        assert target_ids(acme, copy) == target_ids(acme, original)


def test_erased_people_do_not_come_back_from_the_erp(
    acme: World, acme_run: Summary, legacy: Legacy, fates: dict[str, list[tuple[str, str]]]
) -> None:
    erased = {key.split("/")[1] for key in legacy.truth["defects"]["erased"]}
    debtors = [row for row in legacy.tables["erp.customers"].to_pylist() if row["crm_account_id"] in erased]
    assert debtors, "the ERP was never told of the erasure"
    for row in debtors:
        account, debtor = f"crm.accounts/{row['crm_account_id']}", f"erp.customers/{row['customer_no']}"
        assert fates[debtor] == [("merged", "debtor_of_account")]
        (owner,) = target_ids(acme, account)
        assert target_ids(acme, debtor) == [owner]
        known = acme.target(
            f"select name, status, email, phone, tax_id from app.accounts where account_id = '{owner[0]}'"
        )
        assert known == [("(erased)", "erased", None, None, None)]
        for table in ("contacts", "addresses"):
            assert acme.target(f"select count(*) from app.{table} where account_id = '{owner[0]}'") == [(0,)]
    shown = {value.strip().lower() for row in debtors for value in (row["name"], row["email"]) if value}
    assert shown and not (shown - _names_of_others(legacy, erased)) & _target_texts(acme)


def _names_of_others(legacy: Legacy, erased: set[str]) -> set[str]:
    """Two people may have the same name: names that somebody else has, too, prove nothing."""
    others = [row["name"] for row in legacy.tables["erp.customers"].to_pylist() if row["crm_account_id"] not in erased]
    others += legacy.tables["crm.accounts"]["name"].to_pylist() + legacy.tables["crm.contacts"]["full_name"].to_pylist()
    others += legacy.tables["crm.users"]["full_name"].to_pylist()
    return {name.strip().lower() for name in others if name}


def _target_texts(acme: World) -> set[str]:
    """Every value of every text column of the target, in lower case."""
    columns = acme.target(
        "select table_name, column_name from information_schema.columns"
        " where table_schema = 'app' and data_type in ('text', 'character varying', 'character')"
    )
    assert len(columns) > 50
    queries = [f'select distinct lower("{column}") from app."{table}"' for table, column in columns]
    return {value for query in queries for (value,) in acme.target(query) if value}


def test_no_two_entitlements_of_a_customer_contradict_each_other(acme: World, acme_run: Summary) -> None:
    assert acme.target("select count(*) from app.entitlements where granted_by = 'override'") > [(0,)]
    assert acme.target("select count(*) from app.entitlements where granted_by = 'add_on'") > [(0,)]
    contradictions = acme.target("""
        select a.entitlement_id, b.entitlement_id from app.entitlements a join app.entitlements b
        on a.account_id = b.account_id and a.feature_code = b.feature_code and a.entitlement_id <> b.entitlement_id
        and a.starts_at < coalesce(b.ends_at, 'infinity') and b.starts_at < coalesce(a.ends_at, 'infinity')
        where (a.granted_by = 'override' and a.region in ('*', b.region))
        or (a.subscription_id = b.subscription_id and a.region = b.region and a.allowed <> b.allowed)""")
    # An override for everywhere lifts no geo rule; the demo's rules forbid where nobody is served.
    assert contradictions == []


def test_money_agrees_to_the_last_minor_unit_with_what_was_made_up(
    reports: dict[str, dict[str, Any]], acme: World, legacy: Legacy
) -> None:
    money = [row for report in reports.values() for row in report["money"]]
    assert money and all(row["difference_minor"] == 0 for row in money)
    invoiced: Counter[str] = Counter()
    for row in (row for row in money if row["measure"] == "invoiced_total"):
        invoiced[row["currency"]] += row["source_minor"]
    exponents = {"JPY": 0, "KWD": 3}
    made_up = {
        currency: Decimal(total).scaleb(exponents.get(currency, 2))
        for currency, total in legacy.truth["money"]["invoiced"].items()
    }
    assert dict(invoiced) == made_up


def test_loading_again_writes_nothing(acme: World, acme_run: Summary) -> None:
    before = acme.target("select count(*), max(loaded_at), min(loaded_at) from cutover.crosswalk")
    for cohort in COHORTS:
        again = acme.materialize("loaded_target", cohort)
        assert again.ok and again.rows_written == 0, (cohort, again)
    assert acme.target("select count(*), max(loaded_at), min(loaded_at) from cutover.crosswalk") == before


@pytest.fixture(scope="module")
def telco(acme: World, acme_run: Summary, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The telco plan in the same root and on the same server, run after Acme."""
    root = acme.workspace.root
    one_cohort = "cohorts:\n  - {name: pilot, wave: 1, buckets: 1, description: Everybody.}\n"
    add_plan(root, "telco", "telco", one_cohort)
    file = write_telco(tmp_path_factory.mktemp("beside") / "customers.csv", telco_rows())
    with opened(root, "telco", server, {"TELCO_CSV": str(file)}) as world:
        yield world


def test_two_plans_on_one_server_do_not_see_each_other(acme: World, telco: World, server: str) -> None:
    before = _own(acme)
    assert telco.instance.get_dynamic_partitions("cohort") == [] and telco.instance.get_runs_count() == 0
    assert telco.migrate().ok
    assert set(telco.instance.get_dynamic_partitions("cohort")) == {"pilot_01", "unassigned"}
    assert _own(acme) == before
    theirs = _own(telco)
    again = acme.runner.phase("cohort_phase", cohort="unassigned")
    assert again.ok and again.rows_written == 0
    assert _own(telco) == theirs
    answer = command(acme.workspace.root, server, "status", "--plan", "acme", "--json")
    assert [c["cohort"] for c in json.loads(answer.out)["cohorts"]] == list(COHORTS)


def _own(world: World) -> tuple[Any, ...]:
    """Partitions, number of runs, store and rows of one plan."""
    return (
        sorted(world.instance.get_dynamic_partitions("cohort")),
        world.instance.get_runs_count(),
        sorted(str(p) for p in world.workspace.store.root.rglob("*.parquet")),
        world.target("select count(*), max(loaded_at) from cutover.crosswalk"),
        world.control("select count(*) from verdict"),
    )
