"""A plan in code that ran once, for tests of the review: four customers in doubt, three that are one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from plan_in_code import constants_of, feed_of, field_of, plan_of, raw_rows, table_of

from migration_assets.control import ControlDatabase, Doubted, migrate
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.engine.schema import schema_of
from migration_assets.plan.identity_models import Identity, IdentityKey, Review
from migration_assets.stages.identities.evidence import EVIDENCE
from migration_assets.stages.identities.resolve import TIES
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring import review
from migration_assets.wiring.environment import Environment
from migration_assets.wiring.workspace import Workspace

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLES = {
    "crm.a": table_of("customer", "self"),
    "erp.subs": table_of("subscription", "account", account="crm.a"),
    "erp.items": table_of("subscription_item", "sub", sub="erp.subs"),
    "erp.bills": table_of("invoice", "account", account="crm.a"),
}
SUB, ITEM = feed_of("sub", "subscription", "erp.subs"), feed_of("item", "subscription_item", "erp.items")
BILL = feed_of("bill", "invoice", "erp.bills")
FIELDS = [
    field_of(SUB, "customer_id", "account", "reference", table="crm.a"),
    *(field_of(SUB, name, name, "copy") for name in ("status", "plan_code")),
    *constants_of(SUB, currency="EUR", interval="month", starts_at="2026-01-01T00:00:00Z"),
    field_of(ITEM, "subscription_id", "sub", "reference", table="erp.subs"),
    field_of(ITEM, "recurring_minor", "minor", "integer"),
    *constants_of(ITEM, product_code="base", kind="base", quantity=1, currency="EUR"),
    field_of(BILL, "customer_id", "account", "reference", table="crm.a"),
    field_of(BILL, "status", "status", "copy"),
    field_of(BILL, "total_minor", "minor", "integer"),
    *constants_of(BILL, number="R", currency="EUR", subtotal_minor=0, tax_minor=0, issued_on="2026-02-01"),
]
RAW = {
    "subs": [
        {"id": "1", "account": "1", "status": "active", "plan_code": "basic"},
        {"id": "2", "account": "2", "status": "active", "plan_code": "basic"},
        {"id": "3", "account": "2", "status": "ended", "plan_code": "plus"},
    ],
    "items": [{"id": "1", "sub": "1", "minor": "500"}, {"id": "2", "sub": "2", "minor": "700"}],
    "bills": [
        {"id": "1", "account": "1", "status": "open", "minor": "500"},
        {"id": "2", "account": "2", "status": "paid", "minor": "700"},
        {"id": "3", "account": "2", "status": "overdue", "minor": "30"},
    ],
}
KEY = IdentityKey(name="mailbox", entity="customer", fields=("email",), reason="Same mailbox.")
DOUBTS = [
    Doubted("crm.a:1", "crm.a:2", "mailbox", 1.0, "two_payers", {"EUR": 8400}),
    Doubted("crm.a:3", "crm.a:4", "likeness", 0.71, "unsure"),
]
NAMES = {1: "Ann Lee", 2: "=cmd|'/c calc'!A1", 3: "Bo Chu", 4: "Bo Chou", 5: "Cy", 6: "Cy", 7: "Cy"}


def account(number: int) -> str:
    return f"crm.a:{number}"


def reviewed(database: str, tmp_path: Path) -> Callable[..., Workspace]:
    """`made(four_eyes=True)`: a plan that ran once, on snapshot S1. Customers 5, 6 and 7 were merged, 7 by a link."""
    migrate(database)

    def workspace(**review_keys: Any) -> Workspace:
        plan = plan_of(TABLES, feeds=[SUB, ITEM, BILL], mapping=FIELDS)
        identity = Identity(priority=("crm",), keys=(KEY,), review=Review(**review_keys))
        file = plan.file.model_copy(update={"as_of": NOW, "identity": identity})
        environment = Environment(tmp_path, "coded", tmp_path / "home", "postgresql://nobody@localhost/none")
        made = Workspace(plan.model_copy(update={"file": file}), environment)
        made.__dict__["control"] = ControlDatabase(database)
        return made

    ran = workspace()
    _write(ran)
    review.queue_of(ran).put(DOUBTS, "S1", NOW)
    return workspace


def case_of(workspace: Workspace, a: int) -> int:
    (found,) = [c["case"] for c in review.cases_of(workspace, everything=True) if c["a"] == account(a)]
    return int(found)


def put_table(workspace: Workspace, asset: str, name: str, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    """A table of a global asset, as a run would leave it."""
    with workspace.engine() as engine:
        file = workspace.store.file(asset, GLOBAL, name)
        engine.write(engine.table(pa.Table.from_pylist(rows, schema=schema)), file)


def _write(ran: Workspace) -> None:
    fields = (*ENTITIES["customer"].fields, *PROVENANCE)
    customers = [
        {"customer_id": account(n), "name": name, "email": "a@x.example", "source_system": "crm", "source_table": "a"}
        | {"source_id": str(n), "source_row": 10 + n}
        for n, name in NAMES.items()
    ]
    put_table(ran, "standardized_parties", "customer", customers, schema_of(fields).to_pyarrow())
    founder = {6: 5, 7: 5}
    keys = pa.schema(dict.fromkeys(("customer_id", "identity_id"), pa.string()))
    identities = [{"customer_id": account(n), "identity_id": account(founder.get(n, n))} for n in NAMES]
    put_table(ran, "customer_identities", "identities", identities, keys)
    put_table(ran, "customer_identities", "ties", [
        {"a": account(5), "b": account(6), "kind": "key", "rule": "mailbox", "probability": 1.0},
        {"a": account(5), "b": account(7), "kind": "link", "rule": "account", "probability": 1.0},
    ], TIES)  # fmt: skip
    put_table(ran, "customer_identities", "evidence", [
        {"a": account(3), "b": account(4), "field": "given_name", "level": "same", "weight": 5.0},
        {"a": account(3), "b": account(4), "field": "family_name", "level": "alike", "weight": 2.0},
        {"a": account(3), "b": account(6), "field": "family_name", "level": "differs", "weight": -2.0},
    ], EVIDENCE)  # fmt: skip
    columns = ("id", "account", "sub", "status", "plan_code", "minor")
    with ran.engine() as engine:
        for table in TABLES:
            rows = raw_rows(engine, *RAW.get(table.partition(".")[2], ()), columns=columns)
            engine.write(rows, ran.store.golden_file("S1", table))
    ran.store.make_current("S1")
