from __future__ import annotations

from types import SimpleNamespace

import pyarrow as pa
import pytest

from migration_assets.engine.mapping import MappedFeed
from migration_assets.plan.identity_models import Identity
from migration_assets.stages.canonical import Upstream
from migration_assets.stages.cleanse.cohort import Parties, cleanse_cohort
from migration_assets.stages.references import FATES, NOTES, empty

HOMES = {"crm.a": "customer", "erp.c": "customer", "erp.k": "contact", "erp.d": "address", "erp.t": "tax_registration"}


@pytest.fixture
def cleansed(engine, canonical):
    """An erased CRM account with its ERP debtor, another customer, and what the ERP still holds of both."""
    given = {
        "customer": [
            {"customer_id": "crm.a:1", "kind": "person", "status": "erased", "name": "[erased]"},
            {"customer_id": "erp.c:7", "kind": "person", "status": "churned", "name": "Jane Doe", "email": "j@x.de"},
            {"customer_id": "erp.c:8", "kind": "person", "status": "active", "name": "Joe Roe"},
        ],
        "contact": [
            {"contact_id": "erp.k:1", "customer_id": "erp.c:7", "name": "Jane Doe"},
            {"contact_id": "erp.k:2", "customer_id": "erp.c:8", "name": "Joe Roe"},
        ],
        "address": [{"address_id": "erp.d:1", "customer_id": "erp.c:7", "line1": "High Street 1", "kind": "billing"}],
        "tax_registration": [{"tax_registration_id": "erp.t:1", "customer_id": "erp.c:7", "tax_number": "123"}],
    }  # fmt: skip
    rows = {name: canonical(name, *some) for name, some in given.items()}
    keys, founders = ["crm.a:1", "erp.c:7", "erp.c:8"], ["crm.a:1", "crm.a:1", "erp.c:8"]
    known = engine.table(
        pa.table({"customer_id": keys, "identity_id": founders, "rule": ["link", "link", ""], "members": [2, 2, 1]})
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
        "crm.a:1": ("(erased)", None), "erp.c:8": ("Joe Roe", None),
    }  # fmt: skip
    assert [r["contact_id"] for r in kept["contact"]] == ["erp.k:2"]
    assert kept["address"] == kept["tax_registration"] == []


def test_each_row_left_out_for_erasure_is_accounted_for_once(engine, cleansed) -> None:
    claims = [r for part in cleansed.dispositions for r in listed(engine, part)]
    found = sorted((f"{r['source_table']}:{r['source_id']}", r["disposition"], r["rule"]) for r in claims)
    assert found == [
        ("a:1", "loaded", ""), ("c:7", "merged", "link"), ("c:8", "loaded", ""),
        ("d:1", "excluded", "erased_customer"),
        ("k:1", "excluded", "erased_customer"), ("k:2", "loaded", ""),
        ("t:1", "excluded", "erased_customer"),
    ]  # fmt: skip
