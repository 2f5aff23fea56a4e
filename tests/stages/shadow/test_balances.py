"""Balances at scale are those of the readable rule, from raw records as from rows of the target; and whatever one side
does not say is found, with whose it is and how much."""

from __future__ import annotations

import copy
import csv
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from random_ledgers import (
    TODAY,
    Books,
    Position,
    Rows,
    T,
    canonical_tables,
    random_books,
    record_tables,
    records_of,
    rows_of,
    summed,
    whose_tables,
)

from migration_assets.domain.legacy.terms import Rules
from migration_assets.domain.money import exponent_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.billing_models import LegacyBilling
from migration_assets.plan.load import load_plan
from migration_assets.stages.shadow.balances.comparison import Accounts, balances_compared
from migration_assets.stages.shadow.balances.ledger import positions
from migration_assets.stages.shadow.balances.listing import balances_csv
from migration_assets.stages.shadow.balances.new_ledger import new_ledger
from migration_assets.stages.shadow.balances.old_ledger import old_ledger
from migration_assets.stages.shadow.legacy.contracts import units_of

SEED = 20_261
ACME = load_plan(Path(__file__).parents[3] / "plans" / "acme").billing
assert ACME is not None
LEGACY = ACME.legacy
Row = dict[str, Any]


def told(engine: DuckDBEngine, table: Any) -> dict[Position, int]:
    return {
        (r["customer_id"], r["legal_entity"], r["currency"], r["measure"], r["age"], r["item"]): r["minor"]
        for r in engine.arrow(table).to_pylist()
    }


@pytest.mark.parametrize("seed", [SEED, int(os.environ.get("CUTOVER_TEST_SEED", SEED + 1))])
def test_both_sides_of_random_books_come_to_what_the_readable_rule_says(seed: int) -> None:
    print(f"CUTOVER_TEST_SEED={seed}")
    books = random_books(Random(seed), 1_500)
    expected = summed(books)
    measures = {key[3] for key in expected}
    assert len(measures) == 6 and {key[4] for key in expected} >= {"not_due", "1_30", "31_60", "61_90", "over_90"}
    with DuckDBEngine() as engine:
        records, whose = records_of(books)
        old = old_ledger(engine, record_tables(engine, records), whose_tables(engine, whose), T, exponent_of, Rules())
        new = new_ledger(
            engine, canonical_tables(engine, rows_of(books)), lambda rows: units_of(engine, rows, exponent_of), T
        )
        assert told(engine, positions(engine, old.ledger, TODAY)) == expected
        assert told(engine, positions(engine, new, TODAY)) == expected
        assert engine.count(old.unread) == 0


@dataclass(frozen=True)
class Found:
    """What a comparison says, as plain rows."""

    balances: list[Row]
    tie_out: list[Row]
    differences: list[Row]
    credits: list[Row]
    unread: list[Row]
    sheet: list[Row]

    def of(self, measure: str) -> Row:
        (row,) = [r for r in self.balances if r["measure"] == measure]
        return row


def compare(
    records: dict[str, Rows],
    whose: dict[str, list[str]],
    rows: dict[str, Rows],
    rejected: Sequence[tuple[str, int]] = (),
    legacy: LegacyBilling = LEGACY,
) -> Found:
    schema = pa.schema([("table", pa.string()), ("row", pa.int64())])
    gone = pa.Table.from_pylist([{"table": t, "row": n} for t, n in rejected], schema)
    with DuckDBEngine() as engine:
        sides = Accounts(
            record_tables(engine, records),
            whose_tables(engine, whose),
            canonical_tables(engine, rows),
            engine.table(gone),
        )
        found = balances_compared(engine, legacy, sides, T, exponent_of)
        tables = (found.balances, found.tie_out, found.differences, found.credits, found.unread)
        sheet = list(csv.DictReader(io.StringIO(balances_csv(engine, found.differences, {}))))
        return Found(*(engine.arrow(t).to_pylist() for t in tables), sheet=sheet)


