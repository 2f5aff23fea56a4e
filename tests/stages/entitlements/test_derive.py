from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from migration_assets.stages.entitlements.derive import CatalogRows, granted_by_items, granted_by_overrides


def at(month: int, year: int = 2026) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC)


@pytest.fixture
def catalog(canonical) -> CatalogRows:
    def grant(product, feature, kind, limit=None, per="item", overage="block"):
        return {
            "product_feature_code": f"{product}/{feature}",
            "product_code": product,
            "feature_code": feature,
            "limit_kind": kind,
            "limit_units": limit,
            "per": per,
            "overage": overage,
        }

    return CatalogRows(
        plan=canonical("plan"),
        product_feature=canonical(
            "product_feature",
            grant("pro", "seats", "limited", Decimal("1"), per="unit"),
            grant("pro", "storage", "limited", Decimal("50")),
            grant("pro", "sso", "zero"),
            grant("phone", "minutes", "unlimited", overage="bill"),
        ),
        feature=canonical(
            "feature",
            {"feature_code": "seats", "unit": "seat"},
            {"feature_code": "storage", "unit": "GB"},
            {"feature_code": "sso"},
            {"feature_code": "minutes", "unit": "minute"},
        ),
        geo_rule=canonical(
            "geo_rule",
            {"geo_rule_code": "*/*", "product_code": "*", "region": "*", "allowed": True},
            {"geo_rule_code": "phone/KW", "product_code": "phone", "region": "KW", "allowed": False},
        ),
    )


def subscription(**given):
    return {"subscription_id": "e.s:1", "customer_id": "e.c:1", "starts_at": at(1), **given}


def item(**given):
    base = {"item_id": "e.i:1", "subscription_id": "e.s:1", "product_code": "pro", "kind": "base", "quantity": 7}
    return {**base, **given}


def granted(engine, canonical, catalog, contract, *items):
    subscriptions, sold = canonical("subscription", contract), canonical("subscription_item", *items)
    rows = granted_by_items(engine, subscriptions, sold, canonical("scheduled_change"), catalog)
    return {r["feature_code"]: r for r in engine.arrow(rows).to_pylist()}


def test_a_limit_per_unit_is_multiplied_and_one_per_item_is_not(engine, canonical, catalog) -> None:
    got = granted(engine, canonical, catalog, subscription(), item())
    assert got["seats"]["limit_units"] == 7
    assert got["storage"]["limit_units"] == 50
    assert got["storage"]["unit"] == "GB"


def test_unlimited_zero_and_absent_are_three_things(engine, canonical, catalog) -> None:
    got = granted(engine, canonical, catalog, subscription(), item())
    assert (got["sso"]["limit_kind"], got["sso"]["limit_units"], got["sso"]["allowed"]) == ("zero", None, False)
    assert "minutes" not in got
    phone = granted(engine, canonical, catalog, subscription(), item(product_code="phone", kind="add_on"))
    assert (phone["minutes"]["limit_kind"], phone["minutes"]["limit_units"]) == ("unlimited", None)
    assert phone["minutes"]["granted_by"] == "add_on"


def test_an_item_grants_for_the_part_of_its_period_inside_its_contract(engine, canonical, catalog) -> None:
    contract = subscription(starts_at=at(3), ends_at=at(9))
    got = granted(engine, canonical, catalog, contract, item(starts_at=at(1), ends_at=at(12)))
    assert (got["seats"]["starts_at"], got["seats"]["ends_at"]) == (at(3), at(9))
    open_ended = granted(engine, canonical, catalog, subscription(), item())
    assert open_ended["seats"]["ends_at"] is None


def test_an_item_that_ends_before_its_contract_starts_grants_nothing(engine, canonical, catalog) -> None:
    assert not granted(engine, canonical, catalog, subscription(starts_at=at(6)), item(starts_at=at(1), ends_at=at(2)))


def test_cancelled_at_period_end_means_access_until_that_end(engine, canonical, catalog) -> None:
    contract = subscription(cancel_at_period_end=True, current_period_ends_at=at(7))
    assert granted(engine, canonical, catalog, contract, item())["seats"]["ends_at"] == at(7)


def test_the_most_specific_geo_rule_decides(engine, canonical, catalog) -> None:
    phone = item(product_code="phone")
    home = granted(engine, canonical, catalog, subscription(service_country="DE"), phone)
    forbidden = granted(engine, canonical, catalog, subscription(service_country="KW"), phone)
    assert (home["minutes"]["allowed"], home["minutes"]["region"]) == (True, "DE")
    assert (forbidden["minutes"]["allowed"], forbidden["minutes"]["region"]) == (False, "KW")


def test_an_override_stands_beside_with_its_own_period(engine, canonical, catalog) -> None:
    override = {
        "override_id": "e.o:1", "customer_id": "e.c:1", "feature_code": "storage", "limit_kind": "limited",
        "limit_units": Decimal("2.5"), "starts_at": at(2), "ends_at": at(4),
    }  # fmt: skip
    (row,) = engine.arrow(granted_by_overrides(canonical("entitlement_override", override), catalog)).to_pylist()
    assert row["granted_by"] == "override"
    assert (row["region"], row["unit"], row["limit_units"]) == ("*", "GB", Decimal("2.5"))
    assert row["subscription_id"] is None
