"""Invoices of the new platform for the cycles from T on, from what the target holds.

Each cycle is invoiced when it starts: recurring charges of the items that are there, the rest of what was added during
the cycle before, usage of that cycle, and discounts. Amounts and tax are rounded at the level the plan declares, and
lines and tax always add up to the total (I6).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from migration_assets.domain.bill import Bill, Line, LineKind
from migration_assets.domain.calendar import Period
from migration_assets.domain.money import InvoiceRounding, whole, whole_together
from migration_assets.domain.target.cycles import Cycle, cycles
from migration_assets.domain.target.discounts import reduction, still_given
from migration_assets.domain.target.pricing import charge, is_there, items_at
from migration_assets.domain.target.proration import added_during, share
from migration_assets.domain.target.tax import rate, tax_of
from migration_assets.domain.target.terms import Rules, Subscription
from migration_assets.domain.target.usage import charged_units


@dataclass(frozen=True)
class _Priced:
    """A line with its exact price in minor units."""

    kind: LineKind
    item_id: str
    covers: Period
    price: Fraction


def invoices_from(subscription: Subscription, rules: Rules, as_of: datetime) -> Iterator[Bill]:
    """Invoices of every cycle that starts at or after `as_of`, in order, without end while it renews.

    NoTaxRate when the place of supply is missing or has no rate.
    """
    before: Cycle | None = None
    started: list[datetime] = []
    for cycle in cycles(subscription, rules):
        if cycle.period.starts_at >= as_of:
            yield _invoice(subscription, rules, before, cycle, started)
            started.append(cycle.period.starts_at)
        before = cycle


def _invoice(
    subscription: Subscription, rules: Rules, before: Cycle | None, cycle: Cycle, started: list[datetime]
) -> Bill:
    priced = _lines(subscription, rules, before, cycle, started)
    prices = _whole([p.price for p in priced], rules.round_at, rules.rounding)
    tax_rate = rate(subscription, cycle.period.starts_at)
    exact = [tax_of(Fraction(price), tax_rate, subscription.tax_inclusive) for price in prices]
    taxes = _whole(exact, rules.tax_at, rules.rounding)
    within = 1 if subscription.tax_inclusive else 0
    return Bill(
        subscription_id=subscription.subscription_id,
        cycle=cycle.number,
        issued_at=cycle.period.starts_at,
        covers=cycle.period,
        currency=subscription.currency,
        lines=tuple(
            Line(p.kind, p.item_id, p.covers, amount_minor=price - within * tax, tax_minor=tax)
            for p, price, tax in zip(priced, prices, taxes, strict=True)
        ),
    )


def _lines(
    subscription: Subscription, rules: Rules, before: Cycle | None, cycle: Cycle, started: list[datetime]
) -> list[_Priced]:
    recurring = [
        _Priced("recurring", i.item_id, cycle.period, charge(i.price, i.quantity, subscription.exponent))
        for i in items_at(subscription, rules, cycle.period.starts_at)
        if i.kind != "usage" and is_there(i, cycle.period.starts_at)
    ]
    past = [] if before is None else [*_added(subscription, rules, before), *_metered(subscription, rules, before)]
    base = sum((r.price for r in recurring), Fraction(0))
    if rules.round_at == "line":
        base = Fraction(sum(whole(r.price, rules.rounding) for r in recurring))
    given = [d for d in subscription.discounts if still_given(d, cycle, sum(s >= d.starts_at for s in started))]
    off = [_Priced("discount", "", cycle.period, -amount) for amount in (reduction(d, base) for d in given) if amount]
    return [*recurring, *past, *off]


def _added(subscription: Subscription, rules: Rules, before: Cycle) -> Iterator[_Priced]:
    """Items that were added during the cycle before, at the price of that cycle."""
    for item in items_at(subscription, rules, before.period.starts_at):
        owed = added_during(item, before)
        if owed is not None and item.kind != "usage":
            part = share(owed, before.period, subscription, rules)
            price = charge(item.price, item.quantity, subscription.exponent) * part
            yield _Priced("proration", item.item_id, owed, price)


def _metered(subscription: Subscription, rules: Rules, before: Cycle) -> Iterator[_Priced]:
    """Usage that was counted in the cycle before."""
    meters = {i.item_id: i for i in items_at(subscription, rules, before.period.starts_at) if i.kind == "usage"}
    for counted in subscription.usage:
        units = charged_units(counted)
        if counted.period_starts_at == before.period.starts_at and counted.item_id in meters and units:
            price = charge(meters[counted.item_id].price, units, subscription.exponent)
            yield _Priced("usage", counted.item_id, before.period, price)


def _whole(exact: list[Fraction], level: str, rounding: InvoiceRounding) -> tuple[int, ...]:
    return whole_together(exact, rounding) if level == "invoice" else tuple(whole(e, rounding) for e in exact)
