"""Recurring revenue after discounts: which hold at T on either side, and what they come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from legacy_records import name_of, records_of, tables
from random_contracts import counted
from random_ledgers import TODAY, canonical_tables, record_tables, rows_of, whose_tables
from random_ledgers import T as NOW
from random_ledgers import records_of as ledger_records_of
from random_sold import T, random_sold
from test_balances import LEGACY, books

from migration_assets.domain.calendar import midnight
from migration_assets.domain.legacy.terms import Rules
from migration_assets.domain.money import exponent_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.balances.comparison import Accounts, balances_compared
from migration_assets.stages.shadow.balances.old_discounts import standing_discounts

AS_OF = datetime(T.year, T.month, T.day, 12, tzinfo=UTC)


@pytest.mark.parametrize(("seed", "pause"), [(1, "extends"), (2, "skips")])
def test_discounts_that_hold_are_those_that_the_readable_rules_have_not_used_up(seed: int, pause: str) -> None:
    rng, rules = Random(seed), Rules(pause=pause)  # type: ignore[arg-type]
    sold = [replace(random_sold(rng), zone="UTC", usage=()) for _ in range(300)]
    for_ever = T + timedelta(days=900)
    sold = [replace(s, last_day=s.last_day or for_ever) if s.paused_on and not s.resumes_on else s for s in sold]
    # An item that ends before it begins would keep its contract from being told, which is tried elsewhere.
    running = [counted(s, rules) for s in sold if s.anchor <= T and (s.last_day is None or s.last_day >= T)]
    expected = {
        (name_of(n), c.percent and Decimal(c.percent), c.amount_minor)
        for n, s in enumerate(running)
        for c in s.coupons
        if midnight(c.first_day, "UTC") <= AS_OF and (c.cycles is None or c.used < c.cycles)
    }
    with DuckDBEngine() as engine:
        found = standing_discounts(engine, tables(engine, records_of(running)), rules, AS_OF, exponent_of)
        told = {(r["contract_id"], r["percent"], r["amount_minor"]) for r in engine.arrow(found).to_pylist()}
    assert len(expected) > 30
    assert told == expected, f"seed {seed}"


# A quarter of 19.99 since April and half a month, so that the third is running; the year comes to 79.96.
DISCOUNTS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    # 12.5 percent of 79.96 are 9.995, which is 10.00.
    "percent": ({"percent": Decimal("12.5")}, {"kind": "percent", "percent": Decimal("12.5")}, 1_000),
    "amount": ({"amount": Decimal("1.50")}, {"kind": "amount", "amount_minor": 150}, 600),
    "more than all": ({"amount": Decimal(99)}, {"kind": "amount", "amount_minor": 9_900}, 7_996),
    "used up": (
        {"percent": Decimal(50), "cycles": 1},
        {"kind": "percent", "percent": Decimal(50), "cycles_remaining": 0},
        0,
    ),
    "not begun": (
        {"percent": Decimal(50), "first_day": TODAY + timedelta(days=1)},
        {"kind": "percent", "percent": Decimal(50), "starts_at": NOW + timedelta(days=1)},
        0,
    ),
}


@pytest.mark.parametrize("named", DISCOUNTS)
def test_both_sides_take_off_what_holds_at_t(named: str) -> None:
    old, new, off = DISCOUNTS[named]
    records, whose = ledger_records_of(books())
    rows = rows_of(books())
    first = records["contracts"][0]["first_day"]
    records["contracts"][0] |= {"anchor": first, "tax_exempt": True}
    records["discounts"] = [{"discount_id": "d", "contract_id": "k0", "first_day": first, **old}]
    rows["discount"] = [{"discount_id": "t-d", "subscription_id": "t-k0", "starts_at": midnight(first, "UTC"), **new}]
    nothing = pa.schema([("table", pa.string()), ("row", pa.int64())]).empty_table()
    with DuckDBEngine() as engine:
        sides = Accounts(
            record_tables(engine, records),
            whose_tables(engine, whose),
            canonical_tables(engine, rows),
            engine.table(nothing),
        )
        found = balances_compared(engine, LEGACY, sides, NOW, exponent_of)
        (euros,) = engine.arrow(found.recurring).to_pylist()
        (measure,) = engine.arrow(found.balances.filter(found.balances.measure == "recurring_revenue")).to_pylist()
    assert euros == {
        "currency": "EUR",
        "legacy_minor": 7_996,
        "legacy_off_minor": off,
        "target_minor": 7_996,
        "target_off_minor": off,
    }
    # What is tied out stays the amount before discounts.
    assert (measure["legacy_minor"], measure["target_minor"], measure["status"]) == (7_996, 7_996, "same")


def test_the_day_of_books_is_that_of_t() -> None:
    assert NOW.date() == TODAY and isinstance(TODAY, date)
