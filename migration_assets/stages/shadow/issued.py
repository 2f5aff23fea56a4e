"""Invoices as the old system issued them, from its raw tables, as bills that can be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from migration_assets.domain.bill import Bill, Line
from migration_assets.domain.calendar import Period, midnight
from migration_assets.domain.money import MoneyError, scaled

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import RecordName

Row = Mapping[str, Any]
LAST = 3
_DAY = timedelta(days=1)


def last_issued(
    engine: DuckDBEngine,
    records: Mapping[RecordName, ir.Table],
    zones: Mapping[str, str],
    exponents: Callable[[str], int],
    last: int = LAST,
) -> dict[str, list[Bill]]:
    """The last invoices of each contract, oldest first. `zones`: contract -> its time zone.

    An invoice with a row that cannot be read, in another currency than its lines, or of a contract without a zone has
    no lines, so that nothing can reproduce it.
    """
    invoices = engine.arrow(_latest(records["invoices"], last)).to_pylist()
    lines: defaultdict[str, list[Row]] = defaultdict(list)
    chosen = records["lines"].semi_join(_latest(records["invoices"], last), "invoice_id")
    for row in engine.arrow(chosen).to_pylist():
        lines[row["invoice_id"]].append(row)
    bills: defaultdict[str, list[Bill]] = defaultdict(list)
    for row in sorted(invoices, key=lambda r: (r["first_day"] or date.min, r["invoice_id"])):
        zone = zones.get(row["contract_id"])
        if zone is not None and not row["unreadable"]:
            bills[row["contract_id"]].append(_bill(row, lines[row["invoice_id"]], zone, exponents))
    return dict(bills)


def _latest(invoices: ir.Table, last: int) -> ir.Table:
    import ibis

    order = ibis.window(group_by="contract_id", order_by=[ibis.desc("first_day"), ibis.desc("invoice_id")])
    return invoices.mutate(_place=ibis.row_number().over(order)).filter(ibis._["_place"] < last).drop("_place")


def _bill(row: Row, lines: Iterable[Row], zone: str, exponents: Callable[[str], int]) -> Bill:
    made = [_line(line, row["currency"], zone, exponents) for line in lines]
    return Bill(
        subscription_id=row["contract_id"],
        cycle=-1,
        issued_at=midnight(row["issued_on"], zone),
        covers=Period(midnight(row["first_day"], zone), midnight(row["last_day"] + _DAY, zone)),
        currency=row["currency"],
        lines=tuple(line for line in made if line is not None) if None not in made else (),
    )


def _line(row: Row, currency: str, zone: str, exponents: Callable[[str], int]) -> Line | None:
    if row["unreadable"] or row["first_day"] is None or row["last_day"] is None:
        return None
    try:
        amount, tax = (scaled(row[c], exponents(currency)) for c in ("amount", "tax"))
    except MoneyError:
        return None
    covers = Period(midnight(row["first_day"], zone), midnight(row["last_day"] + _DAY, zone))
    return Line(row["kind"], row["item_id"] or "", covers, amount, tax)
