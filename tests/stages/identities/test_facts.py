"""Facts are read for the rows that are asked about, from whatever way of being billed or subscribed there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from plan_in_code import constants_of, feed_of, field_of, plan_of, raw_rows, table_of

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.identities.facts import FactRows, facts_of

TABLES = {
    "crm.accounts": table_of("customer", "self"),
    "erp.subs": table_of("subscription", "account", account="crm.accounts"),
    "erp.bills": table_of("invoice", "account", account="crm.accounts", payer="crm.accounts"),
    "erp.money": table_of("payment", "account", account="crm.accounts"),
    "erp.notes": table_of("credit_memo", "account", account="crm.accounts"),
}
FEED = feed_of("sub", "subscription", "erp.subs")
FIELDS = [
    field_of(FEED, "customer_id", "account", "reference", table="crm.accounts"),
    field_of(FEED, "plan_code", "plan", "copy"),
    field_of(FEED, "status", "status", "copy"),
    *constants_of(FEED, currency="EUR", interval="month", starts_at="2026-01-01T00:00:00Z"),
]


def account(number: int | str) -> str:
    return f"crm.accounts:{number}"


@pytest.fixture
def asked(engine: DuckDBEngine, canonical: Callable[..., Any]) -> Callable[..., FactRows]:
    """`asked([1, 2], bills=[...])`: facts of accounts 1 and 2 in a source with these rows."""

    def facts(numbers: Iterable[int], registrations: Iterable[dict[str, Any]] = (), **rows: list[Any]) -> FactRows:
        columns = ("id", "account", "payer", "plan", "status")
        raw = {t: raw_rows(engine, *rows.get(t.partition(".")[2], ()), columns=columns) for t in TABLES}
        feeds = Mapping(engine, plan_of(TABLES, feeds=[FEED], mapping=FIELDS), raw.__getitem__, datetime.now(UTC))
        of = raw_rows(engine, *({"customer_id": account(n)} for n in numbers), columns=("customer_id",))
        return facts_of(feeds, canonical("tax_registration", *registrations), of)

    return facts


def told(engine: DuckDBEngine, rows: Any) -> set[tuple[str, ...]]:
    found = [tuple(r.values()) for r in engine.arrow(rows).to_pylist()]
    assert len(set(found)) == len(found)
    return set(found)


def test_debtors_payers_and_who_paid_were_billed_and_nobody_else(
    engine: DuckDBEngine, asked: Callable[..., FactRows]
) -> None:
    facts = asked(
        range(1, 7),
        bills=[{"id": "1", "account": "1", "payer": "2"}, {"id": "2", "account": "1"}, {"id": "3", "account": "8"}],
        money=[{"id": "1", "account": "3"}],
        notes=[{"id": "1", "account": "4"}],
        subs=[{"id": "1", "account": "5", "plan": "basic", "status": "active"}],
    )
    assert told(engine, facts.billed) == {(account(n),) for n in (1, 2, 3)}


def test_only_subscriptions_that_give_access_count(engine: DuckDBEngine, asked: Callable[..., FactRows]) -> None:
    states = ("trialing", "active", "past_due", "paused", "canceled", "ended")
    subs = [{"id": str(i), "account": str(i), "plan": f"p{i}", "status": s} for i, s in enumerate(states)]
    twice = {"id": "9", "account": "1", "plan": "p1", "status": "paused"}
    facts = asked(range(6), subs=[*subs, twice])
    assert told(engine, facts.plans) == {(account(i), f"p{i}") for i in range(4)}


def test_only_verified_numbers_count(engine: DuckDBEngine, asked: Callable[..., FactRows]) -> None:
    numbers = [
        {
            "tax_registration_id": str(i), "customer_id": account(1), "country": "DE", "tax_number": f"N{i}",
            "verified": verified,
        }
        for i, verified in enumerate([True, False, None])
    ]  # fmt: skip
    assert told(engine, asked([1], numbers).tax_ids) == {(account(1), "DE", "N0")}


def test_nobody_else_is_told_of(engine: DuckDBEngine, asked: Callable[..., FactRows]) -> None:
    bills, subs = [{"id": "1", "account": "1"}], [{"id": "1", "account": "1", "plan": "p", "status": "active"}]
    facts = asked([2], bills=bills, subs=subs)
    assert told(engine, facts.billed) == told(engine, facts.plans) == set()
