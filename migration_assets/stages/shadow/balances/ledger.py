"""A ledger as both sides tell it, in whole minor units, and what it comes to: the sums of `domain.open_balance`, of
whole cohorts at once.

Belongs here: the form both sides answer in, and the arithmetic that both share (I24). Not here: where amounts are read
on either side, and what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis import _

from migration_assets.domain.open_balance import AGES, OLDEST

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# Of whom nobody can say whose it is.
NOBODY = "nobody"
# What is told of a customer: money they owe, money of theirs that settles nothing yet, credit notes that are not
# applied, credit, revenue that is not earned yet, and what recurs in a year.
MEASURES = ("receivables", "on_account", "credit_memos", "credits", "deferred_revenue", "recurring_revenue")
# Those that belong to one of our legal entities.
OF_ENTITIES = ("receivables", "deferred_revenue", "recurring_revenue")
POSITION = ("customer_id", "legal_entity", "currency", "measure", "age", "item")

_T, _I, _D, _AT = pa.string(), pa.int64(), pa.date32(), pa.timestamp("us", tz="UTC")
_AMOUNT = {"currency": _T, "amount_minor": _I}
_COLUMNS: Mapping[str, Mapping[str, pa.DataType]] = {
    "invoices": {
        "invoice_id": _T, "customer_id": _T, "legal_entity": _T, "number": _T, "currency": _T, "total_minor": _I,
        "issued_on": _D, "due_on": _D,
    },
    "payments": {"payment_id": _T, "customer_id": _T, **_AMOUNT},
    "applications": {"payment_id": _T, "invoice_id": _T, **_AMOUNT},
    "given_back": {"payment_id": _T, **_AMOUNT},
    "credited": {"invoice_id": _T, **_AMOUNT},
    "written_off": {"invoice_id": _T, **_AMOUNT},
    "memos": {"customer_id": _T, **_AMOUNT},
    "credits": {"customer_id": _T, **_AMOUNT, "burn_order": _I, "expires_at": _AT},
    "deferred": {"invoice_id": _T, **_AMOUNT},
    "recurring": {"contract_id": _T, "months": _I, "customer_id": _T, "legal_entity": _T, **_AMOUNT},
    "discounts": {"contract_id": _T, "percent": pa.decimal128(38, 10), "amount_minor": _I},
}  # fmt: skip


@dataclass(frozen=True)
class Ledger:
    """What one side says. Every table has `currency` (but `discounts`) and whole minor units.

    `invoices`: issued ones; invoice_id (key), customer_id, legal_entity, number, total_minor, issued_on, due_on.
    `payments`: those that came in; payment_id (key), customer_id. `applications`: payment_id, invoice_id; none of a
    payment that did not come in. `given_back`: payment_id; settled refunds and lost disputes. `credited`,
    `written_off`: invoice_id. `memos`: customer_id; what of credit notes is applied to nothing. `credits`: customer_id,
    burn_order, expires_at. `deferred`: invoice_id; revenue that is not earned yet. `recurring`: contract_id,
    months (of its period), customer_id, legal_entity; of a year, before discounts. `discounts`: those that hold at T;
    contract_id, percent or amount_minor (of one period). Legal entities by the key that they have in the old system.
    """

    invoices: ir.Table
    payments: ir.Table
    applications: ir.Table
    given_back: ir.Table
    credited: ir.Table
    written_off: ir.Table
    memos: ir.Table
    credits: ir.Table
    deferred: ir.Table
    recurring: ir.Table
    discounts: ir.Table


def ledger_of(engine: DuckDBEngine, told: Mapping[str, ir.Table]) -> Ledger:
    """A ledger of the tables that a side tells, each computed once; none of the others."""
    return Ledger(**{f.name: _table(engine, told.get(f.name), _COLUMNS[f.name]) for f in fields(Ledger)})


def _table(engine: DuckDBEngine, rows: ir.Table | None, columns: Mapping[str, pa.DataType]) -> ir.Table:
    if rows is None:
        return engine.table(pa.schema(list(columns.items())).empty_table())
    types = pa.schema(list(columns.items()))
    schema = ibis.Schema.from_pyarrow(types)
    return engine.cached(rows.select(**{c: rows[c].cast(schema[c]) for c in columns}))


def positions(engine: DuckDBEngine, ledger: Ledger, today: date) -> ir.Table:
    """Everything that is not nought: customer_id, legal_entity, currency, measure, age (of receivables), item (number
    of the invoice that is open), minor; the key is all but minor.

    `today`: the day of T, by which receivables are old. Where nothing is told, `nobody` or an empty text stands.
    """
    left = _left_of_payments(engine, ledger)
    none = ibis.literal("")
    issued = ledger.invoices.select("invoice_id", "customer_id", "legal_entity")
    deferred = ledger.deferred.join(issued, "invoice_id")
    parts = [
        _receivables(_open(ledger, left), today),
        _measure(left.on_account, "on_account", legal_entity=none),
        _measure(ledger.memos, "credit_memos", legal_entity=none),
        _measure(ledger.credits, "credits", legal_entity=none),
        _measure(deferred, "deferred_revenue"),
        _measure(ledger.recurring, "recurring_revenue"),
    ]
    return engine.cached(_added_up(engine.union(parts)))


def recurring_sums(engine: DuckDBEngine, ledger: Ledger) -> ir.Table:
    """Recurring revenue of a year by currency (key): minor, before discounts, and off_minor, what discounts that hold
    at T take off it. No amount takes more off a contract than recurs; percentages are rounded half up, once a year."""
    each = ledger.recurring.group_by("contract_id", "currency", "months").aggregate(base=_.amount_minor.sum())
    met = ledger.discounts.join(each, "contract_id")
    hundred = ibis.literal(100 * 10**10).cast("decimal(38, 0)")
    part = (met["percent"].fill_null(0).cast("decimal(38, 10)") * 10**10).cast("decimal(38, 0)")
    share = engine.whole(met["base"].cast("decimal(38, 0)") * part, hundred, "half_up")
    amount = (met["amount_minor"] * 12).cast("int64") // met["months"]
    off = met.mutate(off=met["percent"].isnull().ifelse(ibis.least(amount, met["base"]), share).cast("int64"))
    taken = off.group_by("currency").aggregate(off_minor=_.off.sum())
    whole = each.group_by("currency").aggregate(minor=_.base.sum())
    told = whole.left_join(taken, "currency")
    return told.select(
        "currency", minor=told["minor"].cast("int64"), off_minor=told["off_minor"].fill_null(0).cast("int64")
    )


def recorded_positions(engine: DuckDBEngine, invoices: ir.Table, today: date) -> ir.Table:
    """The same of what a system says itself is open of its invoices: those of a ledger, with open_minor."""
    return engine.cached(_added_up(_receivables(invoices, today)))


def _added_up(rows: ir.Table) -> ir.Table:
    named = rows.mutate(**{c: rows[c].fill_null(NOBODY if c == "customer_id" else "") for c in POSITION})
    summed = named.group_by(POSITION).aggregate(minor=_.minor.sum().cast("int64"))
    return summed.filter(_.minor != 0)


def _receivables(invoices: ir.Table, today: date) -> ir.Table:
    told = invoices.mutate(measure=ibis.literal("receivables"), item=invoices["number"], age=_age(invoices, today))
    return told.select(**{c: told[c] for c in POSITION}, minor="open_minor")


def _measure(rows: ir.Table, measure: str, **more: ir.Value) -> ir.Table:
    none = ibis.literal("")
    told = rows.mutate(measure=ibis.literal(measure), age=none, item=none, **more)
    return told.select(**{c: told[c] for c in POSITION}, minor="amount_minor")


def _age(invoices: ir.Table, today: date) -> ir.StringValue:
    """How many days past due; an invoice without a due date was due on the day it bears."""
    due = invoices["due_on"].coalesce(invoices["issued_on"])
    return ibis.cases(*((due >= ibis.literal(today - timedelta(days=most)), band) for band, most in AGES), else_=OLDEST)


@dataclass(frozen=True)
class _Left:
    """`reopened`: invoice_id, currency, amount_minor. `on_account`: customer_id, currency, amount_minor."""

    reopened: ir.Table
    on_account: ir.Table


def _left_of_payments(engine: DuckDBEngine, ledger: Ledger) -> _Left:
    """`domain.open_balance.payment_left` of every payment. Amounts in another currency than the payment's say nothing
    of it."""
    key = ["payment_id", "currency"]
    payments = ledger.payments
    applied = ledger.applications.group_by(*key, "invoice_id").aggregate(applied=_.amount_minor.sum())
    together = applied.group_by(key).aggregate(applied=_.applied.sum())
    back = ledger.given_back.group_by(key).aggregate(back=_.amount_minor.sum())
    known = payments.left_join(together, key).drop("payment_id_right", "currency_right")
    known = known.left_join(back, key).select(*payments.columns, "applied", "back")
    known = engine.cached(known.mutate(applied=_.applied.fill_null(0), back=_.back.fill_null(0)))
    few = known.filter(known["back"] > 0)
    few = few.mutate(left=ibis.greatest(_.back - ibis.greatest(_.amount_minor - _.applied, 0), 0))
    reopened = engine.cached(_reopened(few.select(*key, "left"), applied, ledger.invoices))
    again = reopened.group_by(key).aggregate(again=_.amount_minor.sum())
    told = known.left_join(again, key).select(*known.columns, "again")
    left = told["amount_minor"] - told["applied"] - told["back"] + told["again"].fill_null(0)
    on_account = told.select("customer_id", "currency", amount_minor=left.cast("int64"))
    return _Left(reopened, engine.cached(on_account.filter(_.amount_minor != 0)))


def _reopened(few: ir.Table, applied: ir.Table, invoices: ir.Table) -> ir.Table:
    """payment_id, invoice_id, currency, amount_minor. The invoice issued last is the first that is open again; what
    settles an invoice that nobody knows comes last."""
    issued = invoices.select("invoice_id", "issued_on", "number")
    each = few.join(applied, ["payment_id", "currency"]).left_join(issued, "invoice_id").drop("invoice_id_right")
    order = [each["issued_on"].desc(nulls_first=False), each["number"].desc(nulls_first=False), each["invoice_id"]]
    window = ibis.window(group_by=["payment_id", "currency"], order_by=order, preceding=None, following=0)
    settled = ibis.greatest(each["applied"], 0)
    so_far = settled.sum().over(window) - settled
    amount = ibis.least(ibis.greatest(each["left"] - so_far, 0), settled)
    return each.select("payment_id", "invoice_id", "currency", amount_minor=amount.cast("int64"))


def _open(ledger: Ledger, left: _Left) -> ir.Table:
    """Issued invoices with open_minor, as `domain.open_balance.open_minor`; amounts in another currency than the
    invoice's settle none of it."""
    key = ["invoice_id", "currency"]
    signs = ((ledger.applications, -1), (ledger.credited, -1), (ledger.written_off, -1), (left.reopened, 1))
    moves = ibis.union(*(rows.select(*key, moved=rows["amount_minor"] * sign) for rows, sign in signs))
    moved = moves.group_by(key).aggregate(moved=_.moved.sum())
    told = ledger.invoices.left_join(moved, key).select(*ledger.invoices.columns, "moved")
    return told.mutate(open_minor=(told["total_minor"] + told["moved"].fill_null(0)).cast("int64"))
