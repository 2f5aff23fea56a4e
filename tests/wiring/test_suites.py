"""The suites of a plan know what the plan declares: here, currencies of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import migration_assets
from migration_assets.domain.errors import PlanFaults
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan
from migration_assets.wiring.suites import check_suites, suite_of

REPOSITORY = Path(migration_assets.__path__[0]).parent


def with_currencies(**exponents: int) -> Plan:
    plan = load_plan(REPOSITORY / "plans" / "acme")
    return plan.model_copy(update={"file": plan.file.model_copy(update={"currency_exponents": exponents})})


def test_a_currency_of_the_plan_is_listed_for_every_check_of_currencies() -> None:
    for asset in ("reference_data", "cleansed_customers", "transformed_entitlements", "transformed_billing"):
        listed = [r.kwargs for r in suite_of(REPOSITORY, with_currencies(BTC=8), asset).rules if r.type == "iso_listed"]
        assert listed
        assert all(k.get("own") == (["BTC"] if k["iso"] == "currency" else None) for k in listed)


def test_exponents_of_the_plan_are_those_its_amounts_are_checked_by() -> None:
    rules = suite_of(REPOSITORY, with_currencies(BTC=8, HUF=0), "transformed_entitlements").rules
    found = [r.kwargs for r in rules if r.type == "currency_exponent"]
    assert found and all(k["exponents"] == {"BTC": 8, "HUF": 0} for k in found)


def test_a_plan_without_currencies_of_its_own_changes_no_rule() -> None:
    rules = suite_of(REPOSITORY, with_currencies(), "transformed_billing").rules
    assert not [r for r in rules if "own" in r.kwargs]


@pytest.mark.parametrize("name", ["loaded_targets.yaml", "loaded_target.yml"])
def test_a_file_that_no_asset_reads_is_refused(tmp_path: Path, name: str) -> None:
    shutil.copytree(REPOSITORY / "expectations", tmp_path / "expectations")
    plan = load_plan(REPOSITORY / "plans" / "acme")
    assert check_suites(tmp_path, plan) > 100
    (tmp_path / "expectations" / name).write_text("asset: x\n", encoding="utf-8")
    with pytest.raises(PlanFaults) as refused:
        check_suites(tmp_path, plan)
    assert name in str(refused.value) and "no asset reads this file" in str(refused.value)
