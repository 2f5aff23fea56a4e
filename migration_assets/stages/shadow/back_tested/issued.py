"""Invoices as the old system issued them, from its raw tables, as bills that can be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import ibis

from migration_assets.domain.back_test import Issued
from migration_assets.domain.bill import Bill, Line
from migration_assets.domain.calendar import Period, midnight
from migration_assets.domain.money import MoneyError, scaled

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_records import RecordName

Row = Mapping[str, Any]
Exponents = Callable[[str], int]
LAST = 3
_DAY = timedelta(days=1)


def last_issued(
    engine: DuckDBEngine,
    records: Mapping[RecordName, ir.Table],
    zones: Mapping[str, str],
    exponents: Exponents,
    last: int = LAST,
) -> dict[str, list[Issued]]:
    """The last invoices of each contract, oldest first. `zones`: contract -> its time zone.

    None is left out: one with a part that cannot be read, or of a contract without a zone, comes without a bill.
    """
    chosen = engine.cached(_latest(records["invoices"], last))
    lines: defaultdict[str, list[Row]] = defaultdict(list)
    for row in engine.arrow(records["lines"].semi_join(chosen, "invoice_id").order_by("row")).to_pylist():
        lines[row["invoice_id"]].append(row)
    issued: defaultdict[str, list[Issued]] = defaultdict(list)
    for row in engine.arrow(chosen.order_by(["first_day", "invoice_id", "row"])).to_pylist():
        own = row["contract_id"] or ""
        issued[own].append(_issued(row, lines[row["invoice_id"]], zones.get(own), exponents))
    return dict(issued)


def _latest(invoices: ir.Table, last: int) -> ir.Table:
    """The last by first day; one whose day cannot be read counts among them."""
    order = [invoices["first_day"].isnull().desc(), ibis.desc("first_day"), ibis.desc("invoice_id")]
    place = ibis.row_number().over(ibis.window(group_by="contract_id", order_by=order))
    return invoices.mutate(_place=place).filter(ibis._["_place"] < last).drop("_place")


def _issued(row: Row, lines: Iterable[Row], zone: str | None, exponents: Exponents) -> Issued:
    currency = row["currency"] or ""
    return Issued(
        invoice_id=row["invoice_id"] or "",
        subscription_id=row["contract_id"] or "",
        currency=currency,
        first_day=row["first_day"],
        stated_minor=_stated(row, currency, exponents),
        bill=None if row["unreadable"] or zone is None else _bill(row, lines, currency, zone, exponents),
    )


def _stated(row: Row, currency: str, exponents: Exponents) -> int | None:
    if row["subtotal"] is None or row["tax"] is None:
        return None
    try:
        return scaled(row["subtotal"] + row["tax"], exponents(currency))
    except MoneyError:
        return None


def _bill(row: Row, lines: Iterable[Row], currency: str, zone: str, exponents: Exponents) -> Bill | None:
    try:
        return Bill(
            subscription_id=row["contract_id"],
            cycle=-1,
            issued_at=midnight(row["issued_on"], zone),
            covers=_span(row["first_day"], row["last_day"], zone),
            currency=currency,
            lines=tuple(_line(line, currency, zone, exponents) for line in lines),
        )
    except _Unreadable:
        return None


class _Unreadable(ValueError):
    """Some part of an invoice is not what it should be."""


def _line(row: Row, currency: str, zone: str, exponents: Exponents) -> Line:
    if row["unreadable"]:
        raise _Unreadable
    covers = _span(row["first_day"], row["last_day"], zone)
    try:
        amount, tax = (scaled(row[c], exponents(currency)) for c in ("amount", "tax"))
    except MoneyError:
        raise _Unreadable from None
    return Line(row["kind"], row["item_id"] or "", covers, amount, tax)


def _span(first: date | None, last: date | None, zone: str) -> Period:
    if first is None or last is None or last < first:
        raise _Unreadable
    return Period(midnight(first, zone), midnight(last + _DAY, zone))
