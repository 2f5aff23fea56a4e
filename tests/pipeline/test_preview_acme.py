"""What a changed catalog does to Acme's entitlements and bills, told before anything runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from world import Answer, World, asked, change, command

from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]
COHORT = "rest_01"
_FORGOTTEN = "      - {feature: premium-support, limit_kind: unlimited, overage: none}\n      - {feature: analytics"


@pytest.fixture
def signed(acme: World, acme_run: Summary, tmp_path: Path) -> Iterator[Path]:
    """The plan as it was signed, in a folder of its own; what a test does to the plan is undone."""
    assert acme_run.ok
    plan = acme.workspace.environment.plan_folder
    shutil.copytree(plan, tmp_path / "signed")
    yield tmp_path / "signed"
    shutil.copytree(tmp_path / "signed", plan, dirs_exist_ok=True)


def preview(acme: World, server: str, against: Path, *more: str) -> Answer:
    given = ("run", "--plan", "acme", "--dry-run", "--against", str(against), "--cohort", COHORT, *more)
    return command(acme.workspace.root, server, *given)


def state(acme: World) -> tuple[Any, ...]:
    """Every file of the store, and what the control database knows."""
    files = sorted((str(p), p.stat().st_ino, p.stat().st_mtime_ns) for p in acme.workspace.store.root.rglob("*.*"))
    url = acme.workspace.environment.control_url
    tables = [t for (t,) in asked(url, "select tablename from pg_tables where schemaname = 'public' order by 1")]
    assert files and tables
    return files, [asked(url, f'select count(*) from "{t}"') for t in tables]


def differing(rows: list[dict[str, Any]]) -> set[str]:
    return {r["entity"] for r in rows if r["changed"] or r["before"] != r["after"]}


def test_a_feature_that_the_catalog_forgets_is_a_loss_that_would_stop_the_run(
    acme: World, signed: Path, server: str
) -> None:
    catalog = acme.workspace.environment.plan_folder / "catalog.yaml"
    change(catalog, _FORGOTTEN, _FORGOTTEN.partition("\n")[2])
    before = state(acme)
    answer = preview(acme, server, signed, "--json")
    told = json.loads(answer.out)
    assert answer.exit_code == 1 and told["ok"] is False, answer.err
    (cohort,) = told["cohorts"]
    (lost,) = cohort["access"]
    assert (lost["feature"], lost["kind"]) == ("premium-support", "loss")
    assert lost["customers"] > 0 and sum(lost["yearly"].values()) > 0
    assert cohort["bills"] and not any(b["bills"] for b in cohort["bills"]) and cohort["unbillable"] == []
    assert differing(cohort["rows"]) == {"entitlement"} and differing(told["rows"]) == {"product_feature"}
    blocked = {c["check"] for c in cohort["checks"] if c["blocks"]}
    assert blocked == {"access_kept_or_signed"}
    assert state(acme) == before and not list(acme.workspace.spill_folder.glob("held-*"))


def test_a_lower_tax_rate_shows_in_the_bills_in_money(acme: World, signed: Path, server: str) -> None:
    change(acme.workspace.environment.plan_folder / "tax.csv", "DE,2021-01-01,19", "DE,2021-01-01,16")
    answer = preview(acme, server, signed, "--json")
    (cohort,) = json.loads(answer.out)["cohorts"]
    euros = next(b for b in cohort["bills"] if b["currency"] == "EUR")
    assert euros["contracts"] > 0 and euros["more"] == 0 < euros["less"]
    assert euros["before"] - euros["after"] == euros["less"]
    assert cohort["access"] == [] and differing(cohort["rows"]) == set()
    assert "bills_same_or_signed" in {c["check"] for c in cohort["checks"] if c["blocks"]}


def test_what_is_mapped_otherwise_of_customers_shows_in_their_rows(acme: World, signed: Path, server: str) -> None:
    """Customers are standardized before cohorts are cut."""
    change(acme.workspace.environment.plan_folder / "codes" / "segment.csv", "SMB,small", "SMB,medium")
    answer = preview(acme, server, signed, "--json")
    (cohort,) = json.loads(answer.out)["cohorts"]
    assert differing(cohort["rows"]) == {"customer"}
    (customers,) = (r for r in cohort["rows"] if r["entity"] == "customer")
    assert customers["before"] == customers["after"] and customers["changed"] > 0


def test_the_same_plan_changes_nothing(acme: World, signed: Path, server: str) -> None:
    answer = preview(acme, server, signed)
    assert answer.exit_code == 0, answer.err
    assert "No row, no entitlement and no bill of the target changes." in answer.out


def test_two_plans_are_not_held_against_each_other(acme: World, signed: Path, server: str) -> None:
    file = signed / "plan.yaml"
    uuid = next(w for w in file.read_text(encoding="utf-8").splitlines() if w.startswith("uuid: "))
    change(file, uuid, "uuid: 00000000-0000-4000-8000-000000000001")
    answer = preview(acme, server, signed)
    assert answer.exit_code == 2 and "another plan" in answer.err
    change(file, "uuid: 00000000-0000-4000-8000-000000000001", uuid)


@pytest.mark.parametrize("option", ["--new-snapshot", "--resume"])
def test_it_goes_with_no_option_that_moves_the_ground(acme: World, signed: Path, server: str, option: str) -> None:
    answer = preview(acme, server, signed, option)
    assert answer.exit_code == 2 and "--against goes with --dry-run" in answer.err
