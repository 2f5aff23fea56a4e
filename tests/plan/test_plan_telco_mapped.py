"""The telco plan run over the real file: what it makes of 7,043 rows, to the cent and to the item."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.load import load_plan
from migration_assets.stages.feeds import Mapping

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(os.environ.get("TELCO_CSV") or ROOT / "../shared/data/telco/Telco-Customer-Churn.csv")
T = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]]:
    """Canonical rows and notes of each entity."""
    if not FILE.is_file():
        pytest.skip("the telco file is not here: set TELCO_CSV to Telco-Customer-Churn.csv")
    with FILE.open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda r: r["customerID"])
    plan = load_plan(ROOT / "plans/telco")
    with DuckDBEngine(memory_limit="1GB") as engine:
        raw = engine.table(pa.Table.from_pylist([{"_row": n, **r} for n, r in enumerate(rows, start=1)]))
        mapping = Mapping(engine, plan, lambda _: raw, T)
        fed = sorted({f.entity for f in plan.feeds})
        entities = {name: mapping.entity(name) for name in fed}
        yield {n: (engine.arrow(e.rows).to_pylist(), engine.arrow(e.notes).to_pylist()) for n, e in entities.items()}


def test_no_row_is_rejected_and_no_value_set_aside(made: dict[str, Any]) -> None:
    actions = Counter((n["action"], n["field"]) for _, notes in made.values() for n in notes)
    assert actions == {("defaulted", "billed_to_date_minor"): 11}


def test_every_customer_has_one_contract_and_one_way_to_pay(made: dict[str, Any]) -> None:
    customers = {r["customer_id"] for r in made["customer"][0]}
    assert len(customers) == len(made["customer"][0]) == 7_043
    for entity in ("subscription", "payment_method"):
        assert Counter(r["customer_id"] for r in made[entity][0]) == dict.fromkeys(customers, 1)


def test_charges_come_over_to_the_cent(made: dict[str, Any]) -> None:
    items, subscriptions = made["subscription_item"][0], made["subscription"][0]
    assert sum(r["recurring_minor"] or 0 for r in items) == 45_611_660
    assert all(r["unit_price"] * 100 == r["recurring_minor"] for r in items if r["kind"] == "base")
    assert sum(r["billed_to_date_minor"] for r in subscriptions) == 1_605_616_870
    assert {r["currency"] for r in (*items, *subscriptions)} == {"USD"}


def test_only_customers_not_yet_billed_get_a_default(made: dict[str, Any]) -> None:
    defaulted = {n["source_row"] for n in made["subscription"][1] if n["action"] == "defaulted"}
    began_now = {r["source_row"] for r in made["subscription"][0] if r["starts_at"] == T}
    assert defaulted == began_now
    assert {r["billed_to_date_minor"] for r in made["subscription"][0] if r["source_row"] in defaulted} == {0}


def test_services_become_items(made: dict[str, Any]) -> None:
    kinds = Counter(r["kind"] for r in made["subscription_item"][0])
    assert kinds == {"base": 7_043, "add_on": 29_202}
    products = Counter(r["product_code"] for r in made["subscription_item"][0])
    assert (products["phone"], products["internet_dsl"], products["internet_fiber"]) == (6_361, 2_421, 3_096)


def test_who_has_left_arrives_with_an_ended_contract(made: dict[str, Any]) -> None:
    ended = [r for r in made["subscription"][0] if r["status"] == "ended"]
    assert len(ended) == 1_869
    assert {r["ends_at"] for r in ended} == {T}
    assert all(r["starts_at"] < r["ends_at"] for r in ended)
    assert {r["ends_at"] for r in made["subscription"][0] if r["status"] == "active"} == {None}
    assert Counter(r["status"] for r in made["customer"][0]) == {"active": 5_174, "churned": 1_869}
