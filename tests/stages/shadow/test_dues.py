"""What is due of the next bills after credit: burned down on both sides, and told apart where it is not the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from held_rows import apart, held_rows
from legacy_records import records_of, tables
from random_ledgers import canonical_tables, record_tables, whose_tables
from test_comparison import AS_OF, billing
from told_twice import Part, Sold, subscription

from migration_assets.domain.calendar import midnight
from migration_assets.domain.money import exponent_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.comparison import Sides
from migration_assets.stages.shadow.dues import credit_holders, dues
from migration_assets.stages.shadow.forecast import Origins
from migration_assets.stages.shadow.in_parts import MOST, compared_in_parts

Row = dict[str, Any]
# 10.00 and 19 percent of tax: 11.90 on the last day of each month. T is where 30 June begins, with cycle 5.
TEN = Sold(date(2026, 1, 31), zone="UTC", parts=(Part("base", "10"),))
FIRST = 5
NO_CREDIT: Row = {"customer": "ann", "currency": "EUR", "zone": "UTC", "burn_order": None, "last_day": None}


def credit(name: str, euros: str, **more: Any) -> Row:
    return {**NO_CREDIT, "credit_id": name, "balance": Decimal(euros), **more}


def balance(of: Row) -> Row:
    """The same credit as the target has it."""
    day = of["last_day"]
    return {
        "credit_balance_id": f"erp.credit_balances:{of['credit_id']}",
        "customer_id": of["customer"],
        "currency": of["currency"],
        "balance_minor": int(of["balance"] * 100),
        "burn_order": of["burn_order"],
        "expires_at": day and midnight(day + timedelta(days=1), of["zone"]),
    }


def due(
    facts: Sequence[Sold],
    credits: Sequence[Row],
    held: Sequence[Sold] | None = None,
    balances: Sequence[Row] | None = None,
    rejected: Sequence[int] = (),
    most: int = MOST,
) -> list[Row] | None:
    """Rows of `dues`; None where there is nobody with credit. Every contract is Ann's."""
    told = billing()
    assert told.target is not None
    with DuckDBEngine() as engine:
        made = apart(subscription(s) for s in (facts if held is None else held))
        contracts = {s.subscription_id: f"c{s.subscription_id[1:]}" for s in made}
        items = {i.item_id: i.item_id.partition("-")[2] for s in made for i in s.items}
        origins = Origins(
            *(engine.table(pa.table({"id": list(m), "source_id": list(m.values())})) for m in (contracts, items))
        )
        gone = pa.table(
            {
                "table": pa.array([told.legacy.reads["credits"].table] * len(rejected), pa.string()),
                "row": pa.array(rejected, pa.int64()),
            }
        )
        records = {**tables(engine, records_of(facts)), **record_tables(engine, {"credits": list(credits)})}
        whose = {"contracts": ["ann"] * len(facts), "credits": [c["customer"] for c in credits]}
        rows = {
            "subscription": [{"subscription_id": s.subscription_id, "customer_id": "ann"} for s in made],
            "credit_balance": [balance(c) for c in credits] if balances is None else list(balances),
        }
        holders = credit_holders(
            engine, records, whose_tables(engine, whose), canonical_tables(engine, rows), origins.contracts
        )
        if holders is None:
            return None
        credited = engine.cached(holders.owners.select("contract_id").distinct())
        sides = Sides(records, held_rows(engine, made), origins, engine.table(gone), credited)
        found = compared_in_parts(engine, told, told.target, sides, AS_OF, exponent_of, {}, most=most)
        table = dues(engine, told.legacy, holders, found.totals, engine.table(gone), exponent_of)
        return list(engine.arrow(table.order_by("contract_id", "cycle")).to_pylist())


def paid(rows: list[Row] | None, side: str = "legacy") -> list[tuple[str, int, int, int]]:
    """Contract, cycle, what the bill comes to and what credit pays of it."""
    return [(r["contract_id"], r["cycle"], r[f"{side}_minor"], r[f"{side}_credit_minor"]) for r in rows or ()]


