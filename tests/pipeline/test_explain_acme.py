"""Accounts and certificates of Acme's customers after a whole migration: that they say what the stage found, that they
can be verified, and that they hold nobody's name."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from world import Answer, World, command

from migration_assets.demo import Legacy
from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]
COHORTS = ("pilot", "rest_01", "unassigned")


@pytest.fixture(scope="module")
def folders(acme: World, acme_run: Summary, server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Certificates of every cohort."""
    found = {}
    for cohort in COHORTS:
        found[cohort] = tmp_path_factory.mktemp("certificates") / cohort
        answer = called(acme, server, "certificate", "build", "--cohort", cohort, "--to", str(found[cohort]))
        assert answer.exit_code == 0, answer.err
    return found


@pytest.fixture(scope="module")
def contents(folders: dict[str, Path]) -> dict[str, list[dict[str, Any]]]:
    return {
        cohort: [json.loads(p.read_text(encoding="utf-8")) for p in sorted(folder.glob("*.json"))]
        for cohort, folder in folders.items()
    }


def called(acme: World, server: str, *arguments: str) -> Answer:
    plan = () if arguments[:2] == ("certificate", "verify") else ("--plan", "acme")
    return command(acme.workspace.root, server, *arguments, *plan, "--json")


def rows_of(acme: World, cohort: str, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(acme.workspace.store.file("shadow_billing", cohort, table)).to_pylist()
    return rows


def test_every_contract_that_was_forecast_is_on_a_certificate_with_the_money_of_both_sides(
    acme: World, contents: dict[str, list[dict[str, Any]]]
) -> None:
    for cohort in COHORTS:
        told = {c["contract"]: c for content in contents[cohort] for c in content["contracts"]}
        forecast = rows_of(acme, cohort, "forecast")
        assert forecast or cohort == "unassigned"
        for row in forecast:
            bills = told[row["contract_id"]]["bills"]
            sums = [sum(b[s]["total_minor"] for b in bills if b[s]) for s in ("before", "after")]
            assert sums == [row["legacy_minor"], row["target_minor"]], row["contract_id"]
            counts = [sum(b[s] is not None for b in bills) for s in ("before", "after")]
            assert counts == [row["legacy_bills"], row["target_bills"]]


def test_every_difference_that_was_found_is_told_with_its_cause_and_signature(
    acme: World, contents: dict[str, list[dict[str, Any]]]
) -> None:
    found = Counter(
        (r["contract_id"], r["cycle"], r["cause"], r["difference_minor"], r["signed_by"])
        for cohort in COHORTS
        for r in rows_of(acme, cohort, "bill_differences")
    )
    told = Counter(
        (c["contract"], b["cycle"], d["cause"], d["difference_minor"], d["signed"] and d["signed"]["by"])
        for content in chain(*contents.values())
        for c in content["contracts"]
        for b in c["bills"]
        for d in b["due_to"]
    )
    assert told == found and {cause for _, _, cause, *_ in found} >= {"tax_at", "rejected"}


def test_lines_of_every_bill_add_up_to_it_and_causes_to_its_difference(
    contents: dict[str, list[dict[str, Any]]],
) -> None:
    bills = [b for content in chain(*contents.values()) for c in content["contracts"] for b in c["bills"]]
    assert len(bills) > 500 and {b["class"] for b in bills} >= {"equal", "rounding", "rejected"}
    for b in bills:
        for side in ("before", "after"):
            lines = [pair[side] for pair in b["lines"] if pair[side]]
            assert sum(p["amount_minor"] + p["tax_minor"] for p in lines) == (b[side]["total_minor"] if b[side] else 0)
        assert sum(d["difference_minor"] for d in b["due_to"]) == b["difference_minor"]


def test_a_row_that_was_left_out_is_named_beside_the_bills_that_lack_it(
    contents: dict[str, list[dict[str, Any]]], legacy: Legacy
) -> None:
    (planted,) = {key.partition("/")[2] for key in legacy.truth["defects"]["negative_quantity"]}
    named = {
        r["key"]: (c["class"], r["rule"])
        for content in chain(*contents.values())
        for c in content["contracts"]
        for r in c["rows_left_out"]
    }
    assert named[planted] == ("rejected", "negative_quantity")


def test_certificates_are_verified_without_a_database_and_built_the_same_again(
    acme: World, server: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = folders["pilot"]
    verified = json.loads(called(acme, server, "certificate", "verify", str(folder)).out)
    assert verified["ok"] and verified["certificates"] > 5
    built = json.loads(
        called(acme, server, "certificate", "build", "--cohort", "pilot", "--to", str(tmp_path / "again")).out
    )
    assert built["list_digest"] == verified["list_digest"]
    assert {p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir()
    }
    entry = acme.workspace.control.last_audit("certificates_built", "pilot")
    assert entry is not None and entry.detail["list_digest"] == verified["list_digest"]
    changed = next((tmp_path / "again").glob("*.json"))
    changed.write_text(changed.read_text(encoding="utf-8").replace("equal", "Equal", 1), encoding="utf-8")
    answer = called(acme, server, "certificate", "verify", str(tmp_path / "again"))
    assert answer.exit_code == 1 and changed.name in json.loads(answer.out)["faults"][0]


def test_only_the_owner_can_read_certificates_and_their_names_say_nothing(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        assert folder.stat().st_mode & 0o077 == 0
        for path in folder.iterdir():
            assert path.stat().st_mode & 0o077 == 0
            assert re.fullmatch(
                r"(summary\.csv|(nobody|no-row-[0-9]+|(crm|erp)\.[a-z]+-[0-9]+)\.(json|html))", path.name
            )


def test_no_certificate_holds_a_name_or_an_address(folders: dict[str, Path], legacy: Legacy) -> None:
    told = "\n".join(p.read_text(encoding="utf-8") for f in folders.values() for p in f.iterdir())
    personal = {
        value
        for table, column in (("crm.accounts", "email"), ("crm.accounts", "name"), ("erp.customers", "name"))
        for value in legacy.tables[table][column].to_pylist()
        if value and len(value.strip()) > 7
    }
    assert len(personal) > 200 and [v for v in personal if v in told] == []


def test_the_list_of_a_cohort_says_what_its_certificates_come_to(
    folders: dict[str, Path], contents: dict[str, list[dict[str, Any]]]
) -> None:
    for cohort, folder in folders.items():
        rows = list(csv.DictReader((folder / "summary.csv").read_text(encoding="utf-8").splitlines()))
        assert len({r["certificate"] for r in rows}) == len(contents[cohort])
        differences = sum(m["difference_minor"] for c in contents[cohort] for m in c["money"])
        assert sum(int(r["difference_minor"] or 0) for r in rows) == differences


def test_what_the_target_holds_bills_grants_and_credits_what_would_be_loaded(
    acme: World, server: str, contents: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    folder = tmp_path / "loaded"
    built = called(acme, server, "certificate", "build", "--cohort", "rest_01", "--to", str(folder), "--loaded")
    assert built.exit_code == 0, built.out
    after = [json.loads(p.read_text(encoding="utf-8")) for p in sorted(folder.glob("*.json"))]
    same = ("money", "credits", "access", "customer")
    assert [{n: c[n] for n in same} for c in after] == [{n: c[n] for n in same} for c in contents["rest_01"]]
    assert [_in_money(c) for c in after] == [_in_money(c) for c in contents["rest_01"]]
    assert {c["target"] for c in after} == {"as it holds it now"}


def _in_money(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Bills of both sides, and what they differ by. On which line an odd minor unit stands, which is a difference
    without money, goes by the ids of items, and these are others in the target."""
    bills = [b for c in content["contracts"] for b in c["bills"]]
    sides = ("cycle", "before", "after", "difference_minor", "credit_difference_minor")
    return [{n: b[n] for n in sides} | {"due_to": [d for d in b["due_to"] if d["difference_minor"]]} for b in bills]


@pytest.fixture(scope="module")
def differing(contents: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The certificate of a customer of two rows whose bills differ by rounding."""
    return next(
        c
        for c in contents["rest_01"]
        if len(c["customer"]["members"]) == 2 and any(x["class"] == "rounding" for x in c["contracts"])
    )


def test_a_customer_is_explained_as_certified_with_who_it_is_and_what_the_target_holds(
    acme: World, server: str, differing: dict[str, Any]
) -> None:
    debtor = next(m["key"] for m in differing["customer"]["members"] if m["key"].startswith("erp."))
    found = json.loads(called(acme, server, "explain", debtor).out)
    account = found["account"]
    same = ("outcome", "money", "contracts", "credits", "access", "snapshot", "as_of", "rules")
    assert {n: account[n] for n in same} == {n: differing[n] for n in same}
    assert found["customer"]["name"] and [t["rule"] for t in found["ties"]] == ["debtor_of_account"]
    (target_id,) = {r["target_id"] for r in found["target"]["rows"]}
    counted = {t["table"]: t["rows"] for t in found["target"]["tables"]}
    for table in ("subscriptions", "invoices", "entitlements"):
        ((rows,),) = acme.target(f"select count(*) from app.{table} where account_id = '{target_id}'")
        assert counted.get(table, 0) == rows
    ((lines,),) = acme.target(
        f"select count(*) from app.invoice_lines join app.invoices using (invoice_id) where account_id = '{target_id}'"
    )
    assert counted["invoice_lines"] == lines > 0
    by_id = json.loads(called(acme, server, "explain", target_id).out)
    assert by_id["customer"] == found["customer"]


def test_a_customer_is_explained_on_the_terminal_and_as_a_page(
    acme: World, server: str, differing: dict[str, Any], tmp_path: Path
) -> None:
    key = differing["customer"]["key"]
    told = command(acme.workspace.root, server, "explain", key, "--plan", "acme")
    assert told.exit_code == 0 and "signed by Head of Finance" in told.out and "made again exactly" in told.out
    file = tmp_path / "customer.html"
    wrote = command(acme.workspace.root, server, "explain", key, "--plan", "acme", "--to", str(file))
    assert wrote.exit_code == 0 and file.stat().st_mode & 0o077 == 0
    page = file.read_text(encoding="utf-8")
    assert "In the target now" in page and "Head of Finance" in page and "<script" not in page


def test_what_was_erased_is_not_named(acme: World, server: str, acme_run: Summary, legacy: Legacy) -> None:
    erased = sorted(key.partition("/")[2] for key in legacy.truth["defects"]["erased"])
    assert erased
    names = dict(zip(*(legacy.tables["crm.accounts"][c].to_pylist() for c in ("account_id", "name")), strict=True))
    for account in erased:
        answer = called(acme, server, "explain", f"crm.accounts:{account}")
        assert answer.exit_code == 0 and json.loads(answer.out)["customer"]["name"] in (None, "(erased)")
        assert not names[account] or names[account] not in answer.out


def test_bills_that_have_not_been_compared_under_this_plan_are_not_told(
    acme: World, server: str, differing: dict[str, Any], tmp_path: Path
) -> None:
    file = acme.workspace.root / "plans" / "acme" / "billing.yaml"
    before = file.read_text(encoding="utf-8")
    file.write_text(before + "\n# Somebody is at work here.\n", encoding="utf-8")
    try:
        answer = called(acme, server, "certificate", "build", "--cohort", "pilot", "--to", str(tmp_path / "new"))
        assert answer.exit_code == 1 and "plan has changed" in json.loads(answer.out)["error"]
        found = json.loads(called(acme, server, "explain", differing["customer"]["key"]).out)
        assert found["account"] is None and "plan has changed" in found["why_no_account"]
    finally:
        file.write_text(before, encoding="utf-8")
