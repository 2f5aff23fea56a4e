"""A contract, an invoice and a seat as both systems write them down, and what is made of them when something slips."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[2]))  # for random_ledgers

from random_ledgers import Rows, canonical_tables, record_tables, whose_tables

from migration_assets.domain.money import exponent_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan
from migration_assets.stages.shadow.terms.comparison import Writing, terms_compared
from migration_assets.stages.shadow.terms.listing import terms_csv
from migration_assets.stages.shadow.terms.papers import Going, Named, Papers

ACME = load_plan(Path(__file__).parents[3] / "plans" / "acme")
T = datetime(2026, 6, 30, 12, tzinfo=UTC)
TABLES = {
    "contracts": "erp.subscriptions",
    "items": "erp.subscription_items",
    "receivables": "erp.invoices",
    "seats": "erp.seat_assignments",
}
IDS = {"contracts": "contract_id", "items": "item_id", "receivables": "invoice_id", "seats": "seat_id"}
# Europe/Berlin: two hours before UTC in summer, one in winter.
CONTRACT = {
    "contract_id": "k", "customer": "7", "status": "active", "currency": "EUR", "zone": "Europe/Berlin", "months": 1,
    "anchor": date(2026, 1, 31), "first_day": date(2026, 1, 17), "last_day": date(2026, 7, 30), "legal_entity": "DE01",
    "payer": "9", "trial_last_day": date(2026, 1, 30),
}  # fmt: skip
SUBSCRIPTION = {
    "subscription_id": "erp.subscriptions:k", "customer_id": "ann", "payer_id": "ben", "status": "active",
    "legal_entity_id": "erp.legal_entities:DE01", "currency": "EUR",
    "starts_at": datetime(2026, 1, 16, 23, tzinfo=UTC), "ends_at": datetime(2026, 7, 30, 22, tzinfo=UTC),
    "trial_ends_at": datetime(2026, 1, 30, 23, tzinfo=UTC),
    # From the 31st on: June has none, so the period begins on its last day (I1).
    "current_period_starts_at": datetime(2026, 6, 29, 22, tzinfo=UTC),
    "current_period_ends_at": datetime(2026, 7, 30, 22, tzinfo=UTC),
}  # fmt: skip
ISSUED = {
    "invoice_id": "i", "number": "DE-1", "legal_entity": "DE01", "currency": "EUR", "total": Decimal("119.00"),
    "issued_on": date(2026, 2, 28), "due_on": date(2026, 3, 14), "payer": "9",
}  # fmt: skip
# A period over the night in which clocks go forward.
BILLED = {
    "invoice_id": "i", "contract_id": "k", "currency": "EUR", "first_day": date(2026, 2, 28),
    "last_day": date(2026, 3, 30), "issued_on": date(2026, 2, 28),
}  # fmt: skip
INVOICE = {
    "invoice_id": "erp.invoices:i", "customer_id": "ann", "payer_id": "ben", "number": "DE-1", "status": "paid",
    "legal_entity_id": "erp.legal_entities:DE01", "currency": "EUR", "total_minor": 11_900,
    "issued_on": date(2026, 2, 28), "due_on": date(2026, 3, 14),
    "period_starts_at": datetime(2026, 2, 27, 23, tzinfo=UTC), "period_ends_at": datetime(2026, 3, 30, 22, tzinfo=UTC),
}  # fmt: skip
SINCE = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
TAKEN = {"seat_id": "s", "item_id": "p", "contact": "C-1", "holder": " Kim@Example.com", "assigned_at": SINCE}
SEAT = {
    "seat_assignment_id": "erp.seat_assignments:s", "item_id": "erp.subscription_items:p",
    "contact_id": "crm.contacts:C-1", "holder": "kim@example.com", "assigned_at": SINCE,
}  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """Both sides as plain rows, and who goes on."""

    records: dict[str, Rows]
    rows: dict[str, Rows]
    customers: tuple[tuple[str, bool], ...] = (("ann", False), ("ben", False))
    contacts: tuple[str, ...] = ("crm.contacts:C-1",)
    rejected: tuple[tuple[str, int], ...] = ()
    # Raw rows that billing.yaml leaves out.
    unread: Mapping[str, Rows] = field(default_factory=dict)
    plan: Plan = ACME


def world() -> World:
    records = {
        "contracts": [CONTRACT],
        "items": [{"item_id": "p", "contract_id": "k"}],
        "receivables": [ISSUED],
        "invoices": [BILLED],
        "seats": [TAKEN],
    }
    rows = {"subscription": [SUBSCRIPTION], "invoice": [INVOICE], "seat_assignment": [SEAT]}
    return World(copy.deepcopy(records), copy.deepcopy(rows))


@dataclass(frozen=True)
class Found:
    """`status` by name of the table; `differences` as record, key, field and status; the sheet as it is written."""

    status: dict[str, list[str]]
    differences: list[tuple[str, str, str, str]]
    rows: list[Row]
    sheet: str


def compared(world: World) -> Found:
    with DuckDBEngine() as engine:
        papers = _papers(engine, world)
        gone = pa.schema([("table", pa.string()), ("row", pa.int64())])
        rejected = pa.Table.from_pylist([{"table": t, "row": n} for t, n in world.rejected], gone)
        sides = Writing(papers, canonical_tables(engine, world.rows), {}, engine.table(rejected))
        billing = world.plan.billing
        assert billing is not None
        found = terms_compared(engine, world.plan, billing.legacy, sides, T, exponent_of)
        rows = sorted(engine.arrow(found.differences).to_pylist(), key=lambda r: (r["record"], r["key"], r["field"]))
        status = {n: sorted(r["status"] for r in engine.arrow(t).to_pylist()) for n, t in found.terms.items()}
        told = [(r["record"], r["key"], r["field"], r["status"]) for r in rows]
        return Found(status, told, rows, terms_csv(engine, found.differences, {}))


# What names a record, or one that it belongs to; renamed where several worlds are put together.
_IDS_HERE = frozenset({"contract_id", "invoice_id", "seat_id", "item_id", "subscription_id", "seat_assignment_id"})


def together(worlds: Sequence[World]) -> World:
    """Worlds beside each other: the names of the records of each end with its number."""
    numbered = [
        {kind: [_renamed(row, str(n)) for row in rows] for kind, rows in {**w.records, **w.rows}.items()}
        for n, w in enumerate(worlds)
    ]
    whole = {kind: [row for w in numbered for row in w.get(kind, [])] for kind in numbered[0]}
    first = worlds[0]
    return replace(first, records={k: whole[k] for k in first.records}, rows={k: whole[k] for k in first.rows})


def _renamed(row: Row, number: str) -> Row:
    return {c: f"{v}{number}" if c in _IDS_HERE else v for c, v in row.items()}


def _papers(engine: DuckDBEngine, world: World) -> Papers:
    records = record_tables(engine, world.records)
    keys = {r: _keys(engine, r, [*world.records[r], *world.unread.get(r, [])]) for r in TABLES if r in world.records}
    paid = {r: [{"7": "ann", "9": "ben"}.get(x.get("payer") or "") for x in world.records[r]] for r in _PAID}
    payers = {r: _listed(engine, [(n, c) for n, c in enumerate(who) if c]) for r, who in paid.items()}
    whose = whose_tables(engine, {r: ["ann"] * len(world.records[r]) for r in _PAID})
    customers = {
        "customer_id": pa.array([c for c, _ in world.customers], pa.string()),
        "erased": pa.array([e for _, e in world.customers], pa.bool_()),
    }
    contacts = pa.table({"contact_id": pa.array(world.contacts, pa.string())})
    contracts = sorted({str(r["contract_id"]) for r in world.records["contracts"]})
    yearly = pa.array([24_000] * len(contracts), pa.int64())
    worth = pa.table({"contract_id": contracts, "yearly_minor": yearly, "currency": ["EUR"] * len(contracts)})
    going = Going(engine.table(pa.table(customers)), engine.table(contacts))
    return Papers(records, whose, Named(keys, payers, "crm.contacts"), going, engine.table(worth))  # type: ignore[arg-type]


_PAID = ("contracts", "receivables")


def _keys(engine: DuckDBEngine, record: str, rows: Rows) -> Any:
    columns = {
        "row": pa.array(range(len(rows)), pa.int64()),
        "key": pa.array([f"{TABLES[record]}:{r[IDS[record]]}" for r in rows], pa.string()),
    }
    if record == "contracts":
        columns["begins"] = pa.array([r.get("begins") for r in rows], pa.timestamp("us"))
    return engine.table(pa.table(columns))


def _listed(engine: DuckDBEngine, payers: Sequence[tuple[int, str]]) -> Any:
    schema = pa.schema([("row", pa.int64()), ("customer", pa.string())])
    return engine.table(pa.Table.from_pylist([{"row": n, "customer": c} for n, c in payers], schema))


Slip = Callable[[World], object]


def new(entity: str, **values: Any) -> Slip:
    return lambda w: w.rows[entity][0].update(values)


def old(record: str, **values: Any) -> Slip:
    return lambda w: w.records[record][0].update(values)


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[misc,arg-type]


def after(slip: Slip) -> World:
    told = world()
    slip(told)
    return told
