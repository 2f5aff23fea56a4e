"""Whom raw records name, as the target's side tells it: keys, who pays, where contacts are, when contracts begin."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.load import load_plan
from migration_assets.stages.shadow.terms.papers import Named, named

ACME = load_plan(Path(__file__).parents[3] / "plans" / "acme")
NOON = datetime(2026, 3, 1, 12)  # noqa: DTZ001 -- a local time
STARTS: dict[str, tuple[pa.Array, list[datetime | None]]] = {
    "local times": (pa.array([NOON, None], pa.timestamp("us")), [NOON, None]),
    "text": (pa.array([" 2026-03-01T12:00:00", "soon"]), [NOON, None]),
    "days": (pa.array([date(2026, 3, 1), None]), [None, None]),
}


def tables(starts: pa.Array) -> dict[str, pa.Table]:
    owed = {"customer_no": [7, 7], "payer_customer_no": pa.array([9, None], pa.int32())}
    return {
        "erp.subscriptions": pa.table({"sub_id": [1, 2], "start_ts": starts, **owed}),
        "erp.subscription_items": pa.table({"sub_item_id": [4]}),
        "erp.invoices": pa.table({"invoice_id": [3, 5], **owed}),
        "erp.seat_assignments": pa.table({"seat_id": [6], "contact_id": ["C-1"]}),
    }


def told(engine: DuckDBEngine, starts: pa.Array) -> Named:
    frames = {
        name: engine.table(t.append_column("_row", pa.array(range(len(t)), pa.int64())))
        for name, t in tables(starts).items()
    }
    identities = {"customer_id": ["erp.customers:9"], "identity_id": ["crm.accounts:A-9"]}
    billing = ACME.billing
    assert billing is not None
    return named(engine, ACME, billing.legacy, frames.__getitem__, engine.table(pa.table(identities)))


def listed(engine: DuckDBEngine, rows: Any) -> list[dict[str, Any]]:
    return list(engine.arrow(rows.order_by("row")).to_pylist())


def test_who_pays_is_the_customer_that_who_is_who_makes_of_the_key() -> None:
    with DuckDBEngine() as engine:
        found = told(engine, STARTS["days"][0])
        for record in ("contracts", "receivables"):
            assert listed(engine, found.payers[record]) == [{"row": 0, "customer": "crm.accounts:A-9"}]
        keys = {record: [r["key"] for r in listed(engine, rows)] for record, rows in found.keys.items()}
    assert keys == {
        "contracts": ["erp.subscriptions:1", "erp.subscriptions:2"],
        "items": ["erp.subscription_items:4"],
        "receivables": ["erp.invoices:3", "erp.invoices:5"],
        "seats": ["erp.seat_assignments:6"],
    }
    assert found.contacts == "crm.contacts"


@pytest.mark.parametrize("kind", STARTS)
def test_a_contract_begins_at_the_time_of_day_that_its_column_has(kind: str) -> None:
    starts, expected = STARTS[kind]
    with DuckDBEngine() as engine:
        assert [r["begins"] for r in listed(engine, told(engine, starts).keys["contracts"])] == expected
