"""What a base item grants once changes that are agreed for its contract take effect (I31)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from migration_assets.stages.entitlements.derive import CatalogRows, granted_by_items
from migration_assets.stages.entitlements.resolve import resolved
from migration_assets.stages.entitlements.scheduled import contract_states

Row = dict[str, Any]


def at(month: int, year: int = 2026) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC)


# product, feature, kind of limit, units, for the item or for each unit, past it
GRANTED = (
    ("basic", "seats", "limited", 3, "item", "block"),
    ("basic", "sso", "zero", None, "item", "none"),
    ("pro", "seats", "limited", 1, "unit", "block"),
    ("pro", "minutes", "limited", 100, "item", "bill"),
    ("pro", "sso", "zero", None, "item", "none"),
    ("sign-on", "sso", "unlimited", None, "item", "none"),
)


@pytest.fixture
def catalog(canonical) -> CatalogRows:
    names = ("product_code", "feature_code", "limit_kind", "limit_units", "per", "overage")
    grants = [
        dict(zip(names, (p, f, k, u if u is None else Decimal(u), *r), strict=True)) for p, f, k, u, *r in GRANTED
    ]
    return CatalogRows(
        plan=canonical("plan", *[{"plan_code": f"{p}-month", "product_code": p} for p in ("basic", "pro")]),
        product_feature=canonical("product_feature", *[{"product_feature_code": "x", **g} for g in grants]),
        feature=canonical("feature", *[{"feature_code": f, "unit": "x"} for f in ("seats", "minutes", "sso")]),
        geo_rule=canonical(
            "geo_rule", {"geo_rule_code": "pro/KW", "product_code": "pro", "region": "KW", "allowed": False}
        ),
    )


def change(kind: str, month: int, number: int = 1, **given: Any) -> Row:
    return {
        "scheduled_change_id": f"e.x:{number}",
        "subscription_id": "e.s:1",
        "kind": kind,
        "effective_at": at(month),
        **given,
    }


def upgrade(month: int, number: int = 1, to: str = "pro-month", kind: str = "upgrade", **given: Any) -> Row:
    return change(kind, month, number, new_plan_code=to, **given)


@pytest.fixture
def granted(engine, canonical, catalog):
    def rows(*changes: Row, item: Row | None = None, add_on: Row | None = None, **contract: Any) -> list[Row]:
        """Entitlements of one contract of `basic` with two units, in the order of feature and start."""
        told = {"subscription_id": "e.s:1", "customer_id": "e.c:1", "starts_at": at(1), "service_country": "DE"}
        base = {"item_id": "e.i:1", "subscription_id": "e.s:1", "product_code": "basic", "kind": "base", "quantity": 2}
        items = [base | (item or {}), *([base | {"item_id": "e.i:2", "kind": "add_on"} | add_on] if add_on else [])]
        made = granted_by_items(
            engine,
            canonical("subscription", told | contract),
            canonical("subscription_item", *items),
            canonical("scheduled_change", *changes),
            catalog,
        )
        found = engine.arrow(resolved(engine, made)).to_pylist()
        return sorted(found, key=lambda r: (r["feature_code"], r["starts_at"]))

    return rows


def of(rows: list[Row], feature: str) -> list[tuple[Any, ...]]:
    """(first month, month after the last, limit) of one feature; months count on after December."""

    def month(instant: datetime | None) -> int | None:
        return None if instant is None else (instant.year - 2026) * 12 + instant.month

    return [
        (month(r["starts_at"]), month(r["ends_at"]), r["limit_units"]) for r in rows if r["feature_code"] == feature
    ]


def test_an_upgrade_swaps_what_the_plan_grants_on_its_day(granted) -> None:
    rows = granted(upgrade(7))
    assert of(rows, "seats") == [(1, 7, 3), (7, None, 2)]
    assert of(rows, "minutes") == [(7, None, 100)]
    assert {r["granted_by"] for r in rows} == {"plan"}


def test_what_both_plans_grant_alike_stays_one_row(granted) -> None:
    assert of(granted(upgrade(7)), "sso") == [(1, None, None)]


def test_the_row_that_starts_with_its_item_keeps_its_id_and_later_ones_say_since_when(granted) -> None:
    assert [r["entitlement_id"] for r in granted(upgrade(7))] == [
        "e.i:1/minutes@2026-07-01T00:00:00.000000Z",
        "e.i:1/seats",
        "e.i:1/seats@2026-07-01T00:00:00.000000Z",
        "e.i:1/sso",
    ]


def test_an_id_tells_one_instant_also_where_a_later_row_is_cut_again(engine, canonical, granted) -> None:
    """From March on pro forbids single sign-on; an add-on allows it from May to July."""
    lasting = {"product_code": "sign-on", "starts_at": at(5), "ends_at": at(7)}
    bare = {"product_code": "bare"}
    rows = [r for r in granted(upgrade(3), item=bare, add_on=lasting) if r["feature_code"] == "sso"]
    assert [r["entitlement_id"] for r in rows] == [
        "e.i:1/sso@2026-03-01T00:00:00.000000Z",
        "e.i:2/sso",
        "e.i:1/sso@2026-07-01T00:00:00.000000Z",
    ]


def test_a_source_key_with_an_at_sign_is_never_cut(granted) -> None:
    rows = granted(upgrade(7), item={"item_id": "e.i:jo@x.example"})
    assert [r["entitlement_id"] for r in rows if r["feature_code"] == "seats"] == [
        "e.i:jo@x.example/seats",
        "e.i:jo@x.example/seats@2026-07-01T00:00:00.000000Z",
    ]


def test_a_ramp_changes_grants_for_each_unit_alone(granted) -> None:
    rows = granted(change("ramp", 4, new_quantity=9), item={"product_code": "pro"})
    assert of(rows, "seats") == [(1, 4, 2), (4, None, 9)]
    assert of(rows, "minutes") == [(1, None, 100)]


def test_a_ramp_to_nothing_is_the_limit_zero_and_forbids(granted) -> None:
    rows = granted(change("ramp", 4, new_quantity=0), item={"product_code": "pro"})
    last = [r for r in rows if r["feature_code"] == "seats"][-1]
    assert (last["limit_kind"], last["limit_units"], last["allowed"]) == ("zero", None, False)


def test_a_cancel_ends_plan_and_add_ons_and_the_first_of_two_counts(granted) -> None:
    cancels = (change("cancel", 9, 1), change("cancel", 6, 2))
    rows = granted(*cancels, add_on={"product_code": "sign-on"}, ends_at=at(12))
    assert {r["ends_at"] for r in rows} == {at(6)}
    assert {r["granted_by"] for r in rows} == {"plan", "add_on"}


def test_a_cancel_before_the_contract_starts_leaves_nothing(granted) -> None:
    assert granted(change("cancel", 1)) == []


def test_an_uplift_changes_prices_only_and_cuts_nothing(engine, canonical, catalog, granted) -> None:
    uplift = change("uplift", 4, percent=Decimal(5), new_quantity=77)
    assert of(granted(uplift), "seats") == [(1, None, 3)]
    states = contract_states(canonical("scheduled_change", uplift), catalog.plan)
    assert engine.arrow(states).num_rows == 0


def test_changes_in_a_row_each_leave_what_the_others_set(granted) -> None:
    rows = granted(
        change("ramp", 3, 1, new_quantity=5),
        upgrade(5, 2),
        change("ramp", 7, 3, new_quantity=8),
        upgrade(9, 4, "basic-month", "downgrade"),
        upgrade(11, 5),
    )
    assert of(rows, "seats") == [(1, 5, 3), (5, 7, 5), (7, 9, 8), (9, 11, 3), (11, None, 8)]
    assert of(rows, "minutes") == [(5, 9, 100), (11, None, 100)]
    assert len({r["entitlement_id"] for r in rows}) == len(rows)


def test_of_changes_on_one_day_the_higher_id_comes_last(granted) -> None:
    both = (upgrade(7, 1), upgrade(7, 2, "basic-month", "downgrade"))
    assert of(granted(*both), "seats") == [(1, None, 3)]


def test_an_upgrade_that_names_no_plan_of_the_catalog_changes_nothing(granted) -> None:
    assert of(granted(upgrade(7, to="gone"), change("upgrade", 8, 2, new_quantity=50)), "seats") == [(1, None, 3)]


def test_only_the_base_item_is_changed(granted) -> None:
    rows = granted(upgrade(7), change("ramp", 8, 2, new_quantity=9), add_on={"product_code": "pro", "quantity": 4})
    assert [r for r in of(rows, "seats") if r[2] == 4] == [(1, None, 4)]


def test_changes_act_within_the_items_own_time(granted) -> None:
    rows = granted(upgrade(3), upgrade(9, 2, "basic-month", "downgrade"), item={"starts_at": at(5), "ends_at": at(8)})
    assert of(rows, "seats") == [(5, 8, 2)]
    assert [r["entitlement_id"] for r in rows if r["feature_code"] == "seats"] == ["e.i:1/seats"]


def test_a_geo_rule_is_asked_about_the_product_that_holds_then(granted) -> None:
    rows = granted(upgrade(7), service_country="KW")
    assert [(r["starts_at"], r["allowed"]) for r in rows if r["feature_code"] == "seats"] == [
        (at(1), True),
        (at(7), False),
    ]


def test_whether_a_change_has_been_made_already_makes_no_difference(granted) -> None:
    """After the day the old system shows the new product; the change may still stand there."""
    assert of(granted(upgrade(7), item={"product_code": "pro"}), "seats") == [(1, None, 2)]


def test_the_order_of_rows_makes_no_difference(granted) -> None:
    changes = [change("ramp", 3, 1, new_quantity=5), upgrade(5, 2), change("ramp", 7, 3, new_quantity=8)]
    assert granted(*changes) == granted(*reversed(changes))
