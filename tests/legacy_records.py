"""Facts of contracts as records of the old system, as its raw tables are read. For tests of whole cohorts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
from told_twice import Agreed, Coupon, Part, Sold, Used

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.billing_records import READS, RecordName

Rows = list[dict[str, Any]]
KINDS: tuple[RecordName, ...] = (
    "contracts",
    "items",
    "discounts",
    "changes",
    "plans",
    "prices",
    "tiers",
    "tax_rates",
    "grants",
    "overrides",
)
_TYPES = {
    "text": pa.string(),
    "day": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
    "number": pa.decimal128(38, 10),
    "integer": pa.int64(),
    "flag": pa.bool_(),
}
METERED = pa.schema(
    [
        ("contract_id", pa.string()),
        ("item_id", pa.string()),
        ("period_first_day", pa.date32()),
        ("used", pa.decimal128(38, 10)),
        ("included", pa.decimal128(38, 10)),
        ("overage", pa.string()),
    ]
)


def name_of(number: int) -> str:
    return f"c{number:06}"


def records_of(facts: Sequence[Sold]) -> dict[str, Rows]:
    """The facts as records of the old system, with `metered` beside them."""
    found: defaultdict[str, Rows] = defaultdict(list)
    for number, sold in enumerate(facts):
        for kind, rows in _records(name_of(number), sold).items():
            found[kind] += rows
    rates = {(country, day): percent for sold in facts for country, day, percent in sold.tax}
    found["tax_rates"] = [{"country": c, "first_day": d, "percent": Decimal(p)} for (c, d), p in rates.items()]
    return found


def _records(own: str, sold: Sold) -> dict[str, Rows]:
    contract_row = {
        "contract_id": own,
        "customer": own,
        "status": "active",
        "currency": sold.currency,
        "zone": sold.zone,
        "months": sold.months,
        "anchor": sold.anchor,
        "first_day": sold.anchor,
        "last_day": sold.last_day,
        "country": sold.country,
        "tax_inclusive": sold.tax_inclusive,
        "tax_exempt": sold.tax_exempt,
        "paused_on": sold.paused_on,
        "resumes_on": sold.resumes_on,
    }
    swaps = [(f"{own}-plan{n}", c) for n, c in enumerate(sold.changes) if c.kind in ("upgrade", "downgrade")]
    return {
        "contracts": [contract_row],
        "items": [_item(own, part) for part in sold.parts],
        "discounts": [_discount(own, n, c, sold.exponent) for n, c in enumerate(sold.coupons)],
        "changes": [_change(own, n, c) for n, c in enumerate(sold.changes)],
        "plans": [{"plan": plan, "product": f"{plan}-product", "months": sold.months} for plan, _ in swaps],
        "prices": [_price(plan, sold, c) for plan, c in swaps],
        "tiers": [
            *(row for part in sold.parts for row in _tiers(f"{own}-{part.item_id}", part)),
            *(row for plan, c in swaps for row in _tiers(plan, c)),
        ],
        "metered": [_metered(own, used) for used in sold.usage],
    }


def _item(own: str, part: Part) -> dict[str, Any]:
    return {
        "item_id": part.item_id,
        "contract_id": own,
        "product": part.item_id,
        "kind": part.kind,
        "quantity": part.quantity,
        "model": part.model,
        "unit_price": None if part.tiers else Decimal(part.price),
        "price": f"{own}-{part.item_id}" if part.tiers else None,
        "package": part.package if part.model == "package" else None,
        "first_day": part.first_day,
        "last_day": part.last_day,
    }


def _tiers(name: str, of: Part | Agreed) -> Rows:
    """The last tier first: their order is not that of rows."""
    told = ((up_to, price, *(fee or [None])) for up_to, price, *fee in reversed(of.tiers))
    return [
        {"price": name, "up_to": up_to, "unit_price": Decimal(price), "fee": None if fee is None else Decimal(fee)}
        for up_to, price, fee in told
    ]


def _discount(own: str, number: int, coupon: Coupon, exponent: int) -> dict[str, Any]:
    return {
        "discount_id": f"{own}-d{number}",
        "contract_id": own,
        "first_day": coupon.first_day,
        "cycles": coupon.cycles,
        "percent": None if coupon.percent is None else Decimal(coupon.percent),
        "amount": Decimal(coupon.amount_minor).scaleb(-exponent),
    }


def _change(own: str, number: int, agreed: Agreed) -> dict[str, Any]:
    swaps = agreed.kind in ("upgrade", "downgrade")
    price = None if agreed.price is None else Decimal(agreed.price)
    return {
        "change_id": f"{own}-{number}",
        "contract_id": own,
        "kind": agreed.kind,
        "first_day": agreed.first_day,
        "new_plan": f"{own}-plan{number}" if swaps else None,
        "new_quantity": agreed.quantity,
        "new_unit_price": None if swaps else price,
        "percent": None if agreed.percent is None else Decimal(agreed.percent),
    }


def _price(plan: str, sold: Sold, agreed: Agreed) -> dict[str, Any]:
    price = None if agreed.price is None or agreed.tiers else Decimal(agreed.price)
    terms = {"months": sold.months, "currency": sold.currency, "model": agreed.model, "price": plan}
    return {"product": f"{plan}-product", "unit_price": price, **terms, "package": agreed.package}


def _metered(own: str, used: Used) -> dict[str, Any]:
    return {
        "contract_id": own,
        "item_id": used.item_id,
        "period_first_day": used.period_first_day,
        "used": Decimal(used.used),
        "included": Decimal(used.included),
        "overage": used.overage,
    }


def tables(engine: DuckDBEngine, records: Mapping[str, Rows]) -> dict[RecordName, Any]:
    """Records as `read_records` gives them; a row may say what of it is `unreadable`."""
    return {kind: engine.table(_table(kind, records.get(kind, []))) for kind in KINDS}


def _table(kind: RecordName, rows: Rows) -> pa.Table:
    fields = pa.schema([(field, _TYPES[known.type]) for field, known in READS[kind].items()])
    frame = pa.Table.from_pylist([{field: row.get(field) for field in fields.names} for row in rows], fields)
    lost = pa.array([row.get("unreadable", "") for row in rows], pa.string())
    return frame.append_column("row", pa.array(range(len(rows)), pa.int64())).append_column("unreadable", lost)
