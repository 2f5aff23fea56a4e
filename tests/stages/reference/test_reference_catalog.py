"""The plan's catalog as rows: limits in the feature's own unit, exactly, and one code for each list price."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from migration_assets.plan.catalog_models import Catalog
from migration_assets.plan.models import GeoRow, Plan
from migration_assets.stages.reference.catalog import catalog_tables


def plan(limit: str = "10", unit: str = "kB", **units: str) -> Plan:
    """A plan with one product that grants `limit` of a feature counted in KiB; only its catalog matters."""
    grant: dict[str, Any] = {"feature": "storage", "limit_kind": "limited", "limit": limit, "unit": unit}
    catalog = {
        "products": [{"code": "mail", "name": "Mail", "kind": "add_on", "grants": [grant]}],
        "prices": [
            {"product": "mail", "interval": "month", "currency": currency, "unit_price": "9.90"}
            for currency in ("EUR", "USD")
        ],
        "features": [{"code": "storage", "name": "Storage", "kind": "quota", "unit": "KiB", "units": units}],
    }
    geo = (GeoRow(product="mail", region="XK", allowed=True, reason=""),)
    return Plan.model_construct(folder=Path(), catalog=Catalog.model_validate(catalog), geo=geo)


@pytest.mark.parametrize(
    ("factor", "limit", "expected"),
    [("1000/1024", "10", "9.765625"), ("1/3", "9", "3"), ("0.5", "0.00000002", "0.00000001"), ("1024", "1", "1024")],
)
def test_a_limit_is_converted_exactly(factor: str, limit: str, expected: str) -> None:
    (row,) = catalog_tables(plan(limit, kB=factor))["product_feature"].to_pylist()
    assert row["limit_units"] == Decimal(expected)


def test_a_limit_in_the_features_own_unit_stays_as_it_is() -> None:
    (row,) = catalog_tables(plan("10", "KiB", kB="2"))["product_feature"].to_pylist()
    assert row["limit_units"] == Decimal(10)


def test_every_price_has_a_code_of_its_own() -> None:
    rows = catalog_tables(plan(kB="1"))["price"].to_pylist()
    assert [r["price_code"] for r in rows] == ["mail/month/EUR", "mail/month/USD"]


def test_tiers_are_told_by_the_units_below_them_and_a_price_of_contracts_by_its_own_code() -> None:
    tiers = [{"up_to": 10, "unit_price": "5"}, {"up_to": 20, "unit_price": "4", "fee": "2.50"}, {"unit_price": "3"}]
    terms = {"product": "mail", "interval": "month", "currency": "EUR"}
    catalog = Catalog.model_validate(
        {
            "prices": [
                {**terms, "model": "tiered", "tiers": tiers},
                {**terms, "code": "mail-2019", "model": "package", "unit_price": "7", "package_size": 100},
            ]
        }
    )
    found = catalog_tables(Plan.model_construct(folder=Path(), catalog=catalog, geo=()))
    prices = [(r["price_code"], r["unit_price"], r["package_size"]) for r in found["price"].to_pylist()]
    assert prices == [("mail/month/EUR", Decimal(5), None), ("mail-2019", Decimal(7), 100)]
    told = [(r["price_tier_code"], r["over_units"], r["unit_price"], r["fee"]) for r in found["price_tier"].to_pylist()]
    assert told == [
        ("mail/month/EUR/0", 0, Decimal(5), None),
        ("mail/month/EUR/10", 10, Decimal(4), Decimal("2.5")),
        ("mail/month/EUR/20", 20, Decimal(3), None),
    ]