def test_credit_burns_down_over_the_bills_of_a_customer_in_turn() -> None:
    # 30.00: all of both bills of June, 11.90 each, and 6.20 of one of July.
    found = due([TEN, TEN], [credit("a", "30")])
    june_and_july = [
        ("c000000", FIRST, 1_190, 1_190),
        ("c000000", FIRST + 1, 1_190, 620),
        ("c000001", FIRST, 1_190, 1_190),
    ]
    assert paid(found) == paid(found, "target") == june_and_july
    assert {r["status"] for r in found or ()} == {"same"}
    # Parts of a cohort say the same: a customer's contracts may lie in several.
    assert due([TEN, TEN], [credit("a", "30")], most=1) == found


def test_what_lapses_first_goes_first_and_what_has_lapsed_pays_nothing() -> None:
    # b pays June, 11.90, and 1.10 of July; a lapsed with the day before the bill of June.
    credits = [credit("a", "5", last_day=date(2026, 6, 29)), credit("b", "13")]
    assert paid(due([TEN], credits)) == [("c000000", FIRST, 1_190, 1_190), ("c000000", FIRST + 1, 1_190, 110)]
    # On its last day a pays 5.00 of June, b 6.90, and 6.10 of July.
    credits = [credit("b", "13"), credit("a", "5", last_day=date(2026, 6, 30))]
    assert paid(due([TEN], credits)) == [("c000000", FIRST, 1_190, 1_190), ("c000000", FIRST + 1, 1_190, 610)]
    # With a burn order b comes first, and nothing is left to do for a before it lapses: 1.10 of July.
    credits = [credit("a", "5", last_day=date(2026, 6, 30)), credit("b", "13", burn_order=1)]
    assert paid(due([TEN], credits)) == [("c000000", FIRST, 1_190, 1_190), ("c000000", FIRST + 1, 1_190, 110)]


def test_where_nobody_has_credit_nothing_is_done() -> None:
    assert due([TEN], []) is None


def test_a_customer_without_credit_is_not_asked_for() -> None:
    assert due([TEN], [credit("a", "30", customer="bob")]) == []


def test_a_dearer_bill_takes_more_of_the_same_credit_and_that_is_no_difference_of_credit() -> None:
    dearer = replace(TEN, parts=(Part("base", "20"),))
    found = due([TEN], [credit("a", "30")], [dearer])
    assert paid(found) == [
        ("c000000", FIRST, 1_190, 1_190),
        ("c000000", FIRST + 1, 1_190, 1_190),
        ("c000000", FIRST + 2, 1_190, 620),
    ]
    assert paid(found, "target") == [
        ("c000000", FIRST, 2_380, 2_380),
        ("c000000", FIRST + 1, 2_380, 620),
        ("c000000", FIRST + 2, 2_380, 0),
    ]
    assert {(r["apart_minor"], r["status"]) for r in found or ()} == {(0, "same")}


@pytest.mark.parametrize(("rejected", "status"), [((), "unsigned"), ((0,), "rejected")])
def test_credit_that_the_target_lacks_is_told_with_its_money(rejected: tuple[int, ...], status: str) -> None:
    found = due([TEN], [credit("a", "30")], balances=[], rejected=rejected)
    # All of June and of July, and 6.20 of August, would be asked for.
    assert [(r["apart_minor"], r["at_stake_minor"], r["status"]) for r in found or ()] == [
        (-1_190, 1_190, status),
        (-1_190, 1_190, status),
        (-620, 620, status),
    ]


def test_credit_that_lapses_a_day_early_in_the_target_is_money_apart() -> None:
    own = credit("a", "5", last_day=date(2026, 6, 30))
    early = balance({**own, "last_day": date(2026, 6, 29)})
    (row,) = due([TEN], [own], balances=[early]) or ()
    # The bill of 30 June: 5.00 by the old system, nothing where it lapsed with the day before.
    told = (row["cycle"], row["legacy_credit_minor"], row["target_credit_minor"], row["status"])
    assert told == (FIRST, 500, 0, "unsigned")
