from __future__ import annotations

from migration_assets.stages.entitlements.cohort import without_erased_holders


def test_a_login_goes_where_the_customer_was_erased_and_the_seat_stays(engine, canonical) -> None:
    customers = canonical(
        "customer", {"customer_id": "e.c:1", "status": "erased"}, {"customer_id": "e.c:2", "status": "active"}
    )
    subscriptions = canonical(
        "subscription",
        {"subscription_id": "e.s:1", "customer_id": "e.c:1"},
        {"subscription_id": "e.s:2", "customer_id": "e.c:2"},
    )
    items = canonical(
        "subscription_item",
        {"item_id": "e.i:1", "subscription_id": "e.s:1"},
        {"item_id": "e.i:2", "subscription_id": "e.s:2"},
    )
    seats = canonical(
        "seat_assignment",
        {"seat_assignment_id": "e.t:1", "item_id": "e.i:1", "holder": "jane@x.example"},
        {"seat_assignment_id": "e.t:2", "item_id": "e.i:2", "holder": "joe@x.example"},
    )
    rows = engine.arrow(without_erased_holders(seats, items, subscriptions, customers)).to_pylist()
    assert {r["seat_assignment_id"]: r["holder"] for r in rows} == {"e.t:1": None, "e.t:2": "joe@x.example"}
