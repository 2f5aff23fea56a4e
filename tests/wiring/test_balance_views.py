"""What the UI says of balances: in words, by legal entity, and what nobody explains."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.balances.comparison import (
    BALANCES,
    CREDITS,
    DIFFERENCES,
    RECURRING,
    TIE_OUT,
    BalanceComparison,
    no_balances_compared,
)
from migration_assets.stages.shadow.balances.old_ledger import UNREAD
from migration_assets.wiring.balance_views import balances_shown

MONEY = {"legacy_minor": 12_345, "target_minor": 12_300, "rejected_minor": 0, "difference_minor": -45}
OPEN = {**MONEY, "at_stake_minor": 45, "currency": "EUR", "measure": "receivables", "status": "unsigned"}
ITEMS = {"legacy_items": 2, "target_items": 1, "differing_items": 1}
PLACE = {"legal_entity": "DE01", "age": "31_60"}


def table(engine: DuckDBEngine, schema: pa.Schema, *rows: dict[str, Any]) -> Any:
    return engine.table(pa.Table.from_pylist([{c: r.get(c) for c in schema.names} for r in rows], schema))


def text(shown: dict[str, Any], name: str) -> str:
    return str(getattr(shown[name], "value", shown[name]))


def test_what_differs_is_told_with_its_money_and_whose_it_is() -> None:
    with DuckDBEngine() as engine:
        said = {"recorded_minor": 12_345, "as_recorded": False}
        same = {**OPEN, **ITEMS, "measure": "credits", "status": "same", "differing_items": 0}
        found = BalanceComparison(
            balances=table(
                engine,
                BALANCES,
                {**OPEN, **ITEMS, **said, "customer_id": "crm.accounts:A-1"},
                {**same, "customer_id": "crm.accounts:A-2"},
            ),
            tie_out=table(engine, TIE_OUT, {**OPEN, **ITEMS, **PLACE}),
            differences=table(
                engine, DIFFERENCES, {**OPEN, **PLACE, "customer_id": "crm.accounts:A-1", "item": "DE-2026-7"}
            ),
            credits=table(engine, CREDITS, {"customer_id": "crm.accounts:A-2", "currency": "EUR", "status": "same"}),
            unread=table(engine, UNREAD, {"record": "payments", "row": 7, "why": "amount"}),
            recurring=table(engine, RECURRING, {"currency": "EUR", "legacy_minor": 7_996}),
        )
        shown = balances_shown(engine, found, {})
    assert text(shown, "balances") == (
        "1 of 2 balances of 2 customers the same to the minor unit, 2 open invoices among them; 1 differ and nobody "
        "explains why, 0 by rejected rows; 0 credits differ in amount, expiry or turn; "
        "1 of 1 receivables are not what the old system itself says"
    )
    tied = text(shown, "tie-out by legal entity")
    assert all(word in tied for word in ("DE01", "31-60 days", "123.45 EUR", "123.00 EUR", "-0.45 EUR"))
    unexplained = text(shown, "balances that nobody explains")
    assert "crm.accounts:A-1" in unexplained and "DE-2026-7" in unexplained
    assert "| payments | amount | 1 |" in text(shown, "records of balances that cannot be read")
    assert "image/svg" in text(shown, "open invoices by age")


def test_a_plan_that_reads_nothing_is_told_without_a_number_that_means_something() -> None:
    with DuckDBEngine() as engine:
        shown = balances_shown(engine, no_balances_compared(engine), {})
    assert text(shown, "balances").startswith("0 of 0 balances of 0 customers")