def books() -> Books:
    """One customer: two invoices, one of them half paid, and a little of everything else."""
    day = TODAY - timedelta(days=60)
    first = {"id": "i0", "number": "A-1", "customer": "ann", "currency": "EUR", "total": 10_000, "entity": "DE01"}
    second = {**first, "id": "i1", "number": "A-2", "total": 5_000}
    eur = {"customer": "ann", "currency": "EUR"}
    credit = {**eur, "zone": "Europe/Berlin", "last_day": None}
    return Books(
        invoices=[{**first, "issued": day, "due": TODAY - timedelta(days=31)}, {**second, "issued": day, "due": TODAY}],
        payments=[{"id": "p0", **eur, "minor": 7_000, "status": "received"}],
        applications=[{"payment": "p0", "invoice": "i0", "currency": "EUR", "minor": 4_000}],
        given_back=[{"payment": "p0", "currency": "EUR", "minor": 3_500, "kind": "refund", "went": "settled"}],
        write_offs=[{"invoice": "i1", "currency": "EUR", "minor": 100}],
        memos=[{**eur, "invoice": "i1", "minor": 600, "applied": 400}],
        credits=[{**credit, "minor": 800, "turn": 1}, {**credit, "minor": -200, "turn": 5}],
        revenue=[{"invoice": "i0", "line": "l", "currency": "EUR", "minor": 900, "recognized": False}],
        contracts=[
            {
                **eur, "id": "k0", "status": "active", "entity": "DE01", "months": 3, "zone": "UTC",
                "first": day, "last": None, "items": [("base", 2, Decimal("9.995")), ("usage", 1, Decimal("3"))],
            }
        ],
    )  # fmt: skip


# 2 units past 10: 10 x 5.00 + 2 x 4.00 + 2.50 by their own tiers, 12 x 4.00 + 2.50 all together; 3 packages at 7.00.
STEPPED = (("tiered", 6_050), ("volume", 5_050), ("package", 2_100))


@pytest.mark.parametrize(("model", "quarter"), STEPPED)
def test_what_recurs_by_tiers_volume_or_packages_recurs_on_both_sides(model: str, quarter: int) -> None:
    records, whose = records_of(books())
    rows = rows_of(books())
    records["items"][0] |= {"model": model, "quantity": 12, "unit_price": Decimal(7), "price": "p", "package": 5}
    records["items"][1] |= {"model": "flat"}
    records["tiers"] = [
        {"price": "p", "up_to": None, "unit_price": Decimal(4), "fee": Decimal("2.5")},
        {"price": "p", "up_to": 10, "unit_price": Decimal(5)},
    ]
    rows["subscription_item"][0] |= {"price_model": model, "quantity": 12, "unit_price": Decimal(7), "price_code": "p"}
    rows["price"] = [{"price_code": "p", "package_size": 5}]
    rows["price_tier"] = [
        {
            "price_tier_code": "p/10",
            "price_code": "p",
            "over_units": 10,
            "unit_price": Decimal(4),
            "fee": Decimal("2.5"),
        },
        {"price_tier_code": "p/0", "price_code": "p", "over_units": 0, "unit_price": Decimal(5)},
    ]
    (yearly,) = (r for r in compare(records, whose, rows).balances if r["measure"] == "recurring_revenue")
    assert (yearly["legacy_minor"], yearly["target_minor"], yearly["status"]) == (4 * quarter, 4 * quarter, "same")
    # An amount out of all bounds is a mistake of the record, and recurs nowhere.
    records["tiers"][0]["unit_price"] = Decimal(10**12)
    told = [r for r in compare(records, whose, rows).balances if r["measure"] == "recurring_revenue"]
    assert [r["legacy_minor"] for r in told] == [8_400 if model == "package" else 0]


def test_what_is_the_same_is_told_with_its_amounts() -> None:
    records, whose = records_of(books())
    found = compare(records, whose, rows_of(books()))
    assert {r["status"] for r in (*found.balances, *found.tie_out, *found.credits)} == {"same"}
    assert not (found.differences or found.unread or found.sheet)
    amounts = {r["measure"]: (r["legacy_minor"], r["target_minor"], r["legacy_items"]) for r in found.balances}
    # 100.00 - 40.00 paid + 5.00 given back of what was applied; 50.00 - 1.00 given up - 4.00 credited. Of the refund of
    # 35.00 the 30.00 came first that settled nothing.
    assert amounts["receivables"] == (6_500 + 4_500, 6_500 + 4_500, 2)
    assert "on_account" not in amounts
    assert amounts["credit_memos"] == (200, 200, 1)
    assert amounts["credits"] == (600, 600, 1)
    assert amounts["deferred_revenue"] == (900, 900, 1)
    # Two at 9.995 are 19.99 a quarter, four times a year.
    assert amounts["recurring_revenue"] == (7_996, 7_996, 1)
    ages = {r["age"]: r["legacy_minor"] for r in found.tie_out if r["measure"] == "receivables"}
    assert ages == {"31_60": 6_500, "not_due": 4_500}
    assert [(r["turn"], r["legacy_minor"]) for r in sorted(found.credits, key=lambda r: r["turn"])] == [
        (0, 800),
        (1, -200),
    ]


