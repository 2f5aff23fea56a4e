from __future__ import annotations

import pyarrow as pa

from migration_assets.domain.predicates import Predicate
from migration_assets.plan.models import Identity, IdentityKey, IdentityLink
from migration_assets.stages.identities.facts import FactRows
from migration_assets.stages.identities.resolve import resolve_identities

IDENTITY = Identity(
    priority=("crm", "erp"),
    links=(IdentityLink(name="account", table="erp.c", column="account", to_table="crm.a", reason="Declared."),),
    keys=(IdentityKey(name="mailbox", entity="customer", fields=("email",), reason="Same mailbox."),),
    never_merge=(Predicate(field="status", op="eq", value="erased"),),
)


def resolved(engine, canonical, customers, accounts):
    """customer_id -> (identity_id, rule); `accounts`: what each ERP row declares, in the order of the rows given."""
    numbers = [i for i, c in enumerate(customers, start=1) if c["customer_id"].startswith("erp.c:")]
    raw = engine.table(pa.table({"_row": numbers, "account": pa.array(accounts, pa.string())}))
    rows = canonical("customer", *customers)
    found = resolve_identities(engine, IDENTITY, rows, lambda _: raw, ask=lambda _: no_facts(engine))
    return {r["customer_id"]: (r["identity_id"], r["rule"]) for r in engine.arrow(found.identities).to_pylist()}


def no_facts(engine):
    def rows(*columns):
        return engine.table(pa.schema(dict.fromkeys(("customer_id", *columns), pa.string())).empty_table())

    return FactRows(billed=rows(), plans=rows("plan_code"), tax_ids=rows("country", "tax_number"))


def customer(key, **given):
    return {"customer_id": key, "status": "active", **given}


def test_a_declared_link_leads_to_the_erased_account(engine, canonical) -> None:
    rows = [customer("crm.a:1", status="erased"), customer("erp.c:7", name="Jane Doe")]
    assert resolved(engine, canonical, rows, ["1"]) == {
        "crm.a:1": ("crm.a:1", "account"), "erp.c:7": ("crm.a:1", "account"),
    }  # fmt: skip


def test_likeness_leads_neither_to_an_erased_row_nor_to_what_is_linked_with_it(engine, canonical) -> None:
    rows = [
        customer("crm.a:1", status="erased", email="gone@x.example"),
        customer("crm.a:2", email="gone@x.example"),
        customer("crm.a:3", email="jane@x.example"),
        customer("erp.c:7", email="jane@x.example"),
        customer("erp.c:8", email="jane@x.example"),
    ]
    found = resolved(engine, canonical, rows, ["1", None])
    assert {key: identity for key, (identity, _) in found.items()} == {
        "crm.a:1": "crm.a:1", "erp.c:7": "crm.a:1",
        "crm.a:2": "crm.a:2",
        "crm.a:3": "crm.a:3", "erp.c:8": "crm.a:3",
    }  # fmt: skip


def test_without_erased_rows_links_and_keys_join_as_before(engine, canonical) -> None:
    rows = [customer("crm.a:1"), customer("crm.a:2", email="j@x.example"), customer("erp.c:7", email="j@x.example")]
    found = resolved(engine, canonical, rows, ["1"])
    assert found["crm.a:2"] == ("crm.a:1", "mailbox")
    assert found["erp.c:7"] == ("crm.a:1", "account mailbox")
