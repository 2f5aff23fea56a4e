"""What random customers owe and have with us, told three ways: as the old system's records, as rows of the target, and
as the readable rule sums it up, invoice by invoice and payment by payment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.money import exponent_of
from migration_assets.domain.open_balance import Settlement, age_band, open_minor, payment_left
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.schema import schema_of
from migration_assets.plan.billing_records import READS

Row = dict[str, Any]
Rows = list[Row]
# customer, legal entity, currency, measure, age, number of the invoice.
Position = tuple[str, str, str, str, str, str]

T = datetime(2026, 6, 30, 12, tzinfo=UTC)
TODAY = T.date()
CURRENCIES = ("EUR", "EUR", "JPY", "KWD")
ENTITIES_OF_OURS = ("DE01", "US01")
_ARROW = {
    "text": pa.string(),
    "day": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
    "number": pa.decimal128(38, 10),
    "integer": pa.int64(),
    "flag": pa.bool_(),
}
_STATES = {"received": "settled", "pending": "pending", "failed": "failed"}
_PERIODS = {1: "month", 3: "quarter", 12: "year"}


@dataclass
class Books:
    """Facts, each in minor units: what both sides tell in their own words."""

    invoices: Rows = field(default_factory=list)
    payments: Rows = field(default_factory=list)
    applications: Rows = field(default_factory=list)
    given_back: Rows = field(default_factory=list)
    write_offs: Rows = field(default_factory=list)
    memos: Rows = field(default_factory=list)
    credits: Rows = field(default_factory=list)
    revenue: Rows = field(default_factory=list)
    contracts: Rows = field(default_factory=list)


def random_books(rng: Random, customers: int) -> Books:
    """Books of some customers with several currencies, invoices of all ages and payments for several invoices."""
    books = Books()
    for n in range(customers):
        for currency in {rng.choice(CURRENCIES), rng.choice(CURRENCIES)}:
            _account(rng, books, f"c{n}", currency)
    return books


def _account(rng: Random, books: Books, customer: str, currency: str) -> None:
    mine = [_invoice(rng, books, customer, currency) for _ in range(rng.randint(0, 4))]
    for _ in range(rng.randint(0, 3)):
        _payment(rng, books, customer, currency, mine)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        amount = rng.randint(1, 900)
        on = rng.choice(mine)["id"] if mine and rng.random() < 0.7 else None
        applied = rng.choice((0, amount, rng.randint(0, amount))) if on else 0
        books.memos.append(
            {"customer": customer, "invoice": on, "currency": currency, "minor": amount, "applied": applied}
        )
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        day = None if rng.random() < 0.4 else TODAY + timedelta(days=rng.randint(1, 300))
        turn = rng.choice((None, 1, 2, 7))
        told = {"customer": customer, "currency": currency, "minor": rng.randint(-50, 400), "last_day": day}
        books.credits.append({**told, "turn": turn, "zone": rng.choice(("Europe/Berlin", "Asia/Tokyo"))})
    for _ in range(rng.choice((0, 0, 1, 2))):
        _contract(rng, books, customer, currency)


def _invoice(rng: Random, books: Books, customer: str, currency: str) -> Row:
    own = f"i{len(books.invoices)}"
    issued = TODAY - timedelta(days=rng.randint(0, 200))
    due = None if rng.random() < 0.1 else issued + timedelta(days=rng.choice((0, 14, 30)))
    told = {"id": own, "number": f"N-{own}", "customer": customer, "currency": currency, "total": rng.randint(0, 5_000)}
    told |= {"entity": rng.choice(ENTITIES_OF_OURS), "issued": issued, "due": due}
    books.invoices.append(told)
    if rng.random() < 0.1:
        books.write_offs.append({"invoice": own, "currency": currency, "minor": rng.randint(1, 1_000)})
    for month in range(rng.choice((0, 0, 3))):
        known = {"invoice": own, "currency": currency, "minor": rng.randint(1, 500), "recognized": month == 0}
        books.revenue.append({**known, "line": f"{own}-{month}"})
    return told


def _payment(rng: Random, books: Books, customer: str, currency: str, invoices: Rows) -> None:
    own = f"p{len(books.payments)}"
    status = rng.choice(("received", "received", "received", "pending", "failed"))
    paid = [(i, rng.randint(1, 2_000)) for i in rng.sample(invoices, rng.randint(0, len(invoices)))]
    spare = rng.choice((0, 0, rng.randint(1, 500), -1))
    amount = max(1, sum(m for _, m in paid) + spare)
    books.payments.append({"id": own, "customer": customer, "currency": currency, "minor": amount, "status": status})
    for invoice, minor in paid:
        # What is applied twice to one invoice is one amount; in another currency it settles nothing.
        parts = [minor] if minor < 2 or rng.random() < 0.8 else [minor - 1, 1]
        other = "USD" if rng.random() < 0.05 else currency
        books.applications += [{"payment": own, "invoice": invoice["id"], "currency": other, "minor": m} for m in parts]
    for kind in ("refund", "dispute"):
        if status == "received" and rng.random() < 0.3:
            went = rng.choice(("settled", "settled", "pending", "failed"))
            minor = rng.choice((amount, rng.randint(1, amount), amount + 5))
            books.given_back.append({"payment": own, "currency": currency, "minor": minor, "kind": kind, "went": went})


def _contract(rng: Random, books: Books, customer: str, currency: str) -> None:
    own = f"k{len(books.contracts)}"
    status = rng.choice(("active", "active", "past_due", "paused", "trial", "over"))
    first = TODAY + timedelta(days=rng.choice((-400, -30, 0, 1)))
    last = rng.choice((None, None, TODAY, TODAY - timedelta(days=1), TODAY + timedelta(days=9)))
    items = [
        (rng.choice(("base", "add_on", "usage")), rng.randint(0, 9), Decimal(rng.randint(0, 99_999)).scaleb(-4))
        for _ in range(rng.randint(1, 3))
    ]
    told = {"id": own, "customer": customer, "currency": currency, "status": status, "items": items}
    entity, zone = rng.choice(ENTITIES_OF_OURS), rng.choice(("UTC", "Asia/Tokyo", "America/Los_Angeles"))
    books.contracts.append(
        {**told, "entity": entity, "months": rng.choice((1, 3, 12)), "first": first, "last": last, "zone": zone}
    )


def summed(books: Books) -> dict[Position, int]:
    """What the readable rule makes of the books; without positions that are nought."""
    found: defaultdict[Position, int] = defaultdict(int)
    invoices = {i["id"]: i for i in books.invoices}
    came = {p["id"]: p for p in books.payments if p["status"] == "received"}
    reopened: defaultdict[str, int] = defaultdict(int)
    for payment in came.values():
        _on_account(books, payment, invoices, reopened, found)
    for own, invoice in invoices.items():
        mine = [a for a in books.applications if a["invoice"] == own and a["payment"] in came]
        settled = Settlement(
            paid=_total(mine, invoice),
            credited=sum(m["applied"] for m in books.memos if m["invoice"] == own),
            written_off=_total([w for w in books.write_offs if w["invoice"] == own], invoice),
            given_back=reopened[own],
        )
        age = age_band(invoice["due"] or invoice["issued"], TODAY)
        key = (invoice["customer"], invoice["entity"], invoice["currency"], "receivables", age, invoice["number"])
        found[key] += open_minor(invoice["total"], settled)
    for memo in books.memos:
        found[_of(memo, "credit_memos")] += memo["minor"] - memo["applied"]
    for credit in books.credits:
        found[_of(credit, "credits")] += credit["minor"]
    for row in (r for r in books.revenue if not r["recognized"]):
        found[_of(invoices[row["invoice"]], "deferred_revenue")] += row["minor"]
    for contract in books.contracts:
        found[_of(contract, "recurring_revenue")] += _yearly(contract)
    return {key: minor for key, minor in found.items() if minor}


def _on_account(
    books: Books, payment: Row, invoices: Mapping[str, Row], reopened: dict[str, int], found: dict[Position, int]
) -> None:
    applied: defaultdict[str, int] = defaultdict(int)
    for a in books.applications:
        if a["payment"] == payment["id"] and a["currency"] == payment["currency"]:
            applied[a["invoice"]] += a["minor"]
    order = sorted(applied, key=lambda i: (invoices[i]["issued"], invoices[i]["number"]), reverse=True)
    back = sum(g["minor"] for g in books.given_back if g["payment"] == payment["id"] and g["went"] == "settled")
    left = payment_left(payment["minor"], [applied[i] for i in order], back)
    for own, minor in zip(order, left.reopened, strict=True):
        reopened[own] += minor
    found[_of({**payment, "entity": ""}, "on_account")] += left.on_account_minor


def _total(rows: Rows, invoice: Row) -> int:
    return sum(r["minor"] for r in rows if r["currency"] == invoice["currency"])


def _of(row: Row, measure: str) -> Position:
    return (row["customer"], row.get("entity", ""), row["currency"], measure, "", "")


def _yearly(contract: Row) -> int:
    today = T.astimezone(ZoneInfo(contract["zone"])).date()
    runs = contract["first"] <= today and (contract["last"] is None or contract["last"] >= today)
    if contract["status"] not in ("active", "past_due", "paused") or not runs:
        return 0
    unit = 10 ** exponent_of(contract["currency"])
    each = [int((price * n * unit + Decimal("0.5")) // 1) for kind, n, price in contract["items"] if kind != "usage"]
    return sum(each) * 12 // contract["months"]


def records_of(books: Books) -> tuple[dict[str, Rows], dict[str, list[str]]]:
    """As the old system's records, and whose each row of those that are somebody's is."""
    rows: dict[str, Rows] = {
        "receivables": [
            {
                "invoice_id": i["id"], "number": i["number"], "legal_entity": i["entity"], "currency": i["currency"],
                "total": _major(i, "total"), "issued_on": i["issued"], "due_on": i["due"],
            }
            for i in books.invoices
        ],
        "payments": [{"payment_id": p["id"], "status": p["status"], **_money(p)} for p in books.payments],
        "applications": [
            {"payment_id": a["payment"], "invoice_id": a["invoice"], **_money(a)} for a in books.applications
        ],
        "refunds": [
            {"payment_id": g["payment"], "status": g["went"], **_money(g)}
            for g in books.given_back
            if g["kind"] == "refund"
        ],
        "disputes": [
            {"payment_id": g["payment"], "status": _DISPUTES[g["went"]], **_money(g)}
            for g in books.given_back
            if g["kind"] == "dispute"
        ],
        "write_offs": [{"invoice_id": w["invoice"], **_money(w)} for w in books.write_offs],
        "credit_memos": [
            {"invoice_id": m["invoice"], "applied": _major(m, "applied"), **_money(m)} for m in books.memos
        ],
        "credits": [
            {
                "credit_id": f"k{n}", "customer": c["customer"], "currency": c["currency"], "zone": c["zone"],
                "balance": _major(c, "minor"), "burn_order": c["turn"], "last_day": c["last_day"],
            }
            for n, c in enumerate(books.credits)
        ],
        "revenue": [{"line_id": r["line"], "recognized": r["recognized"], **_money(r)} for r in books.revenue],
        "lines": [{"line_id": r["line"], "invoice_id": r["invoice"]} for r in books.revenue],
        "contracts": [
            {
                "contract_id": c["id"], "customer": c["customer"], "status": c["status"], "currency": c["currency"],
                "zone": c["zone"], "months": c["months"], "first_day": c["first"], "last_day": c["last"],
                "legal_entity": c["entity"],
            }
            for c in books.contracts
        ],
        "items": [
            {"item_id": f"{c['id']}-{n}", "contract_id": c["id"], "kind": kind, "quantity": q, "unit_price": price}
            for c in books.contracts
            for n, (kind, q, price) in enumerate(c["items"])
        ],
    }  # fmt: skip
    whose = {
        "receivables": [i["customer"] for i in books.invoices],
        "payments": [p["customer"] for p in books.payments],
        "credit_memos": [m["customer"] for m in books.memos],
        "credits": [c["customer"] for c in books.credits],
        "contracts": [c["customer"] for c in books.contracts],
    }
    return rows, whose


_DISPUTES = {"settled": "lost", "pending": "open", "failed": "won"}


def _major(row: Row, column: str) -> Decimal:
    return Decimal(row[column]).scaleb(-exponent_of(row["currency"]))


def _money(row: Row) -> Row:
    return {"currency": row["currency"], "amount": _major(row, "minor")}


def rows_of(books: Books) -> dict[str, Rows]:
    """As canonical rows by entity, keys as the target's would be."""
    entity = "erp.legal_entities:{}".format
    return {
        "invoice": [
            {
                "invoice_id": f"t-{i['id']}", "customer_id": i["customer"], "legal_entity_id": entity(i["entity"]),
                "number": i["number"], "status": "open", "currency": i["currency"], "total_minor": i["total"],
                "issued_on": i["issued"], "due_on": i["due"],
            }
            for i in books.invoices
        ],
        "payment": [
            {"payment_id": f"t-{p['id']}", "customer_id": p["customer"], "status": _STATES[p["status"]], **_minor(p)}
            for p in books.payments
        ],
        "payment_application": [
            {"payment_id": f"t-{a['payment']}", "invoice_id": f"t-{a['invoice']}", **_minor(a)}
            for a in books.applications
        ],
        "refund": [
            {"payment_id": f"t-{g['payment']}", "status": g["went"], **_minor(g)}
            for g in books.given_back
            if g["kind"] == "refund"
        ],
        "dispute": [
            {"payment_id": f"t-{g['payment']}", "status": _DISPUTES[g["went"]], **_minor(g)}
            for g in books.given_back
            if g["kind"] == "dispute"
        ],
        "write_off": [{"invoice_id": f"t-{w['invoice']}", **_minor(w)} for w in books.write_offs],
        "credit_memo": [
            {
                "customer_id": m["customer"], "invoice_id": m["invoice"] and f"t-{m['invoice']}", "status": "open",
                "applied_minor": m["applied"], **_minor(m),
            }
            for m in books.memos
        ],
        "credit_balance": [
            {
                "customer_id": c["customer"], "currency": c["currency"], "balance_minor": c["minor"],
                "burn_order": c["turn"], "expires_at": c["last_day"] and _end_of(c["last_day"], c["zone"]),
            }
            for c in books.credits
        ],
        "revenue_schedule": [
            {"invoice_line_id": f"t-{r['line']}", "recognized": r["recognized"], **_minor(r)} for r in books.revenue
        ],
        "invoice_line": [
            {"invoice_line_id": f"t-{r['line']}", "invoice_id": f"t-{r['invoice']}"} for r in books.revenue
        ],
        "subscription": [
            {
                "subscription_id": f"t-{c['id']}", "customer_id": c["customer"], "currency": c["currency"],
                "legal_entity_id": entity(c["entity"]), "interval": _PERIODS[c["months"]],
                "status": {"trial": "trialing", "over": "ended"}.get(c["status"], c["status"]),
                "starts_at": _midnight(c["first"], c["zone"]),
                "ends_at": c["last"] and _end_of(c["last"], c["zone"]),
            }
            for c in books.contracts
        ],
        "subscription_item": [
            {
                "item_id": f"t-{c['id']}-{n}", "subscription_id": f"t-{c['id']}", "kind": kind, "quantity": quantity,
                "unit_price": price, "price_model": "flat",
            }
            for c in books.contracts
            for n, (kind, quantity, price) in enumerate(c["items"])
        ],
    }  # fmt: skip