def _swapped_totals(rows: dict[str, Rows]) -> None:
    first, second = rows["invoice"]
    first["total_minor"], second["total_minor"] = first["total_minor"] + 300, second["total_minor"] - 300


Slip = Callable[[dict[str, Rows]], object]


def _set(entity: str, place: int, **values: Any) -> Slip:
    return lambda rows: rows[entity][place].update(values)


# What is done to the target's rows, the measure it shows in, the difference, and the money at stake.
SLIPS: dict[str, tuple[Slip, str, int, int]] = {
    "a lost application": (lambda rows: rows["payment_application"].clear(), "receivables", 3_500, 3_500),
    # 80.00 of a payment of 70.00 leave nothing for the refund of 35.00 to take first: 100.00 - 80.00 + 35.00.
    "an application twice as large": (
        _set("payment_application", 0, amount_minor=8_000), "receivables", -1_000, 1_000,
    ),
    "a forgotten write-off": (lambda rows: rows["write_off"].clear(), "receivables", 100, 100),
    "a forgotten credit": (_set("credit_memo", 0, applied_minor=0), "receivables", 400, 400),
    "a void invoice": (_set("invoice", 1, status="void"), "receivables", -4_500, 4_500),
    "a refund that is pending": (_set("refund", 0, status="pending"), "receivables", -500, 500),
    "a due date that moved": (_set("invoice", 1, due_on=TODAY - timedelta(days=1)), "receivables", 0, 4_500),
    "another legal entity": (
        _set("invoice", 0, legal_entity_id="erp.legal_entities:US01"), "receivables", 0, 6_500,
    ),
    "two mistakes that make up for each other": (_swapped_totals, "receivables", 0, 300),
    "a debt turned into credit": (_set("credit_balance", 1, balance_minor=200), "credits", 400, 400),
    "revenue earned too soon": (_set("revenue_schedule", 0, recognized=True), "deferred_revenue", -900, 900),
    "a year for a quarter": (_set("subscription", 0, interval="year"), "recurring_revenue", -5_997, 5_997),
    "usage that recurs": (_set("subscription_item", 1, kind="base"), "recurring_revenue", 1_200, 1_200),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_on_the_way_is_a_difference_of_the_customer_and_of_the_legal_entity(slip: str) -> None:
    change, measure, difference, stake = SLIPS[slip]
    records, whose = records_of(books())
    rows = copy.deepcopy(rows_of(books()))
    change(rows)
    found = compare(records, whose, rows)
    balance = found.of(measure)
    told_of = (balance["status"], balance["difference_minor"], balance["at_stake_minor"], balance["customer_id"])
    assert told_of == ("unsigned", difference, stake, "ann")
    if measure != "credits":
        apart = [r for r in found.tie_out if r["measure"] == measure and r["status"] == "unsigned"]
        assert apart and sum(r["difference_minor"] for r in apart) == difference
    assert found.sheet[0]["status"] == "unsigned" and found.sheet[0]["customer_id"] == "ann"


def test_money_of_somebody_else_is_missing_here_and_too_much_there() -> None:
    records, whose = records_of(books())
    rows = rows_of(books())
    rows["invoice"][1]["customer_id"] = "ben"
    found = compare(records, whose, rows)
    of = {r["customer_id"]: r["difference_minor"] for r in found.balances if r["measure"] == "receivables"}
    assert of == {"ann": -4_500, "ben": 4_500}
    # The books of the legal entity are as they were.
    assert {r["status"] for r in found.tie_out if r["measure"] == "receivables"} == {"same"}


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": T},
        {"burn_order": 9},
        {"balance_minor": 801},
    ],
    ids=str,
)
def test_credit_that_lapses_sooner_or_is_used_later_is_found(change: Row) -> None:
    records, whose = records_of(books())
    rows = rows_of(books())
    rows["credit_balance"][0].update(change)
    assert "unsigned" in {r["status"] for r in compare(records, whose, rows).credits}


