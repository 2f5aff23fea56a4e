"""Records of the old system as contracts that `domain.legacy` bills: the readable way, one contract at a time.

For certificates, explanations and proofs on what a person can look at; whole cohorts go the set-based way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from migration_assets.domain.legacy.terms import Contract, Discount, Item, Price, TaxRate, Usage
from migration_assets.domain.money import scaled

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import RecordName

Row = Mapping[str, Any]


def contracts_of(
    engine: DuckDBEngine, records: Mapping[RecordName, ir.Table], exponents: Callable[[str], int]
) -> Iterator[Contract]:
    """Every contract that can be read, by id, with what was counted of its usage so far.

    Rows that cannot be read leave their contract out: whoever asks for it learns that it cannot be billed again.
    """
    found = {name: _rows(engine, table) for name, table in records.items()}
    items, discounts = _by(found.get("items", []), "contract_id"), _by(found.get("discounts", []), "contract_id")
    usage = _counted(found.get("invoices", []), found.get("lines", []))
    rates = tuple(TaxRate(r["country"], r["first_day"], Fraction(r["percent"])) for r in found.get("tax_rates", []))
    for row in sorted(found["contracts"], key=lambda r: r["contract_id"] or ""):
        own = row["contract_id"]
        parts = [row, *items[own], *discounts[own]]
        if not any(part["unreadable"] for part in parts):
            yield _contract(row, items[own], discounts[own], usage[own], rates, exponents)


def _rows(engine: DuckDBEngine, table: ir.Table) -> list[Row]:
    return list(engine.arrow(table).to_pylist())


def _by(rows: Iterable[Row], key: str) -> defaultdict[str, list[Row]]:
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row[key]].append(row)
    return grouped


def _counted(invoices: Iterable[Row], lines: Iterable[Row]) -> defaultdict[str, list[Usage]]:
    """Usage of past periods, as the old system counted it when it billed: the quantity of its own usage lines."""
    contract_of = {i["invoice_id"]: i["contract_id"] for i in invoices}
    counted: defaultdict[str, list[Usage]] = defaultdict(list)
    for line in lines:
        readable = line["item_id"] and line["first_day"] and line["quantity"] is not None
        if line["kind"] == "usage" and readable and line["invoice_id"] in contract_of:
            usage = Usage(line["item_id"], line["first_day"], billable=Fraction(line["quantity"]))
            counted[contract_of[line["invoice_id"]]].append(usage)
    return counted


def _contract(
    row: Row,
    items: list[Row],
    discounts: list[Row],
    usage: list[Usage],
    rates: tuple[TaxRate, ...],
    exponents: Callable[[str], int],
) -> Contract:
    return Contract(
        contract_id=row["contract_id"],
        currency=row["currency"],
        exponent=exponents(row["currency"]),
        zone=row["zone"],
        months=row["months"],
        anchor=row["anchor"],
        first_day=row["first_day"],
        last_day=row["last_day"],
        service_country=row["country"],
        tax_inclusive=bool(row["tax_inclusive"]),
        tax_exempt=bool(row["tax_exempt"]),
        paused_on=row["paused_on"],
        resumes_on=row["resumes_on"],
        items=tuple(_item(i) for i in sorted(items, key=lambda i: i["item_id"])),
        discounts=tuple(_discount(d, row["currency"], exponents) for d in discounts),
        usage=tuple(usage),
        tax_rates=rates,
    )


def _item(row: Row) -> Item:
    return Item(
        item_id=row["item_id"],
        product=row["product"],
        kind=row["kind"],
        quantity=row["quantity"],
        price=Price(row["model"], Fraction(row["unit_price"])),
        first_day=row["first_day"],
        last_day=row["last_day"],
    )


def _discount(row: Row, currency: str, exponents: Callable[[str], int]) -> Discount:
    percent = None if row["percent"] is None else Fraction(row["percent"])
    amount = 0 if row["amount"] is None else scaled(row["amount"], exponents(currency))
    return Discount(row["first_day"], row["cycles"], percent, amount)
