"""Acme with every defect that was planted: what arrived, what was left behind and why, and what must never show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from telco_rows import telco_rows, write_telco
from world import World, add_plan, asked, change, command, opened

from migration_assets.control import ReviewQueue
from migration_assets.demo import Legacy
from migration_assets.wiring.conflicts import conflicts_in
from migration_assets.wiring.execute import Summary

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
        assert _target_ids(acme, copy) == _target_ids(acme, original)


def test_erased_people_do_not_come_back_from_the_erp(
    acme: World, acme_run: Summary, legacy: Legacy, fates: dict[str, list[tuple[str, str]]]
) -> None:
    erased = {key.split("/")[1] for key in legacy.truth["defects"]["erased"]}
    debtors = [row for row in legacy.tables["erp.customers"].to_pylist() if row["crm_account_id"] in erased]
    assert debtors, "the ERP was never told of the erasure"
    for row in debtors:
        account, debtor = f"crm.accounts/{row['crm_account_id']}", f"erp.customers/{row['customer_no']}"
        assert fates[debtor] == [("merged", "debtor_of_account")]
        (owner,) = _target_ids(acme, account)
        assert _target_ids(acme, debtor) == [owner]
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


def _target_ids(acme: World, key: str) -> list[tuple[Any, ...]]:
    table, _, source_id = key.partition("/")
    system, _, name = table.partition(".")
    return acme.target(
        f"select target_id from cutover.crosswalk where entity = 'customer' and source_system = '{system}'"
        f" and source_table = '{name}' and source_id = '{source_id}'"
    )


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


def test_secrets_are_never_read(acme: World, acme_run: Summary, legacy: Legacy) -> None:
    secrets = set(legacy.tables["crm.users"]["password_hash"].to_pylist())
    assert secrets
    for path in acme.workspace.store.root.rglob("*.parquet"):
        table = pq.read_table(path)
        assert "password_hash" not in table.column_names, path.name
        for column in (c for c in table.columns if str(c.type) == "string"):
            assert not secrets & set(column.to_pylist()), path.name
    told = _everything_told(acme)
    assert not [s for s in secrets if s in told]
    columns = "select column_name from information_schema.columns where table_schema in ('app', 'cutover')"
    assert len(acme.target(columns)) > 100
    columns += " and column_name ~ 'password'"
    assert acme.target(columns) == []


def test_personal_values_do_not_show_in_history_checks_verdicts_or_logs(
    acme: World, acme_run: Summary, legacy: Legacy
) -> None:
    told = _everything_told(acme)
    assert "cleansed_customers" in told, "we looked at the right place"
    personal = {
        value
        for table, column in (("crm.accounts", "email"), ("crm.contacts", "email"), ("crm.accounts", "name"),
                              ("crm.addresses", "line1"), ("erp.customers", "name"), ("erp.customers", "tax_no"))
        for value in legacy.tables[table][column].to_pylist()
        if value and len(value.strip()) > 7
    }  # fmt: skip
    assert len(personal) > 500
    shown = [v for v in personal if v in told or json.dumps(v)[1:-1] in told or v.strip().lower() in told]
    assert shown == []


def _everything_told(acme: World) -> str:
    """All that Dagster and the control database keep, and what runs wrote to their logs."""
    environment = acme.workspace.environment
    dagster_url = environment.dagster_url.replace("+psycopg2", "")
    told = []
    for url, tables in (
        (dagster_url, ("event_logs", "runs", "run_tags", "asset_check_executions")),
        (environment.control_url, ("verdict", "audit_log", "cohort", "migration_record")),
    ):
        for table in tables:
            told += [row[0] for row in asked(url, f"select t::text from {table} t")]
    logs = [p for p in environment.logs.rglob("*") if p.is_file()]
    told += [p.read_bytes().decode("utf-8", "replace") for p in logs]
    return "\n".join(told)


def test_loading_again_writes_nothing(acme: World, acme_run: Summary) -> None:
    before = acme.target("select count(*), max(loaded_at), min(loaded_at) from cutover.crosswalk")
    for cohort in COHORTS:
        again = acme.materialize("loaded_target", cohort)
        assert again.ok and again.rows_written == 0, (cohort, again)
    assert acme.target("select count(*), max(loaded_at), min(loaded_at) from cutover.crosswalk") == before


def test_what_another_hand_changes_in_the_target_shows_in_bills_access_balances_and_terms(
    acme: World, acme_run: Summary
) -> None:
    """The reconciliation finds the rows, and holds what comes after it back; this is what they come to."""
    cohort, dearer = "rest_01", "update app.subscription_items set unit_price = unit_price + {} where item_id = '{}'"
    ((item,),) = acme.target(
        "select i.item_id from app.subscription_items i join cutover.crosswalk x on x.target_id = i.subscription_id "
        "join app.subscriptions s using (subscription_id) where x.cohort = 'rest_01' and i.kind = 'base' "
        "and s.status = 'active' and s.ends_at is null and i.ends_at is null and i.quantity > 0 order by 1 limit 1"
    )
    ((right,),) = acme.target(
        "select e.entitlement_id from app.entitlements e join cutover.crosswalk x on x.target_id = e.entitlement_id "
        "join app.subscriptions s using (subscription_id) where x.cohort = 'rest_01' and s.status = 'active' and "
        "e.ends_at is null and e.granted_by = 'plan' and e.feature_code = 'projects' and e.allowed and not exists "
        # What the same customer is granted elsewhere would be added to it.
        "(select from app.entitlements o where o.account_id = e.account_id and o.feature_code = e.feature_code "
        "and o.entitlement_id <> e.entitlement_id) order by 1 limit 1"
    )
    ((paid,),) = acme.target(
        "select a.payment_application_id from app.payment_applications a join cutover.crosswalk x on x.target_id = "
        "a.payment_application_id join app.payments p using (payment_id) where x.cohort = 'rest_01' and "
        # Of a payment of which something was given back, what settles nothing would be that first.
        "a.amount_minor > 9 and p.status = 'settled' and not exists (select from app.refunds r where r.payment_id = "
        "p.payment_id) and not exists (select from app.disputes d where d.payment_id = p.payment_id) order by 1 limit 1"
    )
    ((seat, seat_id),) = acme.target(
        "select s.seat_assignment_id, x.source_id from app.seat_assignments s join cutover.crosswalk x on "
        "x.target_id = s.seat_assignment_id where x.cohort = 'rest_01' and s.holder is not null order by 1 limit 1"
    )
    assert acme.materialize("verified_billing", cohort).ok and acme.found("verified_billing", cohort) == {}
    acme.target(f"update app.seat_assignments set holder = 'somebody@example.com' where seat_assignment_id = '{seat}'")
    acme.target(dearer.format(1, item))
    acme.target(
        f"update app.payment_applications set amount_minor = amount_minor - 9 where payment_application_id = '{paid}'"
    )
    acme.target(f"update app.entitlements set limit_kind = 'limited', limit_units = 1 where entitlement_id = '{right}'")
    assert not acme.materialize("reconciliation", cohort).ok
    refused = acme.materialize("verified_billing", cohort)
    assert not refused.ok and "`reconciliation`" in str(refused.reason)
    assert set(acme.found("verified_billing", cohort)) == {
        "bills_same_or_signed",
        "access_kept_or_signed",
        "balances_same",
        "tie_out",
        "seats_same",
    }
    folder = acme.workspace.store.folder("verified_billing", cohort)
    lost = pq.read_table(folder / "access_differences.parquet").to_pylist()
    assert {(d["feature"], d["kind"], d["after_limit_units"]) for d in lost} == {("projects", "loss", 1)}
    billed = pq.read_table(folder / "bill_differences.parquet").to_pylist()
    assert {d["cause"] for d in billed if d["status"] == "unsigned"} == {"unexplained"}
    owed = pq.read_table(folder / "balances.parquet").to_pylist()
    apart = {d["measure"]: d["difference_minor"] for d in owed if d["status"] == "unsigned"}
    # The invoice is open by as much as is on account now.
    assert apart.keys() == {"receivables", "on_account", "recurring_revenue"}
    assert (apart["receivables"], apart["on_account"]) == (9, 9) and apart["recurring_revenue"] > 0
    terms = pq.read_table(folder / "term_differences.parquet").to_pylist()
    unsigned = [(t["record"], t["key"], t["field"]) for t in terms if t["status"] == "unsigned"]
    assert unsigned == [("seats", seat_id, "holder")]
    assert "somebody" not in (acme.workspace.environment.reports / cohort / "verified_term_differences.csv").read_text()
    assert acme.materialize("loaded_target", cohort).rows_written == 0, "nobody has said whose word counts"
    queue = conflicts_in(acme.workspace)
    asked = queue.conflicts()
    changed = {"seat_assignments", "subscription_items", "payment_applications", "entitlements"}
    assert {c.table_name for c in asked} == changed and {c.cohort for c in asked} == {cohort}
    for c in asked:
        queue.decide(c.conflict_id, "source", by="tests", reason="As the old system has it.", now=datetime.now(UTC))
    assert acme.materialize("loaded_target", cohort).rows_written == 4
    assert all(acme.materialize(asset, cohort).ok for asset in ("reconciliation", "verified_billing"))


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


@dataclass(frozen=True)
class Later:
    """What changed in the legacy systems after the first run, and the run that followed.

    The CRM lost the account that `customer`, an ERP debtor, had been merged into; `theirs` counts what is the
    customer's. `seller` left after somebody else had taken over all that was his. `rebooked` invoices of one debtor
    went to another, in another cohort; `before` is what was settled until then. `twins` are two accounts with invoices
    that were given one tax number.
    """

    run: Summary
    customer: str
    theirs: list[list[tuple[Any, ...]]]
    seller: str
    rebooked: int
    before: list[tuple[Any, ...]]
    twins: list[str]


SETTLED = (
    "select count(*), sum(amount_minor), (select count(*) from app.invoices where subscription_id is not null) "
    "from app.payment_applications"
)


def _theirs(acme: World, customer: str) -> list[list[tuple[Any, ...]]]:
    tables = ("subscriptions", "invoices", "entitlements")
    return [acme.target(f"select count(*) from app.{t} where account_id = '{customer}'") for t in tables]


@pytest.fixture(scope="module")
def later(acme: World, acme_run: Summary) -> Later:
    crm, erp = (acme.workspace.environment.database(f"legacy_{name}") for name in ("crm", "erp"))
    (customer, account), *_ = acme.target(
        "select a.target_id, a.source_id from cutover.crosswalk a join cutover.crosswalk b using (target_id) "
        "join app.subscriptions s on s.account_id = a.target_id where a.founder and a.source_table = 'accounts' "
        "and b.status = 'merged' and b.source_table = 'customers' group by 1, 2 order by count(*) desc, 2"
    )
    theirs = _theirs(acme, customer)
    asked(crm, f"delete from crm.accounts where account_id = '{account}'")
    ((seller,), (heir,), *_) = asked(
        crm, "select owner_user from crm.accounts where owner_user is not null group by 1 order by count(*) desc, 1"
    )
    for table in ("accounts", "opportunities"):
        asked(crm, f"update crm.{table} set owner_user = '{heir}' where owner_user = '{seller}'")
    for table in ("user_roles", "users"):
        asked(crm, f"delete from crm.{table} where user_id = '{seller}'")
    debtors = dict(
        acme.target(
            "select x.cohort, min(x.source_id) from cutover.crosswalk x "
            "join app.payments p on p.account_id = x.target_id join app.payment_applications using (payment_id) "
            "where x.source_table = 'customers' and x.cohort <> 'unassigned' group by 1"
        )
    )
    assert len(debtors) == 2, "one of each cohort has paid invoices"
    moved = asked(
        erp,
        f"update erp.invoices set customer_no = '{debtors['rest_01']}' where customer_no = '{debtors['pilot']}' "
        "returning 1",
    )
    billed = acme.target(
        "select x.source_id from cutover.crosswalk x join app.accounts a on a.account_id = x.target_id "
        "join app.invoices using (account_id) where x.source_table = 'accounts' and x.status = 'loaded' "
        f"and a.kind = 'company' and x.source_id <> '{account}' group by 1 order by 1 desc limit 2"
    )
    twins = [number for (number,) in billed]
    asked(crm, f"update crm.accounts set tax_id = 'TWIN77' where account_id in ('{twins[0]}', '{twins[1]}')")
    before = acme.target(SETTLED)
    return Later(acme.migrate(new_snapshot="true"), customer, theirs, seller, len(moved), before, twins)


def test_after_what_changes_in_a_year_every_cohort_passes_at_once(later: Later) -> None:
    assert later.run.ok, {name: phase.failed_checks or phase.reason for name, phase in later.run.cohorts.items()}


def test_a_customer_whose_founding_row_leaves_the_source_keeps_its_id_and_all_it_pays_for(
    acme: World, later: Later
) -> None:
    bearer = (
        f"select source_table, status, founder from cutover.crosswalk where target_id = '{later.customer}' order by 2"
    )
    assert acme.target(bearer)[0] == ("customers", "loaded", False)
    assert _theirs(acme, later.customer) == later.theirs and later.theirs[0] > [(0,)] and later.theirs[1] > [(0,)]


def test_a_seller_who_leaves_is_gone_when_his_customers_have_another(acme: World, later: Later) -> None:
    found = f"select count(*) from cutover.crosswalk where entity = 'user' and source_id = '{later.seller}'"
    assert acme.target(found) == [(0,)]


def test_payments_still_settle_invoices_that_were_rebooked_to_a_debtor_of_another_cohort(
    acme: World, later: Later
) -> None:
    assert later.rebooked > 0
    assert acme.target(SETTLED) == later.before, "each application is there, and each invoice has its contract"


def test_two_that_were_both_billed_are_merged_when_a_person_says_so_and_parted_again(acme: World, later: Later) -> None:
    queue, pair = ReviewQueue(acme.workspace.control, "acme"), {f"crm.accounts:{n}" for n in later.twins}
    (case,) = [c for c in queue.cases() if {c.a, c.b} == pair]
    assert (case.rule, case.reason) == ("company_by_tax_number", "two_payers")
    assert len(_identities_of(acme, pair)) == 2
    for answer, customers in (("same", 1), ("open", 2)):
        queue.decide(case.case_id, answer, by="kim", reason="As the customer says.", now=datetime.now(UTC))
        assert acme.runner.phase("global_phase").ok
        assert len(_identities_of(acme, pair)) == customers
    assert [c.case_id for c in queue.cases() if {c.a, c.b} == pair] == [case.case_id]


def test_a_merge_an_unmerge_and_another_run_bring_back_the_same_bytes(acme: World, later: Later, server: str) -> None:
    root, pair = acme.workspace.root, [f"crm.accounts:{n}" for n in later.twins]
    before, ids = _everything(acme), {key: _target_ids(acme, key.replace(":", "/")) for key in pair}
    assert len(before) > 20 and sum(map(len, before.values())) > 5_000 and len({str(i) for i in ids.values()}) == 2

    def review(*arguments: str) -> dict[str, Any]:
        answer = command(root, server, "review", *arguments, "--plan", "acme", "--json")
        assert answer.exit_code == 0, answer
        told: dict[str, Any] = json.loads(answer.out)
        return told

    (case,) = [c for c in review("list")["cases"] if {c["a"], c["b"]} == set(pair)]
    assert case["stakes"] and all(s["stake_minor"] > 0 for s in case["stakes"]), "both were billed"
    shown = review("show", str(case["case"]))
    assert shown["key"]["fields"] == ["kind", "tax_id"]
    assert [a["reason"] for a in shown["against"]][:1] == ["two_payers"]
    _sums_up(shown["holdings"])
    assert review("decide", str(case["case"]), "same", "--reason", "One company.")["answer"] == "same"
    assert acme.migrate().ok
    merged = _everything(acme)
    (owner,) = {_target_ids(acme, key.replace(":", "/"))[0] for key in pair}
    assert len(merged["accounts"]) == len(before["accounts"]) - 1 and merged != before
    for table in ("subscriptions", "invoices", "payments", "consents"):
        assert len(merged[table]) == len(before[table]), "a merge loses nothing"

    look = review("unmerge", str(owner[0]), "--dry-run")
    assert look["effect"] == "planned" and {p for part in look["parts"] for p in part} >= set(pair)
    with_member = review("unmerge", pair[0], "--member", max(pair), "--reason", "Two after all.")
    assert with_member["effect"] == "decided" and [max(pair) in part for part in with_member["parts"]] == [False, True]
    assert acme.migrate().ok
    after = _everything(acme)
    assert {t: rows for t, rows in after.items() if rows != before[t]} == {}
    assert {key: _target_ids(acme, key.replace(":", "/")) for key in pair} == ids
    assert acme.workspace.control.verify_audit_log().intact
    # As it was, for the tests that follow.
    (parted,) = [c for c in review("list", "--all")["cases"] if {c["a"], c["b"]} == set(pair)]
    assert review("decide", str(parted["case"]), "open", "--reason", "The test is over.")["answer"] == "open"


def _sums_up(holdings: dict[str, Any]) -> None:
    """One customer holds what both held, in every currency (I20)."""
    for name, value in holdings["merged"].items():
        sides = [holdings["a"][name], holdings["b"][name]]
        if isinstance(value, int):
            assert value == sum(sides), name
        elif name != "members":
            keys = ("currency", "status", "plan")
            total: Counter[tuple[Any, ...]] = Counter()
            for entry in (e for side in sides for e in side):
                total.update({(*(entry.get(k) for k in keys), n): entry[n] for n in entry if n not in keys})
            assert total == {(*(e.get(k) for k in keys), n): e[n] for e in value for n in e if n not in keys}, name


def _everything(acme: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the target, as text."""
    tables = [name for (name,) in acme.target("select tablename from pg_tables where schemaname = 'app' order by 1")]
    return {t: acme.target(f'select x::text from app."{t}" x order by 1') for t in tables}


