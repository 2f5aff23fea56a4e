"""A tiny plan, written in code, and canonical rows for it: what the tests of load and reconcile share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pyarrow as pa

from migration_assets.connectors.databases import database_url, drop_database, ensure_database
from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.catalog_models import Catalog, Product
from migration_assets.plan.models import (
    CohortRule,
    Cohorts,
    Compare,
    Control,
    NoOverlap,
    Plan,
    PlanFile,
    Target,
    TargetSchema,
    TargetTable,
)
from migration_assets.plan.source_models import SourceSystem, SourceTable
from migration_assets.stages.load.customers import Membership
from migration_assets.stages.load.order import LoadOrder

PLAN_UUID = UUID("6f1d9c1a-0f8e-4f5e-9a3b-1c2d3e4f5a6b")
LOADED_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)

_ARROW = {
    "integer": pa.int64(),
    "money": pa.int64(),
    "decimal": pa.decimal128(28, 8),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "instant": pa.timestamp("us", "UTC"),
}

TARGET = TargetSchema(
    schema_name="billing",
    roles={"owner": "owner", "writer": "writer", "reader": "reader"},
    tables={
        "products": TargetTable(
            entity="product", columns={"product_code": "product_code", "name": "name", "kind": "kind"}
        ),
        # Children before parents on purpose: the order of the file does not matter.
        "subscription_items": TargetTable(
            entity="subscription_item",
            columns={
                "item_id": "item_id",
                "subscription_id": "subscription_id",
                "product_code": "product_code",
                "quantity": "quantity",
                "currency": "currency",
                "unit_price": "unit_price",
                "recurring_minor": "recurring_minor",
            },
            checks=(Compare(left="quantity", op="ge", right=0),),
        ),
        "customers": TargetTable(
            entity="customer",
            columns={
                "customer_id": "customer_id",
                "customer_number": "customer_number",
                "name": "name",
                "email": "email",
                "country": "country",
                "kind": "kind",
                "parent_id": "parent_id",
                "payer_id": "payer_id",
                "created_at": "created_at",
            },
            unique=(("customer_number",),),
        ),
        "subscriptions": TargetTable(
            entity="subscription",
            columns={
                "subscription_id": "subscription_id",
                "customer_id": "customer_id",
                "status": "status",
                "currency": "currency",
                "starts_at": "starts_at",
                "ends_at": "ends_at",
                "tax_exempt": "tax_exempt",
                "billed_to_date_minor": "billed_to_date_minor",
            },
            checks=(Compare(left="starts_at", op="lt", right="ends_at"),),
        ),
        "entitlements": TargetTable(
            entity="entitlement",
            columns={
                "entitlement_id": "entitlement_id",
                "customer_id": "customer_id",
                "feature_code": "feature_code",
                "starts_at": "starts_at",
                "ends_at": "ends_at",
            },
            no_overlap=(NoOverlap(equal=("customer_id", "feature_code"), starts="starts_at", ends="ends_at"),),
        ),
    },
)

SOURCES = {
    "crm": SourceSystem(
        kind="sql",
        database="legacy_crm",
        tables={"accounts": SourceTable(read_from="accounts", key=("id",), home="customer", owner="self")},
    ),
    "erp": SourceSystem(
        kind="sql",
        database="legacy_erp",
        tables={
            "contracts": SourceTable(
                read_from="contracts",
                key=("id",),
                home="subscription",
                owner="account",
                references={"account": "crm.accounts"},
            ),
            "positions": SourceTable(
                read_from="positions",
                key=("id",),
                home="subscription_item",
                owner="contract",
                references={"contract": "erp.contracts"},
            ),
        },
    ),
}


def tiny_plan(name: str = "tiny", controls: tuple[Control, ...] = (), target: TargetSchema = TARGET) -> Plan:
    """A whole plan without files."""
    return Plan(
        folder=Path("plans") / name,
        digest="d" * 64,
        file=PlanFile(
            name=name, uuid=PLAN_UUID, title="Tiny", owner="tests", sources=SOURCES, target=Target(database="target")
        ),
        feeds=(),
        mapping=(),
        codes={},
        catalog=Catalog(products=(Product(code="base", name="Base", kind="base"),)),
        geo=(),
        cohorts=Cohorts(cohorts=(CohortRule(name="pilot", wave=0, buckets=1),)),
        controls=controls,
        target=target,
    )


@contextmanager
def template(server: str) -> Iterator[tuple[str, PostgresTarget]]:
    """A database to fill once and copy often: its name, and the target in it."""
    name = f"template_{uuid4().hex[:12]}"
    ensure_database(server, name)
    yield name, PostgresTarget(database_url(server, name, "psycopg"))
    drop_database(server, name)


@contextmanager
def copy_of(server: str, source: str) -> Iterator[PostgresTarget]:
    """A fresh copy of a database."""
    name = f"test_{uuid4().hex[:16]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {source}")
    yield PostgresTarget(database_url(server, name, "psycopg"))
    drop_database(server, name)


def order(cohort: str = "pilot", **changes: Any) -> LoadOrder:
    """A load of that cohort."""
    given = {"snapshot": "20260101T000000Z-abcdef", "run_id": "run-1", "loaded_at": LOADED_AT, **changes}
    return LoadOrder(cohort=cohort, **given)


def rows(engine: DuckDBEngine, entity: str, records: Iterable[Mapping[str, Any]]) -> Any:
    """Canonical rows of an entity, with the types of its model; what a record does not name is missing."""
    fields = (*ENTITIES[entity].fields, *PROVENANCE)
    schema = pa.schema([(f.name, _ARROW.get(f.type, pa.string())) for f in fields])
    whole = [{f.name: record.get(f.name) for f in fields} for record in records]
    return engine.table(pa.Table.from_pylist(whole, schema=schema))


def sourced(table: str, number: int, key_field: str, **values: Any) -> dict[str, Any]:
    """A record founded in `system.table`, row and id `number`."""
    system, _, name = table.partition(".")
    return {
        key_field: f"{table}:{number}",
        "source_system": system,
        "source_table": name,
        "source_id": str(number),
        "source_row": number,
        **values,
    }


def membership(
    engine: DuckDBEngine,
    cohorts: Mapping[str | None, Iterable[int]],
    *,
    into: Mapping[int, int] | None = None,
    planned: Iterable[str] | None = None,
    contracts: Mapping[int, str] | None = None,
) -> Membership:
    """Who is in which cohort now; `into`: customer -> the customer it is merged into. What is theirs lies with them: a
    contract of the customer's number (unless `contracts` says where each is), and positions of ten times as much and
    some."""
    placed = [(n, cohort) for cohort, numbers in cohorts.items() for n in numbers]
    told = {
        "customer_id": [f"crm.accounts:{n}" for n, _ in placed],
        "identity_id": [f"crm.accounts:{(into or {}).get(n, n)}" for n, _ in placed],
        "cohort": [cohort for _, cohort in placed],
    }
    lie = [(n, cohort or "unassigned") for n, cohort in placed]
    theirs = lie if contracts is None else list(contracts.items())
    rows_of = {
        "crm.accounts": [(str(n), c) for n, c in lie],
        "erp.contracts": [(str(n), c) for n, c in theirs],
        "erp.positions": [(str(n * 10 + k), c) for n, c in theirs for k in range(1, 10)],
    }

    def whereabouts(table: str) -> Any:
        if table not in rows_of:
            return None
        ids, names = zip(*rows_of[table], strict=True) if rows_of[table] else ((), ())
        return engine.table(pa.table({"source_id": pa.array(ids, pa.string()), "cohort": pa.array(names, pa.string())}))

    members = engine.table(pa.table(told, schema=pa.schema(dict.fromkeys(told, pa.string()))))
    known = planned if planned is not None else (c for c in cohorts if c is not None)
    return Membership(members, frozenset(known), whereabouts)


def utc(year: int, month: int, day: int, microsecond: int = 0) -> datetime:
    return datetime(year, month, day, 12, 0, 0, microsecond, UTC)


@dataclass
class World:
    """Records of one cohort by entity; tests change them before they load."""

    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def canonical(self, engine: DuckDBEngine) -> dict[str, Any]:
        return {entity: rows(engine, entity, records) for entity, records in self.records.items()}

    def one(self, entity: str, number: int) -> dict[str, Any]:
        return next(r for r in self.records[entity] if r["source_row"] == number)


def world(customers: range = range(1, 7)) -> World:
    """Customers with one subscription of two items and one entitlement each; the second is the child of the first."""
    first = customers.start
    return World(
        {
            "customer": [_customer(n, first) for n in customers],
            "subscription": [
                sourced(
                    "erp.contracts", n, "subscription_id", customer_id=f"crm.accounts:{n}", plan_code="base",
                    status="active", currency="EUR", interval="month", starts_at=utc(2025, 1, 1 + n % 20, n),
                    ends_at=utc(2026, 3, 1) if n % 2 else None, tax_exempt=False if n % 3 else None,
                    billed_to_date_minor=1000 * n,
                )
                for n in customers
            ],
            "subscription_item": [_item(n * 10 + k, n, k) for n in customers for k in (1, 2)],
            "entitlement": [
                {
                    **sourced("erp.contracts", n, "entitlement_id", customer_id=f"crm.accounts:{n}"),
                    "entitlement_id": f"erp.contracts:{n}/seats/0",
                    "feature_code": "seats", "region": "*", "starts_at": utc(2025, 1, 1), "allowed": True,
                    "limit_kind": "limited", "limit_units": Decimal(5), "overage": "block", "granted_by": "plan",
                }
                for n in customers
            ],
        }
    )  # fmt: skip


def _customer(n: int, first: int) -> dict[str, Any]:
    return sourced(
        "crm.accounts", n, "customer_id",
        customer_number=f"C-{n:05}", kind="company", name=f'Ärger, "{n}" & Söhne\nGmbH', status="active",
        email=None if n % 2 else "", country="DE", created_at=utc(2020, 1, 1, n),
        parent_id=f"crm.accounts:{first}" if n == first + 1 else None, birth_date=date(1990, 1, 1),
    )  # fmt: skip


def _item(number: int, n: int, k: int) -> dict[str, Any]:
    return sourced(
        "erp.positions", number, "item_id",
        subscription_id=f"erp.contracts:{n}", product_code="base", kind="base", quantity=k, currency="EUR",
        unit_price=Decimal("10.12345678") * k, recurring_minor=1012 * k,
    )  # fmt: skip


def products(engine: DuckDBEngine) -> dict[str, Any]:
    """Catalog rows."""
    return {
        "product": rows(engine, "product", [{"product_code": "base", "name": "Base", "kind": "base"}]),
    }


@dataclass(frozen=True)
class Legacy:
    """Raw rows of the pilot as the golden copy has them, and their dispositions."""

    tables: dict[str, Any]
    dispositions: Any


def legacy(engine: DuckDBEngine, rejected: frozenset[int] = frozenset()) -> Legacy:
    """Legacy rows the pilot's world came from: amounts in major units as text, dates as dates, one rejected contract
    per number in `rejected` (its row is in the source and not in the target)."""
    pilot = world()
    accounts = [{"_row": c["source_row"], "id": c["source_row"], "name": c["name"]} for c in pilot.records["customer"]]
    contracts = [
        {
            "_row": s["source_row"],
            "id": s["source_row"],
            "account": s["source_row"],
            "currency": " eur" if s["source_row"] == 1 else "EUR",
            "billed": f"{s['billed_to_date_minor'] / 100:.2f}" if s["source_row"] != 2 else " 20.00 ",
            "list_price": "999.99",
            "started": s["starts_at"].date(),
            "signed": date(2024, 12, 1),
            "kind": "sold",
        }
        for s in pilot.records["subscription"]
    ]
    for number in sorted(rejected):
        contracts.append({**contracts[0], "_row": number, "id": number, "billed": "7.77"})
    items = pilot.records["subscription_item"]
    positions = [{"_row": i["source_row"], "id": i["source_row"], "contract": 1} for i in items]
    tables = {"crm.accounts": accounts, "erp.contracts": contracts, "erp.positions": positions}
    claims = [
        {
            "source_system": name.partition(".")[0],
            "source_table": name.partition(".")[2],
            "source_row": row["_row"],
            "source_id": str(row["id"]),
            "disposition": "rejected" if name == "erp.contracts" and row["_row"] in rejected else "loaded",
            "rule": "",
        }
        for name, records in tables.items()
        for row in records
    ]
    return Legacy(
        {name: engine.table(pa.Table.from_pylist(records)) for name, records in tables.items()},
        engine.table(pa.Table.from_pylist(claims)),
    )
