"""What customers pay is read for those asked about, in each currency for itself, and to the last minor unit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from plan_in_code import constants_of, feed_of, field_of, plan_of, raw_rows, table_of

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.identities.amounts import invoiced_year, rates_to, recurring_year

AS_OF = datetime(2026, 6, 30, 12, tzinfo=UTC)
TABLES = {
    "crm.accounts": table_of("customer", "self"),
    "erp.subs": table_of("subscription", "account", account="crm.accounts"),
    "erp.items": table_of("subscription_item", "sub", sub="erp.subs"),
    "erp.bills": table_of("invoice", "account", account="crm.accounts"),
    "erp.rates": table_of("exchange_rate"),
}
SUB, ITEM = feed_of("sub", "subscription", "erp.subs"), feed_of("item", "subscription_item", "erp.items")
BILL, RATE = feed_of("bill", "invoice", "erp.bills"), feed_of("rate", "exchange_rate", "erp.rates")
FIELDS = [
    field_of(SUB, "customer_id", "account", "reference", table="crm.accounts"),
    *(field_of(SUB, name, name, "copy") for name in ("status", "interval")),
    *constants_of(SUB, plan_code="p", currency="EUR", starts_at="2026-01-01T00:00:00Z"),
    field_of(ITEM, "subscription_id", "sub", "reference", table="erp.subs"),
    field_of(ITEM, "currency", "currency", "copy"),
    field_of(ITEM, "recurring_minor", "minor", "integer"),
    field_of(ITEM, "ends_at", "ends", "timestamp"),
    *constants_of(ITEM, product_code="p", kind="base", quantity=1),
    field_of(BILL, "customer_id", "account", "reference", table="crm.accounts"),
    *(field_of(BILL, name, name, "copy") for name in ("status", "currency")),
    field_of(BILL, "total_minor", "minor", "integer"),
    field_of(BILL, "issued_on", "day", "date"),
    *constants_of(BILL, number="R1", subtotal_minor=0, tax_minor=0),
    field_of(RATE, "base_currency", "base", "copy"),
    field_of(RATE, "quote_currency", "quote", "copy"),
    field_of(RATE, "rate", "rate", "decimal"),
    field_of(RATE, "rate_date", "day", "date"),
]
COLUMNS = (
    "id", "account", "status", "interval", "sub", "currency", "minor", "ends", "day", "base", "quote", "rate",
)  # fmt: skip


@pytest.fixture
def feeds(engine: DuckDBEngine) -> Callable[..., Mapping]:
    """`feeds(subs=[...], items=[...])`: a plan whose sources have these rows."""

    def made(**rows: list[dict[str, Any]]) -> Mapping:
        numbered = {t: [{"id": str(n), **r} for n, r in enumerate(given, 1)] for t, given in rows.items()}
        raw = {t: raw_rows(engine, *numbered.get(t.partition(".")[2], ()), columns=COLUMNS) for t in TABLES}
        plan = plan_of(TABLES, feeds=[SUB, ITEM, BILL, RATE], mapping=FIELDS)
        return Mapping(engine, plan, raw.__getitem__, AS_OF)

    return made


def asked(engine: DuckDBEngine, *numbers: int) -> Any:
    return engine.table(pa.table({"customer_id": [f"crm.accounts:{n}" for n in numbers]}))


def test_contracts_that_bill_come_to_a_year_whatever_their_interval(
    engine: DuckDBEngine, feeds: Callable[..., Mapping]
) -> None:
    subs = [
        {"account": "1", "status": "active", "interval": "month"},
        {"account": "1", "status": "paused", "interval": "quarter"},
        {"account": "1", "status": "canceled", "interval": "year"},
        {"account": "2", "status": "trialing", "interval": "year"},
        {"account": "8", "status": "active", "interval": "year"},
    ]
    items = [
        {"sub": "1", "currency": "EUR", "minor": "999"},
        {"sub": "1", "currency": "EUR", "minor": "1"},
        {"sub": "1", "currency": "EUR", "minor": "7", "ends": "2026-06-30T12:00:00Z"},
        {"sub": "1", "currency": "EUR", "minor": None},
        {"sub": "2", "currency": "JPY", "minor": "50"},
        {"sub": "3", "currency": "EUR", "minor": "5000"},
        {"sub": "4", "currency": "EUR", "minor": "700"},
        {"sub": "5", "currency": "EUR", "minor": "9"},
    ]
    found = recurring_year(feeds(subs=subs, items=items), asked(engine, 1, 2, 3))
    assert found == {
        "crm.accounts:1": {"EUR": 12_000, "JPY": 200},
        "crm.accounts:2": {"EUR": 700},
    }


def test_invoices_of_the_last_twelve_months_count_and_drafts_and_voids_do_not(
    engine: DuckDBEngine, feeds: Callable[..., Mapping]
) -> None:
    bills = [
        {"account": "1", "status": "paid", "currency": "EUR", "minor": str(2**61), "day": "2026-06-30"},
        {"account": "1", "status": "open", "currency": "EUR", "minor": "1", "day": "2025-07-01"},
        {"account": "1", "status": "paid", "currency": "EUR", "minor": "10", "day": "2025-06-30"},
        {"account": "1", "status": "paid", "currency": "EUR", "minor": "10", "day": "2026-07-01"},
        {"account": "1", "status": "draft", "currency": "EUR", "minor": "10", "day": "2026-06-01"},
        {"account": "1", "status": "void", "currency": "EUR", "minor": "10", "day": "2026-06-01"},
        {"account": "1", "status": "paid", "currency": "USD", "minor": "3", "day": "2026-06-01"},
        {"account": "2", "status": "paid", "currency": "EUR", "minor": "10", "day": "2026-06-01"},
    ]
    found = invoiced_year(feeds(bills=bills), asked(engine, 1))
    assert found == {"crm.accounts:1": {"EUR": 2**61 + 1, "USD": 3}}


def test_the_latest_rate_up_to_t_compares_and_the_other_direction_will_do(feeds: Callable[..., Mapping]) -> None:
    rates = [
        {"base": "USD", "quote": "EUR", "rate": "0.8", "day": "2026-01-01"},
        {"base": "USD", "quote": "EUR", "rate": "0.9", "day": "2026-06-30"},
        {"base": "USD", "quote": "EUR", "rate": "0.1", "day": "2026-07-01"},
        {"base": "EUR", "quote": "USD", "rate": "9", "day": "2026-06-30"},
        {"base": "EUR", "quote": "JPY", "rate": "160", "day": "2026-06-30"},
        {"base": "GBP", "quote": "USD", "rate": "1.2", "day": "2026-06-30"},
    ]
    found = rates_to(feeds(rates=rates), "EUR")
    assert found == {"EUR": Decimal(1), "USD": Decimal("0.9"), "JPY": Decimal(1) / 160}


def test_a_plan_without_contracts_or_invoices_has_nothing_at_stake(engine: DuckDBEngine) -> None:
    feeds = Mapping(engine, plan_of({"crm.accounts": TABLES["crm.accounts"]}), {}.__getitem__, AS_OF)
    assert recurring_year(feeds, asked(engine, 1)) == invoiced_year(feeds, asked(engine, 1)) == {}
