"""The plan for the public telco file: no faults, and its code lists and numbers are those of the real file.

The file is not part of this repository: TELCO_CSV names it, or it lies beside it.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from migration_assets.plan.check import check_plan
from migration_assets.plan.comparison import left_behind
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(os.environ.get("TELCO_CSV") or ROOT / "../shared/data/telco/Telco-Customer-Churn.csv")

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
def plan() -> Plan:
    return load_plan(ROOT / "plans/telco")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    if not FILE.is_file():
        pytest.skip("the telco file is not here: set TELCO_CSV to Telco-Customer-Churn.csv")
    with FILE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_plan_has_no_faults(plan: Plan) -> None:
    assert check_plan(plan) == ()


def test_its_columns_are_those_of_the_file(plan: Plan, rows: list[dict[str, str]]) -> None:
    columns = {"telco.customers": dict.fromkeys(rows[0], "string")}
    assert check_plan(plan, columns=columns) == ()
    behind = {x.column for x in left_behind(plan, columns)}
    assert behind == {"gender", "SeniorCitizen", "Partner", "Dependents", "PaperlessBilling"}


def test_its_code_lists_cover_the_file(plan: Plan, rows: list[dict[str, str]]) -> None:
    for mapped in plan.mapping:
        if mapped.rule != "lookup":
            continue
        known = {c.code for c in plan.codes[mapped.arguments["list"]]}
        (feed,) = (f for f in plan.feeds if f.feed == mapped.feed)
        found = {f"{n}={r[n]}" for n in feed.unpivot for r in rows} or {r[mapped.columns[0]] for r in rows}
        assert found == known


def test_each_service_held_is_one_entitlement(plan: Plan, rows: list[dict[str, str]]) -> None:
    product = {c.code: c.target for c in plan.codes["service_product"]}
    (feed,) = (f for f in plan.feeds if f.unpivot)
    items = Counter(product[f"{n}={r[n]}"] for r in rows for n in feed.unpivot)
    del items["-"]
    grants = {p.code: [g.feature for g in p.grants] for p in plan.catalog.products}
    assert grants.pop("telco_base") == []
    assert {p: [f] for p, (f,) in grants.items()} == {p: [p] for p in HELD}
    assert dict(items) == HELD
    assert items.total() == 29_202
    assert items["internet_dsl"] + items["internet_fiber"] == 5_517


def test_blank_totals_are_exactly_the_customers_not_yet_billed(plan: Plan, rows: list[dict[str, str]]) -> None:
    blank = [r for r in rows if not r["TotalCharges"].strip()]
    assert len(blank) == 11
    assert [r for r in rows if r["tenure"] == "0"] == blank
    (mapped,) = (r for r in plan.mapping if r.field == "billed_to_date_minor")
    assert mapped.arguments["default_if"] == [{"field": "tenure", "op": "eq", "value": "0"}]


def test_its_controls_add_up_to_the_known_totals(plan: Plan, rows: list[dict[str, str]]) -> None:
    controls = {c.measure: c for c in plan.controls}
    sums = {m: sum(Decimal(r[controls[m].source_column].strip() or 0) for r in rows) * 100 for m in ("monthly_charges",
            "billed_to_date")}  # fmt: skip
    assert sums == {"monthly_charges": 45_611_660, "billed_to_date": 1_605_616_870}
    services = [m for m in controls if m.startswith("service_")]
    assert len(services) == 11  # nine columns, and both kinds of internet apart
    assert len(rows) == 7_043


def test_the_past_of_every_contract_is_counted_back_without_clamping(plan: Plan) -> None:
    assert plan.file.as_of is not None
    assert plan.file.as_of.isoformat() == "2026-01-01T00:00:00+00:00"