def _minor(row: Row) -> Row:
    return {"currency": row["currency"], "amount_minor": row["minor"]}


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def _end_of(day: date, zone: str) -> datetime:
    return _midnight(day + timedelta(days=1), zone)


def record_tables(engine: DuckDBEngine, records: Mapping[str, Rows]) -> dict[Any, Any]:
    """As `read_records` gives them; a row may say what of it is `unreadable`."""
    found = {}
    for kind, rows in records.items():
        fields = [(name, _ARROW[known.type]) for name, known in READS[kind].items()]  # type: ignore[index]
        schema = pa.schema([("row", pa.int64()), *fields, ("unreadable", pa.string())])
        told = [{"row": n, "unreadable": "", **row} for n, row in enumerate(rows)]
        found[kind] = engine.table(pa.Table.from_pylist(told, schema))
    return found


def whose_tables(engine: DuckDBEngine, whose: Mapping[str, list[str]]) -> dict[Any, Any]:
    schema = pa.schema([("row", pa.int64()), ("customer", pa.string())])
    return {
        kind: engine.table(pa.Table.from_pylist([{"row": n, "customer": c} for n, c in enumerate(who)], schema))
        for kind, who in whose.items()
    }


def canonical_tables(engine: DuckDBEngine, rows: Mapping[str, Rows]) -> dict[str, Any]:
    return {
        entity: engine.table(pa.Table.from_pylist(told, schema_of(ENTITIES[entity].fields).to_pyarrow()))
        for entity, told in rows.items()
    }
