"""What is due of the next bills once credit has paid its part, on both sides: bill by bill, of those who have credit.

By the readable rules of either side (`credits`): customers with credit are few, and of a bill nothing is asked but what
it comes to. Belongs here: whose bills they are, and what differs. Not here: how bills are made, and what credit is
there, which balances compare. Without credit nothing is done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import ibis
import pyarrow as pa

from migration_assets.domain.bill import Bill, Line
from migration_assets.domain.bill_parity import REJECTED
from migration_assets.domain.calendar import Period
from migration_assets.plan.billing_records import RecordName
from migration_assets.stages.shadow.credits import Credits, Drawn, drawn, told_credits
from migration_assets.stages.shadow.kept import rejected_rows, without
from migration_assets.stages.shadow.signed import UNSIGNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyBilling

SAME = "same"
Side = Literal["legacy", "target"]
SIDES: tuple[Side, ...] = ("legacy", "target")
Exponents = Callable[[str], int]
Key = tuple[str, int]
_CREDITS: tuple[RecordName, ...] = ("credits",)
Records = Mapping[RecordName, "ir.Table"]
_AMOUNTS = (
    "legacy_minor",
    "legacy_credit_minor",
    "target_minor",
    "target_credit_minor",
    "apart_minor",
    "at_stake_minor",
)
DUES = pa.schema(
    [
        ("contract_id", pa.string()),
        ("cycle", pa.int64()),
        ("starts_at", pa.timestamp("us", tz="UTC")),
        ("currency", pa.string()),
        *((name, pa.int64()) for name in _AMOUNTS),
        ("status", pa.string()),
    ]
)


@dataclass(frozen=True)
class Holders:
    """Whose contracts are, of customers who have credit on either side. `records`, with credits by the customer whose
    they are; `balances`: canonical credit_balance rows; `owners`: side, contract_id (by the old system's keys),
    customer_id."""

    records: Records
    balances: ir.Table
    owners: ir.Table


def credit_holders(
    engine: DuckDBEngine,
    records: Records,
    whose: Mapping[RecordName, ir.Table],
    rows: Mapping[str, ir.Table],
    contracts: ir.Table,
) -> Holders | None:
    """None where nobody has credit, or the plan does not read any. `whose`: row (key) and customer of raw rows of
    contracts and credits. `contracts`: id and source_id, which contract a subscription came from."""
    balances, subscriptions = rows.get("credit_balance"), rows.get("subscription")
    if "credits" not in records or balances is None or subscriptions is None:
        return None
    own = _owned(records["credits"], whose["credits"])
    holders = own.select("customer").union(balances.select(customer="customer_id")).distinct()
    holders = engine.cached(holders.filter(holders["customer"].notnull()))
    if not engine.count(holders):
        return None
    old = _owned(records["contracts"], whose["contracts"]).select("contract_id", customer_id="customer")
    led = subscriptions.left_join(contracts, subscriptions["subscription_id"] == contracts["id"])
    new = led.select(contract_id=led["source_id"].coalesce(led["subscription_id"]), customer_id="customer_id")
    told = [
        t.mutate(side=ibis.literal(s)).select("side", "contract_id", "customer_id")
        for s, t in zip(SIDES, (old, new), strict=True)
    ]
    owners = engine.union(told).semi_join(holders, [("customer_id", "customer")])
    return Holders({**records, "credits": engine.cached(own)}, balances, engine.cached(owners))


def _owned(rows: ir.Table, whose: ir.Table) -> ir.Table:
    led = whose.select(_row="row", _whose="customer")
    named = rows.left_join(led, rows["row"] == led["_row"])
    named = named.mutate(customer=named["_whose"])
    return named.select(*rows.columns)


def no_dues(engine: DuckDBEngine) -> ir.Table:
    """The table without rows."""
    return engine.table(DUES.empty_table())


def dues(
    engine: DuckDBEngine,
    legacy: LegacyBilling,
    holders: Holders,
    totals: ir.Table,
    rejected: ir.Table,
    exponents: Exponents,
) -> ir.Table:
    """Bills that credit pays a part of on either side, in minor units: key contract_id and cycle. What each comes to,
    what credit pays of it, and `apart_minor`: how much more the target's credit would pay of the old system's bills.

    `totals`: side, contract_id, cycle, starts_at, currency, total_minor. `rejected`: table and row of raw rows. A bill
    that takes another part of the same credit since it comes to another amount is `same`: the bill is judged elsewhere.
    """
    bills, owners = _bills(engine, totals), _owners(engine, holders.owners)
    told = told_credits(engine, legacy, holders.records.get("credits"), holders.balances, exponents)
    every = _drawn(told, bills, owners)
    gone = rejected_rows(engine, legacy, holders.records, rejected, _CREDITS)
    kept = every
    if gone:
        left = without(holders.records, gone)["credits"]
        kept = _drawn(told_credits(engine, legacy, left, holders.balances, exponents), bills, owners)
    rows = [_row(key, bills, every, kept) for key in sorted(set(every.before) | set(every.after) | set(every.apart))]
    return engine.table(pa.Table.from_pylist(rows, DUES))


def _bills(engine: DuckDBEngine, totals: ir.Table) -> dict[Side, dict[Key, Bill]]:
    """Bills by side, contract and cycle, each of one line that says what it comes to."""
    found: dict[Side, dict[Key, Bill]] = {side: {} for side in SIDES}
    for r in engine.arrow(totals).to_pylist():
        covers = Period(r["starts_at"], r["starts_at"])
        line = Line("recurring", "", covers, r["total_minor"], 0)
        bill = Bill(r["contract_id"], r["cycle"], r["starts_at"], covers, r["currency"], (line,))
        found[r["side"]][r["contract_id"], r["cycle"]] = bill
    return found


def _owners(engine: DuckDBEngine, owners: ir.Table) -> dict[Side, dict[str, str]]:
    found: dict[Side, dict[str, str]] = {side: {} for side in SIDES}
    for r in engine.arrow(owners.order_by("side", "contract_id", "customer_id")).to_pylist():
        found[r["side"]].setdefault(r["contract_id"], r["customer_id"])
    return found


def _drawn(
    credits: Credits, bills: Mapping[Side, Mapping[Key, Bill]], owners: Mapping[Side, Mapping[str, str]]
) -> Drawn:
    """What bills take of credit, of all customers together; a contract is one customer's on either side."""
    each = {side: _by_customer(bills[side].values(), owners[side]) for side in SIDES}
    all_of = Drawn({}, {}, {})
    for customer in sorted(each["legacy"].keys() | each["target"].keys()):
        one = drawn(credits, customer, each["legacy"][customer], each["target"][customer])
        all_of = Drawn(*({**a, **b} for a, b in zip(_parts(all_of), _parts(one), strict=True)))
    return all_of


def _parts(told: Drawn) -> tuple[Mapping[Key, int], ...]:
    return told.before, told.after, told.apart


def _by_customer(bills: Iterable[Bill], owners: Mapping[str, str]) -> defaultdict[str, list[Bill]]:
    found: defaultdict[str, list[Bill]] = defaultdict(list)
    for bill in bills:
        if bill.subscription_id in owners:
            found[owners[bill.subscription_id]].append(bill)
    return found


def _row(key: Key, bills: Mapping[Side, Mapping[Key, Bill]], every: Drawn, kept: Drawn) -> dict[str, Any]:
    old, new = (bills[side].get(key) for side in SIDES)
    shown = old or new
    apart = every.apart.get(key, 0)
    return {
        "contract_id": key[0],
        "cycle": key[1],
        "starts_at": shown and shown.issued_at,
        "currency": shown and shown.currency,
        "legacy_minor": old.total_minor if old else 0,
        "legacy_credit_minor": every.before.get(key, 0),
        "target_minor": new.total_minor if new else 0,
        "target_credit_minor": every.after.get(key, 0),
        "apart_minor": apart,
        "at_stake_minor": abs(apart),
        "status": UNSIGNED if kept.apart.get(key, 0) else REJECTED if apart else SAME,
    }
