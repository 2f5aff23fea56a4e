"""The plan's catalog as rows: limits in the feature's own unit, exactly, and one code for each list price."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from migration_assets.plan.models import Catalog, GeoRow, Plan
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