def _identities_of(acme: World, keys: set[str]) -> set[str]:
    rows = pq.read_table(acme.workspace.store.file("customer_identities", "_all", "identities")).to_pylist()
    return {r["identity_id"] for r in rows if r["customer_id"] in keys}


def test_list_price_for_the_contracted_one_and_swapped_dates_stop_a_cohort_before_it_is_loaded(
    acme: World, acme_run: Summary
) -> None:
    mapping: Path = acme.workspace.plan.folder / "mapping"
    with signed_otherwise(acme):
        # Else the plan is refused at once: what is left behind is used, and nothing uses the contracted price.
        change(acme.workspace.plan.folder / "plan.yaml", "          list_price: ", "          unit_price: ")
        change(mapping / "subscription_item.csv", "unit_price,erp,subscription_items,unit_price,",
               "unit_price,erp,subscription_items,list_price,")  # fmt: skip
        change(mapping / "invoice.csv", "issued_on,erp,invoices,issue_date,", "issued_on,erp,invoices,due_date ,")
        change(mapping / "invoice.csv", "due_on,erp,invoices,due_date,", "due_on,erp,invoices,issue_date,")
        change(mapping / "invoice.csv", "invoices,due_date ,", "invoices,due_date,")
        pilot = acme.reopened().migrate("pilot").cohorts["pilot"]
    assert pilot.stopped_at == "shadow_billing"
    assert {"shadow_billing.bills_same_or_signed", "shadow_billing.invoices_same"} <= set(pilot.failed_checks)
    assert pilot.rows_written == 0


def test_what_every_stage_takes_for_right_is_caught_by_the_control_totals(acme: World, acme_run: Summary) -> None:
    with signed_otherwise(acme):
        change(acme.workspace.plan.folder / "codes" / "consent_decision.csv", "N,withdrawn", "N,granted")
        wrong = acme.reopened().migrate("pilot")
        assert wrong.cohorts["pilot"].stopped_at == "reconciliation", wrong.to_json("acme")
        report = acme.report("pilot")
    assert report["differences"] == [], "every stage agrees with itself"
    assert {c["measure"] for c in report["controls_off"]} == {
        "consents_granted", "consents_withdrawn", "consents_by_decision.granted", "consents_by_decision.withdrawn",
    }  # fmt: skip


@contextmanager
def signed_otherwise(acme: World) -> Iterator[None]:
    """What the block writes into the plan's files is undone."""
    folder = acme.workspace.plan.folder
    files = {f: f.read_bytes() for f in folder.rglob("*.*")}
    try:
        yield
    finally:
        for file, content in files.items():
            file.write_bytes(content)
