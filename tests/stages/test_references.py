from __future__ import annotations

import pyarrow as pa

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.references import FATES, empty, settle


def parents(engine, **keys):
    return {entity: engine.table(pa.table({"key": pa.array(found, pa.string())})) for entity, found in keys.items()}


def item(key, subscription):
    return {"item_id": key, "subscription_id": subscription, "quantity": 1}


def test_a_row_shares_the_fate_of_its_parent_or_is_an_orphan(engine, canonical) -> None:
    rows = canonical(
        "subscription_item",
        item("e.i:1", "e.s:1"),
        item("e.i:2", "e.s:2"),
        item("e.i:3", "e.s:3"),
        item("e.i:4", "e.s:4"),
    )
    fates = engine.table(
        pa.table(
            {
                "entity": ["subscription", "subscription"],
                "key": ["e.s:2", "e.s:3"],
                "disposition": ["excluded", "rejected"],
                "rule": ["test_account", "inverted_period"],
            }
        )
    )
    settled = settle(engine, ENTITIES["subscription_item"], rows, parents(engine, subscription=["e.s:1"]), fates)
    assert [r["item_id"] for r in engine.arrow(settled.rows).to_pylist()] == ["e.i:1"]
    lost = {r["source_id"]: (r["disposition"], r["rule"]) for r in engine.arrow(settled.lost).to_pylist()}
    assert lost == {
        "2": ("excluded", "test_account"),
        "3": ("rejected", "parent_rejected"),
        "4": ("rejected", "orphan"),
    }


def test_an_optional_reference_to_nothing_is_set_aside_and_listed(engine, canonical) -> None:
    line = {"invoice_line_id": "e.l:1", "invoice_id": "e.v:1", "item_id": "e.i:404"}
    rows = canonical("invoice_line", line)
    known = parents(engine, invoice=["e.v:1"], subscription_item=["e.i:1"])
    settled = settle(engine, ENTITIES["invoice_line"], rows, known, empty(engine, FATES))
    (row,) = engine.arrow(settled.rows).to_pylist()
    (note,) = engine.arrow(settled.notes).to_pylist()
    assert (row["invoice_id"], row["item_id"]) == ("e.v:1", None)
    assert (note["field"], note["action"], note["reason"]) == ("item_id", "set_aside", "reference_missing")


def test_a_missing_optional_reference_is_nothing_to_note(engine, canonical) -> None:
    rows = canonical("invoice_line", {"invoice_line_id": "e.l:1", "invoice_id": "e.v:1"})
    known = parents(engine, invoice=["e.v:1"], subscription_item=[])
    settled = settle(engine, ENTITIES["invoice_line"], rows, known, empty(engine, FATES))
    assert engine.count(settled.rows) == 1
    assert engine.count(settled.notes) == 0


def test_what_a_contact_agreed_to_goes_where_the_contact_went_and_is_never_the_customers(engine, canonical) -> None:
    said = {"customer_id": "c.a:1", "purpose": "marketing", "channel": "email", "decision": "granted"}
    contacts = [None, "c.k:1", "c.k:2", "c.k:3", "c.k:404"]
    rows = canonical("consent", *({"consent_id": f"c.e:{n}", "contact_id": k, **said} for n, k in enumerate(contacts)))
    fates = pa.table(
        {
            "entity": ["contact", "contact"],
            "key": ["c.k:2", "c.k:3"],
            "disposition": ["excluded", "rejected"],
            "rule": ["erased_customer", "duplicate_key"],
        }
    )
    known = parents(engine, customer=["c.a:1"], contact=["c.k:1"])
    settled = settle(engine, ENTITIES["consent"], rows, known, engine.table(fates))
    kept = {r["consent_id"]: r["contact_id"] for r in engine.arrow(settled.rows).to_pylist()}
    assert kept == {"c.e:0": None, "c.e:1": "c.k:1"}, "the customer's own word, and that of a contact who is there"
    lost = {r["key"]: (r["disposition"], r["rule"]) for r in engine.arrow(settled.lost).to_pylist()}
    assert lost == {
        "c.e:2": ("excluded", "erased_customer"),
        "c.e:3": ("rejected", "parent_rejected"),
        "c.e:4": ("rejected", "orphan"),
    }
    assert engine.count(settled.notes) == 0
