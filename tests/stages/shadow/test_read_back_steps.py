"""Bills of what is sold by tiers and packages, from what the target holds: loaded, read back, and changed there."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from spread_runs import bills_of
from target_world import TARGET, copy_of, order, products, rows, template, tiny_plan, utc, world
from test_read_back import IDENTITIES, LEGACY, changed

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.money import exponent_of
from migration_assets.domain.target import terms
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.catalog_models import Catalog, Price, PriceTier, Product
from migration_assets.plan.models import Plan, TargetTable
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.schema import desired_schema
from migration_assets.stages.reference.catalog import catalog_tables
from migration_assets.stages.shadow.read_back import read_back
from migration_assets.stages.shadow.target.bills import target_bills
from migration_assets.stages.shadow.target.holding import held_rows

AS_OF = utc(2026, 1, 1)
# Columns of the target beside those of the tiny plan, named as in the canonical model.
BILLED = (
    "interval", "anchor_at", "current_period_ends_at", "cancel_at_period_end", "paused_at", "resumes_at", "time_zone",
    "service_country", "tax_inclusive",
)  # fmt: skip
PRICED = ("kind", "price_model", "price_code", "starts_at", "ends_at")
# 10 at 5.00, the rest at 4.00 and 2.50 once; packages of 5 at 7.00.
CATALOG = Catalog(
    products=(Product(code="base", name="Base", kind="base"),),
    prices=(
        Price(
            code="steps",
            product="base",
            interval="month",
            currency="EUR",
            model="tiered",
            tiers=(PriceTier(up_to=10, unit_price="5"), PriceTier(unit_price="4", fee="2.50")),
        ),
        Price(
            code="packs",
            product="base",
            interval="month",
            currency="EUR",
            model="package",
            unit_price="7",
            package_size=5,
        ),
    ),
)


def stepped_plan() -> Plan:
    tables = dict(TARGET.tables)
    for name, more in (("subscriptions", BILLED), ("subscription_items", PRICED)):
        table = tables[name]
        wider = {**table.columns, **{column: column for column in more}}
        tables[name] = table.model_copy(update={"columns": wider, "checks": ()})
    same = {
        "prices": (
            "price",
            ("price_code", "product_code", "interval", "currency", "unit_price", "model", "package_size"),
        ),
        "price_tiers": ("price_tier", ("price_tier_code", "price_code", "over_units", "unit_price", "fee")),
    }
    for name, (entity, columns) in same.items():
        tables[name] = TargetTable(entity=entity, columns={c: c for c in columns})
    plan = tiny_plan(target=TARGET.model_copy(update={"tables": tables}))
    return plan.model_copy(update={"catalog": CATALOG})


PLAN = stepped_plan()


@pytest.fixture(scope="module")
def stepped(server: str) -> Iterator[PostgresTarget]:
    """Two contracts, of 12 units by tiers and of 12 by packages."""
    sold = world(range(1, 3))
    for contract in sold.records["subscription"]:
        started = utc(2025, 1, 1)
        contract |= {"starts_at": started, "anchor_at": started, "ends_at": None, "time_zone": "UTC"}
        contract |= {"cancel_at_period_end": False, "tax_inclusive": False, "tax_exempt": True}
    sold.records["subscription_item"] = [
        item
        | {
            "quantity": 12,
            "starts_at": utc(2025, 1, 1),
            "price_code": code,
            "price_model": model,
            "unit_price": Decimal(price),
        }
        for item, (code, model, price) in zip(
            (i for i in sold.records["subscription_item"] if i["source_id"] in ("11", "21")),
            (("steps", "tiered", 5), ("packs", "package", 7)),
            strict=True,
        )
    ]
    with template(server) as (name, target), DuckDBEngine(memory_limit="1GB") as engine:
        apply_schema(target, desired_schema(PLAN))
        listed = catalog_tables(PLAN)
        catalog = {e: rows(engine, e, listed[e].to_pylist()) for e in ("price", "price_tier")}
        load_cohort(engine, target, PLAN, order("unassigned"), products(engine) | catalog)
        load_cohort(engine, target, PLAN, order("pilot"), sold.canonical(engine))
        with copy_of(server, name) as copied:
            yield copied


def subtotals(target: PostgresTarget) -> dict[str, list[int]]:
    """Of the next two bills, by the contract's number in the old system."""
    with DuckDBEngine(memory_limit="1GB") as engine:
        found = read_back(engine, target, PLAN, LEGACY, "pilot", engine.table(pa.table(IDENTITIES)))
        held = held_rows(engine, PLAN, found.rows.get)
        bills: dict[str, Any] = bills_of(
            engine, target_bills(engine, held, terms.Rules("days", "half_up", "line", "line"), AS_OF, exponent_of, 2)
        )
        named = {o["id"]: o["source_id"] for o in engine.arrow(found.origins.contracts).to_pylist()}
    return {named[own]: [b.subtotal_minor for b in told] for own, told in bills.items()}


def test_bills_are_made_from_the_tiers_and_packages_that_the_target_holds(stepped: PostgresTarget) -> None:
    by_tiers = 10 * 500 + 2 * 400 + 250
    by_packages = 3 * 700
    assert subtotals(stepped) == {"1": [by_tiers] * 2, "2": [by_packages] * 2}


def test_a_tier_or_a_package_that_another_hand_changed_changes_the_bills(stepped: PostgresTarget) -> None:
    changed(stepped, "UPDATE price_tiers SET unit_price = 3, fee = NULL WHERE over_units = 10")
    changed(stepped, "UPDATE prices SET package_size = 6 WHERE price_code = 'packs'")
    assert subtotals(stepped) == {"1": [10 * 500 + 2 * 300] * 2, "2": [2 * 700] * 2}


def test_a_tier_that_is_gone_leaves_its_contract_without_bills_and_no_other(stepped: PostgresTarget) -> None:
    changed(stepped, "DELETE FROM price_tiers WHERE over_units = 0")
    assert set(subtotals(stepped)) == {"2"}