def test_the_turn_of_credit_counts_and_not_its_number() -> None:
    records, whose = records_of(books())
    rows = rows_of(books())
    rows["credit_balance"][1]["burn_order"] = 2
    assert {r["status"] for r in compare(records, whose, rows).credits} == {"same"}


def test_what_rejected_rows_are_worth_is_told_apart() -> None:
    """The application was rejected: the invoice is open by as much more, and the money is the customer's again."""
    records, whose = records_of(books())
    rows = rows_of(books())
    rows["payment_application"].clear()
    found = compare(records, whose, rows, [("erp.payment_applications", 0)])
    receivables, account = found.of("receivables"), found.of("on_account")
    assert (receivables["status"], receivables["difference_minor"], receivables["rejected_minor"]) == (
        "rejected",
        0,
        -3_500,
    )
    assert (account["status"], account["target_minor"], account["rejected_minor"]) == ("rejected", 3_500, -3_500)
    # A slip beside it is nobody's explanation.
    rows["invoice"][1]["total_minor"] += 7
    found = compare(records, whose, rows, [("erp.payment_applications", 0)])
    assert (found.of("receivables")["status"], found.of("receivables")["difference_minor"]) == ("unsigned", 7)


def test_what_cannot_be_read_is_in_no_sum_and_listed() -> None:
    records, whose = records_of(books())
    records["write_offs"][0] |= {"unreadable": "amount ", "amount": None}
    records["receivables"][1]["total"] = Decimal("50.001")
    records["credit_memos"][0]["currency"] = "XXX"
    records["credits"][0] |= {"zone": "Mars/Olympus", "last_day": TODAY}
    found = compare(records, whose, rows_of(books()))
    assert {(r["record"], r["row"], r["why"]) for r in found.unread} == {
        ("write_offs", 0, "amount"),
        ("receivables", 1, "not_whole_minor_units"),
        ("credit_memos", 0, "unknown_currency"),
        ("credits", 0, "unknown_zone"),
    }
    assert found.of("receivables")["status"] == "unsigned"


def test_what_the_old_system_says_is_open_is_held_against_the_sum() -> None:
    records, whose = records_of(books())
    for row, said in zip(records["receivables"], ("65.00", "44.00"), strict=True):
        row["open"] = Decimal(said)
    receivables = compare(records, whose, rows_of(books())).of("receivables")
    assert (receivables["recorded_minor"], receivables["as_recorded"], receivables["status"]) == (10_900, False, "same")
    records["receivables"][1]["open"] = Decimal("45.00")
    found = compare(records, whose, rows_of(books()))
    assert found.of("receivables")["as_recorded"] is True and found.of("credits")["as_recorded"] is None


def test_only_what_the_plan_reads_is_compared() -> None:
    records, whose = records_of(books())
    few = {kind: rows for kind, rows in records.items() if kind in ("contracts", "items", "credits")}
    found = compare(few, {kind: whose[kind] for kind in ("contracts", "credits")}, rows_of(books()))
    assert {r["measure"] for r in found.balances} == {"credits", "recurring_revenue"}
    assert {r["status"] for r in found.balances} == {"same"}


def test_legal_entities_are_not_compared_where_the_plan_does_not_read_them() -> None:
    records, whose = records_of(books())
    reads = dict(LEGACY.reads)
    for kind in ("contracts", "receivables"):
        fields = {field: told for field, told in reads[kind].fields.items() if field != "legal_entity"}
        reads[kind] = reads[kind].model_copy(update={"fields": fields})
        for row in records[kind]:
            row["legal_entity"] = None
    found = compare(records, whose, rows_of(books()), legacy=LEGACY.model_copy(update={"reads": reads}))
    assert {r["status"] for r in found.tie_out} == {"same"} and {r["legal_entity"] for r in found.tie_out} == {""}
