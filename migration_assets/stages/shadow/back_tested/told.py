"""Records of the old system as contracts that `domain.legacy` bills: the readable way, one contract at a time.

For proofs on what a person can look at. A contract of which some part cannot be read, or is nothing its rules know, is
named with the reason and never guessed at; it stops no other contract.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, get_args

from migration_assets.domain.calendar import is_zone
from migration_assets.domain.legacy.terms import (
    Contract,
    Discount,
    Item,
    ItemKind,
    Price,
    PriceModel,
    TaxRate,
    Tier,
    Usage,
)
from migration_assets.domain.money import MoneyError, scaled

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_records import RecordName

Row = Mapping[str, Any]
Exponents = Callable[[str], int]
Tiers = Mapping[str, tuple[Tier, ...]]
_BY_TIERS = ("tiered", "volume")


@dataclass(frozen=True)
class Told:
    """Contracts by id, and of those that cannot be billed again what is wrong with them. `zones`: where their days are
    told, for all of which that is known."""

    contracts: Mapping[str, Contract]
    unreadable: Mapping[str, str]
    zones: Mapping[str, str]


def contracts_of(engine: DuckDBEngine, records: Mapping[RecordName, ir.Table], exponents: Exponents) -> Told:
    """Every contract, with what the old system has counted of its usage so far."""
    items, discounts = (_by_contract(engine, records.get(r)) for r in ("items", "discounts"))
    usage, rates = _counted(engine, records), _rates(engine, records.get("tax_rates"))
    tiers = _tiers(engine, records.get("tiers"))
    contracts: dict[str, Contract] = {}
    unreadable: dict[str, str] = {}
    zones: dict[str, str] = {}
    for row in _rows(engine, records["contracts"]):
        own = row["contract_id"] or ""
        if is_zone(row["zone"] or ""):
            zones[own] = row["zone"]
        if wrong := ", ".join(dict.fromkeys(_wrong(row, items[own], discounts[own], tiers, exponents))):
            unreadable[own] = wrong
        else:
            made = tuple(_item(i, tiers) for i in sorted(items[own], key=lambda i: i["item_id"]))
            contracts[own] = _contract(row, made, discounts[own], usage[own], rates, exponents)
    return Told(contracts, unreadable, zones)


def _rows(engine: DuckDBEngine, table: ir.Table | None) -> list[Row]:
    return [] if table is None else list(engine.arrow(table.order_by("row")).to_pylist())


def _by_contract(engine: DuckDBEngine, table: ir.Table | None) -> defaultdict[str, list[Row]]:
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in _rows(engine, table):
        grouped[row["contract_id"] or ""].append(row)
    return grouped


def _rates(engine: DuckDBEngine, table: ir.Table | None) -> tuple[TaxRate, ...]:
    """Rates that can be read. Where one is missing, the contracts it was for have none, and say so."""
    readable = (r for r in _rows(engine, table) if not r["unreadable"])
    return tuple(TaxRate(r["country"], r["first_day"], Fraction(r["percent"])) for r in readable)


def _counted(engine: DuckDBEngine, records: Mapping[RecordName, ir.Table]) -> defaultdict[str, list[Usage]]:
    """Usage of past periods, as the old system counted it when it billed: the quantity of its own usage lines."""
    counted: defaultdict[str, list[Usage]] = defaultdict(list)
    if "invoices" not in records or "lines" not in records:
        return counted
    lines, invoices = records["lines"], records["invoices"].select("invoice_id", "contract_id")
    used = lines.filter((lines["kind"] == "usage") & (lines["unreadable"] == "")).inner_join(invoices, "invoice_id")
    for line in _rows(engine, used.select("row", "contract_id", "item_id", "first_day", "quantity")):
        if line["item_id"] and line["first_day"] and line["quantity"] is not None:
            usage = Usage(line["item_id"], line["first_day"], billable=Fraction(line["quantity"]))
            counted[line["contract_id"] or ""].append(usage)
    return counted


def _tiers(engine: DuckDBEngine, table: ir.Table | None) -> Tiers:
    """Tiers of each price that says all of them, in their order: every one can be read, no two end alike, and the last
    has no end."""
    told: defaultdict[str, list[Row]] = defaultdict(list)
    for row in _rows(engine, table):
        told[row["price"] or ""].append(row)
    return {price: _in_order(rows) for price, rows in told.items() if _is_whole(rows)}


def _is_whole(rows: Sequence[Row]) -> bool:
    ends = [r["up_to"] for r in rows]
    readable = not any(r["unreadable"] for r in rows)
    return readable and None in ends and len(set(ends)) == len(ends) and all(e is None or e > 0 for e in ends)


def _in_order(rows: Iterable[Row]) -> tuple[Tier, ...]:
    tiers = (Tier(r["up_to"], Fraction(r["unit_price"]), Fraction(r["fee"] or 0)) for r in rows)
    return tuple(sorted(tiers, key=lambda t: (t.up_to is None, t.up_to)))


def _wrong(
    row: Row, items: Sequence[Row], discounts: Iterable[Row], tiers: Tiers, exponents: Exponents
) -> Iterator[str]:
    """What keeps a contract from being billed again; names of fields, no values."""
    for name, part in [("", row), *(("item ", i) for i in items), *(("discount ", d) for d in discounts)]:
        yield from (f"{name}{field}" for field in part["unreadable"].split())
        if part.get("last_day") and part.get("first_day") and part["last_day"] < part["first_day"]:
            yield f"{name}ends before it starts"
    if not is_zone(row["zone"] or ""):
        yield "zone"
    if (row["months"] or 0) < 1:
        yield "months"
    try:
        exponents(row["currency"] or "")
    except MoneyError:
        yield "currency"
    yield from ("item kind" for i in items if i["kind"] not in get_args(ItemKind))
    yield from ("item model" for i in items if i["model"] not in get_args(PriceModel))
    yield from ("item tiers" for i in items if i["model"] in _BY_TIERS and (i["price"] or "") not in tiers)
    yield from ("item package" for i in items if i["model"] == "package" and (i["package"] or 0) < 1)


def _contract(
    row: Row,
    items: tuple[Item, ...],
    discounts: list[Row],
    usage: list[Usage],
    rates: tuple[TaxRate, ...],
    exponents: Exponents,
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
        items=items,
        discounts=tuple(_discount(d, row["currency"], exponents) for d in discounts),
        usage=tuple(usage),
        tax_rates=rates,
    )


def _item(row: Row, tiers: Tiers) -> Item:
    by_tiers = row["model"] in _BY_TIERS
    return Item(
        item_id=row["item_id"],
        product=row["product"],
        kind=row["kind"],
        quantity=row["quantity"],
        price=Price(
            row["model"],
            Fraction(row["unit_price"] or 0),
            tiers[row["price"]] if by_tiers else (),
            row["package"] or 1,
        ),
        first_day=row["first_day"],
        last_day=row["last_day"],
    )


def _discount(row: Row, currency: str, exponents: Exponents) -> Discount:
    percent = None if row["percent"] is None else Fraction(row["percent"])
    amount = 0 if row["amount"] is None else scaled(row["amount"], exponents(currency))
    return Discount(row["first_day"], row["cycles"], percent, amount)
