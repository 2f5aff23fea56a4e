"""Acme a year later: rows that left, sellers, invoices rebooked, and merges that persons decide and take back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest
from world import World, asked, command, target_ids

from migration_assets.control import ReviewQueue
from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


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
    before, ids = _everything(acme), {key: target_ids(acme, key.replace(":", "/")) for key in pair}
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
    (owner,) = {target_ids(acme, key.replace(":", "/"))[0] for key in pair}
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
    assert {key: target_ids(acme, key.replace(":", "/")) for key in pair} == ids
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
