from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pyarrow as pa
import pytest

from migration_assets.engine.mapping import MappedFeed
from migration_assets.plan.identity_models import Identity
from migration_assets.stages.canonical import Upstream
from migration_assets.stages.cleanse.cohort import Parties, cleanse_cohort
from migration_assets.stages.references import FATES, NOTES, empty

HOMES = {"crm.a": "customer", "erp.c": "customer", "erp.k": "contact", "erp.d": "address", "erp.t": "tax_registration",
         "erp.e": "consent"}  # fmt: skip

# Whose consent: of the customer itself, or of a contact.
SAID = [("erp.c:7", None), ("erp.c:7", "erp.k:1"), ("erp.c:8", "erp.k:2"), ("erp.c:8", "erp.k:404"), ("erp.c:8", None)]


@pytest.fixture
def cleansed(engine, canonical):
    """An erased CRM account with its ERP debtor, another customer, and what the ERP still holds of both. And one that
    may be the erased one, and one that the target holds for one with somebody erased whom the source has forgotten."""
    given = {
        "customer": [
            {"customer_id": "crm.a:1", "kind": "person", "status": "erased", "name": "[erased]"},
            {"customer_id": "erp.c:7", "kind": "person", "status": "churned", "name": "Jane Doe", "email": "j@x.de"},
            {"customer_id": "erp.c:8", "kind": "person", "status": "active", "name": "Joe Roe"},
            {"customer_id": "crm.a:3", "kind": "person", "status": "active", "name": "Jane Doe", "email": "j@x.de"},
            {"customer_id": "erp.c:9", "kind": "person", "status": "active", "name": "Jane Doe"},
            {"customer_id": "crm.a:4", "kind": "person", "status": "active", "name": "Jan Do", "email": "jan@x.de"},
        ],
        "contact": [
            {"contact_id": "erp.k:1", "customer_id": "erp.c:7", "name": "Jane Doe"},
            {"contact_id": "erp.k:2", "customer_id": "erp.c:8", "name": "Joe Roe"},
            {"contact_id": "erp.k:3", "customer_id": "erp.c:9", "name": "Jane Doe"},
            {"contact_id": "erp.k:4", "customer_id": "crm.a:4", "name": "Jan Do"},
        ],
        "address": [{"address_id": "erp.d:1", "customer_id": "erp.c:7", "line1": "High Street 1", "kind": "billing"}],
        "consent": [
            {"consent_id": f"erp.e:{n}", "customer_id": customer, "contact_id": contact, "purpose": "research",
             "channel": "post", "decision": "granted", "decided_at": datetime(2026, 1, 1, tzinfo=UTC),
             "evidence": "form 7"}
            for n, (customer, contact) in enumerate(SAID)
        ],
        "tax_registration": [{"tax_registration_id": "erp.t:1", "customer_id": "erp.c:7", "tax_number": "123"}],
    }  # fmt: skip
    rows = {name: canonical(name, *some) for name, some in given.items()}
    keys = ["crm.a:1", "erp.c:7", "erp.c:8", "crm.a:3", "erp.c:9", "crm.a:4"]
    founders = ["crm.a:1", "crm.a:1", "erp.c:8", "crm.a:3", "crm.a:3", "crm.a:4"]
    known = engine.table(
        pa.table(
            {
                "customer_id": keys,
                "identity_id": founders,
                "rule": ["link", "link", "", "link", "link", ""],
                "members": [2, 2, 1, 2, 2, 1],
                "fate": ["erased", "erased", "", "held", "held", "erased"],
            }
        )
    )
    plan = SimpleNamespace(
        file=SimpleNamespace(identity=Identity(priority=("crm", "erp"))),
        survivor_decisions=(),
        entities_of=lambda _: tuple(given),
        source_tables={t: SimpleNamespace(home=home, owner="customer_id") for t, home in HOMES.items()},
    )
    feeds = SimpleNamespace(engine=engine, plan=plan, excluded=lambda _: None)
    parties = Parties(lambda entity: MappedFeed(rows[entity], empty(engine, NOTES)), known)
    return cleanse_cohort(feeds, parties, Upstream({}, empty(engine, FATES), known))


def listed(engine, table):
    return engine.arrow(table).to_pylist()


def test_nothing_personal_of_an_erased_customer_is_left_from_any_system(engine, cleansed) -> None:
    kept = {name: listed(engine, rows) for name, rows in cleansed.rows.items()}
    assert {r["customer_id"]: (r["name"], r["email"]) for r in kept["customer"]} == {
        "crm.a:1": ("(erased)", None), "erp.c:8": ("Joe Roe", None), "crm.a:4": ("(erased)", None),
    }, "nor of one that may be who was erased"  # fmt: skip
    assert [r["contact_id"] for r in kept["contact"]] == ["erp.k:2"]
    assert kept["address"] == kept["tax_registration"] == []


def test_each_row_left_out_for_erasure_is_accounted_for_once(engine, cleansed) -> None:
    claims = [r for part in cleansed.dispositions for r in listed(engine, part)]
    found = sorted((f"{r['source_table']}:{r['source_id']}", r["disposition"], r["rule"]) for r in claims)
    assert found == [
        ("a:1", "loaded", ""), ("a:3", "rejected", "may_be_erased"), ("a:4", "loaded", "erased_customer"),
        ("c:7", "merged", "link"), ("c:8", "loaded", ""), ("c:9", "rejected", "may_be_erased"),
        ("d:1", "excluded", "erased_customer"),
        ("e:0", "loaded", ""), ("e:1", "excluded", "erased_customer"), ("e:2", "loaded", ""),
        ("e:3", "rejected", "orphan"), ("e:4", "loaded", ""),
        ("k:1", "excluded", "erased_customer"), ("k:2", "loaded", ""),
        ("k:3", "rejected", "parent_rejected"), ("k:4", "excluded", "erased_customer"),
        ("t:1", "excluded", "erased_customer"),
    ]  # fmt: skip


def test_a_consent_without_a_contact_is_one_that_had_none(engine, cleansed) -> None:
    """The word of a contact who is erased, or whom the source does not know, does not become the customer's."""
    kept = {r["consent_id"]: (r["customer_id"], r["contact_id"]) for r in listed(engine, cleansed.rows["consent"])}
    assert kept == {
        "erp.e:0": ("crm.a:1", None), "erp.e:2": ("erp.c:8", "erp.k:2"), "erp.e:4": ("erp.c:8", None),
    }  # fmt: skip
    states, _ = cleansed.beside["consent_states"]
    assert {(r["customer_id"], r["contact_id"]): r["events"] for r in listed(engine, states)} == {
        ("crm.a:1", None): 1, ("erp.c:8", "erp.k:2"): 1, ("erp.c:8", None): 1,
    }  # fmt: skip
