"""Subscriptions as `domain.target` reads them, told as the tables that bills at scale are made from. For tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa

from migration_assets.domain.target import terms as new
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.target.rows import MONTHS, TargetRows

Row = dict[str, Any]

TEXT, WHOLE, YES = pa.string(), pa.int64(), pa.bool_()
NUMBER, INSTANT, DAY = pa.decimal128(38, 10), pa.timestamp("us", tz="UTC"), pa.date32()
COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "subscription": {
        "subscription_id": TEXT,
        "currency": TEXT,
        "interval": TEXT,
        "anchor_at": INSTANT,
        "ends_at": INSTANT,
        "current_period_ends_at": INSTANT,
        "cancel_at_period_end": YES,
        "paused_at": INSTANT,
        "resumes_at": INSTANT,
        "time_zone": TEXT,
        "service_country": TEXT,
        "tax_inclusive": YES,
        "tax_exempt": YES,
    },
    "subscription_item": {
        "item_id": TEXT,
        "subscription_id": TEXT,
        "kind": TEXT,
        "quantity": WHOLE,
        "unit_price": NUMBER,
        "price_model": TEXT,
        "price_code": TEXT,
        "package_size": WHOLE,
        "starts_at": INSTANT,
        "ends_at": INSTANT,
    },
    "discount": {
        "discount_id": TEXT,
        "subscription_id": TEXT,
        "kind": TEXT,
        "percent": NUMBER,
        "amount_minor": WHOLE,
        "cycles_remaining": WHOLE,
        "starts_at": INSTANT,
    },
    "scheduled_change": {
        "scheduled_change_id": TEXT,
        "subscription_id": TEXT,
        "kind": TEXT,
        "effective_at": INSTANT,
        "new_plan_code": TEXT,
        "new_quantity": WHOLE,
        "new_unit_price": NUMBER,
        "percent": NUMBER,
    },
    "plan_price": {
        "plan_code": TEXT,
        "currency": TEXT,
        "unit_price": NUMBER,
        "price_model": TEXT,
        "price_code": TEXT,
        "package_size": WHOLE,
    },
    "price_step": {"price_code": TEXT, "over": WHOLE, "unit_price": NUMBER, "fee": NUMBER},
    "metered": {
        "item_id": TEXT,
        "subscription_id": TEXT,
        "period_starts_at": INSTANT,
        "used": NUMBER,
        "included": NUMBER,
        "overage": TEXT,
    },
    "tax_rate": {"country": TEXT, "valid_from": DAY, "percent": NUMBER},
}
_INTERVAL = {months: name for name, months in MONTHS.items()}


def apart(subscriptions: Iterable[new.Subscription]) -> list[new.Subscription]:
    """The same subscriptions under ids of their own, as keys of tables are; items in the order of their ids."""
    return [_named(s, f"s{number:06}") for number, s in enumerate(subscriptions)]


def _named(s: new.Subscription, name: str) -> new.Subscription:
    items = sorted((replace(i, item_id=f"{name}-{i.item_id}") for i in s.items), key=lambda i: i.item_id)
    usage = tuple(replace(u, item_id=f"{name}-{u.item_id}") for u in s.usage)
    return replace(s, subscription_id=name, items=tuple(items), usage=usage)


def held_rows(engine: DuckDBEngine, subscriptions: Iterable[new.Subscription]) -> TargetRows:
    """The tables that hold them. Each plan that a change leads to is one of its own."""
    tables: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    rates: dict[tuple[str, Any], Row] = {}
    for s in subscriptions:
        tables["subscription"].append(_subscription(s))
        tables["subscription_item"] += [_item(s, i) for i in s.items]
        tables["discount"] += [_discount(s, d, n) for n, d in enumerate(s.discounts)]
        for n, change in enumerate(s.scheduled_changes):
            tables["scheduled_change"].append(_change(s, change, n))
            tables["plan_price"] += list(_plan(s, change, n))
            if change.kind in ("downgrade", "upgrade") and change.new_price is not None:
                tables["price_step"] += _steps(f"{s.subscription_id}-p{n}", change.new_price)
        tables["metered"] += [_metered(s, u) for u in s.usage]
        tables["price_step"] += [row for i in s.items for row in _steps(i.item_id, i.price)]
        rates.update({(r.country, r.valid_from): _rate(r) for r in s.tax_rates})
    tables["tax_rate"] = list(rates.values())
    return TargetRows(**{name: engine.table(_table(name, rows)) for name, rows in tables.items()})


def _table(name: str, rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=pa.schema(COLUMNS[name].items()))


def _subscription(s: new.Subscription) -> Row:
    told = {c: getattr(s, c) for c in COLUMNS["subscription"] if c != "interval"}
    return {**told, "interval": _INTERVAL[s.interval_months]}


def _item(s: new.Subscription, i: new.SubscriptionItem) -> Row:
    return {
        "item_id": i.item_id,
        "subscription_id": s.subscription_id,
        "kind": i.kind,
        "quantity": i.quantity,
        **_price(i.item_id, i.price),
        "starts_at": i.starts_at,
        "ends_at": i.ends_at,
    }


def _discount(s: new.Subscription, d: new.Discount, place: int) -> Row:
    return {
        "discount_id": f"{s.subscription_id}-d{place}",
        "subscription_id": s.subscription_id,
        "kind": "amount" if d.percent is None else "percent",
        "percent": number(d.percent),
        "amount_minor": d.amount_minor,
        "cycles_remaining": d.cycles_remaining,
        "starts_at": d.starts_at,
    }


def _change(s: new.Subscription, c: new.ScheduledChange, place: int) -> Row:
    by_plan = c.kind in ("downgrade", "upgrade")
    price = None if c.new_price is None or by_plan else c.new_price.unit_price
    return {
        "scheduled_change_id": f"{s.subscription_id}-c{place}",
        "subscription_id": s.subscription_id,
        "kind": c.kind,
        "effective_at": c.effective_at,
        "new_plan_code": f"{s.subscription_id}-p{place}" if by_plan and c.new_price else None,
        "new_quantity": c.new_quantity,
        "new_unit_price": number(price),
        "percent": number(c.percent),
    }


def _plan(s: new.Subscription, c: new.ScheduledChange, place: int) -> Iterator[Row]:
    if c.kind in ("downgrade", "upgrade") and c.new_price is not None:
        plan = f"{s.subscription_id}-p{place}"
        yield {"plan_code": plan, "currency": s.currency, **_price(plan, c.new_price)}


def _price(code: str, price: new.Price) -> Row:
    return {
        "unit_price": number(price.unit_price),
        "price_model": price.model,
        "price_code": code if price.steps else None,
        "package_size": price.package_size if price.model == "package" else None,
    }


def _steps(code: str, price: new.Price) -> list[Row]:
    """The last step first: their order is not that of rows."""
    told = [{"price_code": code, "over": s.over, "unit_price": number(s.unit_price)} for s in price.steps]
    return [{**row, "fee": number(s.fee)} for row, s in zip(told, price.steps, strict=True)][::-1]


def _metered(s: new.Subscription, u: new.MeteredUsage) -> Row:
    return {
        "item_id": u.item_id,
        "subscription_id": s.subscription_id,
        "period_starts_at": u.period_starts_at,
        "used": number(u.used),
        "included": number(u.included),
        "overage": u.overage,
    }


def _rate(r: new.TaxRate) -> Row:
    return {"country": r.country, "valid_from": r.valid_from, "percent": number(r.percent)}


def number(exact: Fraction | None) -> Decimal | None:
    """A fraction as a decimal of ten places; AssertionError where it is none."""
    if exact is None:
        return None
    units = exact * 10**10
    assert units.denominator == 1
    return Decimal(units.numerator).scaleb(-10)
