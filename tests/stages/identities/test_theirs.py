"""Rows of some customers are read as those of all are: what a rule learns from a column it learns from all of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from plan_in_code import constants_of, feed_of, field_of, plan_of, raw_rows, table_of

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.identities.theirs import rows_of

TABLES = {
    "crm.accounts": table_of("customer", "self"),
    "erp.bills": table_of("invoice", "account", account="crm.accounts"),
}
BILL = feed_of("bill", "invoice", "erp.bills")
FIELDS = [
    field_of(BILL, "customer_id", "account", "reference", table="crm.accounts"),
    field_of(BILL, "issued_on", "day", "date", order="infer"),
    *constants_of(BILL, number="R1", status="open", currency="EUR", subtotal_minor=0, tax_minor=0, total_minor=0),
]
# Which of day and month comes first in account 1's bill only that of account 2 tells.
BILLS = [{"id": "1", "account": "1", "day": "03/04/2026"}, {"id": "2", "account": "2", "day": "25/04/2026"}]


def issued(engine: DuckDBEngine, bills: list[dict[str, str]], *, whole: list[dict[str, str]] | None = None) -> Any:
    """Days of the bills of account 1. `bills`: what the stage reads, of a golden copy that is `whole`."""

    def source(rows: list[dict[str, str]]) -> Any:
        raw = {
            "crm.accounts": raw_rows(engine, {"id": "1"}, {"id": "2"}),
            "erp.bills": raw_rows(engine, *rows),
        }
        return raw.__getitem__

    plan = plan_of(TABLES, feeds=[BILL], mapping=FIELDS)
    everything = source(whole) if whole is not None else None
    feeds = Mapping(engine, plan, source(bills), datetime(2026, 6, 30, tzinfo=UTC), everything)
    found = rows_of(feeds, "invoice", raw_rows(engine, {"customer_id": "crm.accounts:1"}))
    return [(r["owned_by"], r["issued_on"]) for r in engine.arrow(found).to_pylist()]


def test_the_order_of_dates_is_that_of_everybodys_rows(engine: DuckDBEngine) -> None:
    assert issued(engine, BILLS) == [("crm.accounts:1", date(2026, 4, 3))]
    other_way = [BILLS[0], BILLS[1] | {"day": "04/25/2026"}]
    assert issued(engine, other_way) == [("crm.accounts:1", date(2026, 3, 4))]


def test_and_that_of_the_whole_golden_copy_where_only_a_cohort_is_read(engine: DuckDBEngine) -> None:
    assert issued(engine, BILLS[:1], whole=BILLS) == [("crm.accounts:1", date(2026, 4, 3))]


def test_without_a_proof_in_any_row_nothing_is_guessed(engine: DuckDBEngine) -> None:
    assert issued(engine, BILLS[:1]) == []


@pytest.mark.parametrize("entity", ["payment", "contact"])
def test_of_what_the_plan_does_not_feed_there_is_nothing(engine: DuckDBEngine, entity: str) -> None:
    feeds = Mapping(engine, plan_of(TABLES, feeds=[BILL], mapping=FIELDS), TABLES.__getitem__, datetime.now(UTC))  # type: ignore[arg-type]
    assert rows_of(feeds, entity, raw_rows(engine, {"customer_id": "crm.accounts:1"})) is None
