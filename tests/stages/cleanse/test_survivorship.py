from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

from migration_assets.stages.cleanse.hierarchy import without_circles
from migration_assets.stages.cleanse.survivorship import erased_identities, merged, survivors

PRIORITY = ("crm", "erp")


def identities(engine, pairs):
    return engine.table(
        pa.table(
            {
                "customer_id": [a for a, _ in pairs],
                "identity_id": [b for _, b in pairs],
                "rule": ["link" for _ in pairs],
                "members": [len(pairs) for _ in pairs],
            }
        )
    )


def changed(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def both(engine, canonical, first, second):
    rows = canonical(
        "customer",
        {"customer_id": "crm.a:1", "kind": "company", "status": "active", "name": "Acme", **first},
        {"customer_id": "erp.c:9", "kind": "company", "status": "active", "name": "ACME", **second},
    )
    return rows, identities(engine, [("crm.a:1", "crm.a:1"), ("erp.c:9", "crm.a:1")])


def survived(engine, rows, known):
    return engine.arrow(survivors(rows, known, PRIORITY, erased_identities(rows, known))).to_pylist()


def test_the_first_system_wins_and_the_second_fills_gaps(engine, canonical) -> None:
    first = {"email": None, "country": "DE", "source_updated_at": changed(1)}
    second = {"email": "a@b.example", "country": "FR", "source_updated_at": changed(9)}
    rows, known = both(engine, canonical, first, second)
    (row,) = survived(engine, rows, known)
    assert (row["name"], row["country"], row["email"]) == ("Acme", "DE", "a@b.example")
    assert (row["customer_id"], row["source_table"], row["source_updated_at"]) == ("crm.a:1", "a", changed(9))


def test_the_row_that_goes_into_another_is_claimed_as_merged(engine, canonical) -> None:
    rows, known = both(engine, canonical, {}, {})
    (claim,) = engine.arrow(merged(rows, known, PRIORITY)).to_pylist()
    assert (claim["source_system"], claim["disposition"], claim["into_key"]) == ("erp", "merged", "crm.a:1")


def test_an_erased_member_takes_personal_values_of_the_whole_identity_along(engine, canonical) -> None:
    rows, known = both(engine, canonical, {"status": "erased", "name": "[erased]"}, {"email": "still@erp.example"})
    (row,) = survived(engine, rows, known)
    assert (row["name"], row["email"], row["status"]) == ("(erased)", None, "erased")


def test_an_erased_member_that_is_not_valid_itself_still_erases(engine, canonical) -> None:
    rows, known = both(engine, canonical, {"status": "erased", "name": "[erased]"}, {"email": "still@erp.example"})
    valid = rows.filter(rows["source_system"] == "erp")
    kept = survivors(valid, known, PRIORITY, erased_identities(rows, known))
    (row,) = engine.arrow(kept).to_pylist()
    assert (row["name"], row["email"], row["status"]) == ("(erased)", None, "erased")


def test_a_self_parent_and_a_circle_are_set_aside_and_listed(engine, canonical) -> None:
    rows = canonical(
        "customer",
        {"customer_id": "c.a:1", "parent_id": "c.a:1"},
        {"customer_id": "c.a:2", "parent_id": "c.a:3"},
        {"customer_id": "c.a:3", "parent_id": "c.a:2"},
        {"customer_id": "c.a:4", "parent_id": "c.a:2", "payer_id": "c.a:4"},
        {"customer_id": "c.a:5", "parent_id": "c.a:404"},
    )
    result = without_circles(engine, rows)
    parents = {r["customer_id"]: r["parent_id"] for r in engine.arrow(result.rows).to_pylist()}
    assert parents == {"c.a:1": None, "c.a:2": None, "c.a:3": None, "c.a:4": "c.a:2", "c.a:5": None}
    notes = engine.arrow(engine.union(result.notes)).to_pylist()
    assert sorted((n["source_id"], n["reason"]) for n in notes) == [
        ("1", "circle"), ("2", "circle"), ("3", "circle"), ("5", "reference_missing"),
    ]  # fmt: skip
