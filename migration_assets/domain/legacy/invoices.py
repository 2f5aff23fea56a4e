"""Invoices of the old system for a contract: which lines, how much, rounded where its rules say so.

An invoice is issued on the first day of its period. Lines, in this order: recurring for every item that covers that
day; proration for what came within the period before; usage of the period before, both at that period's prices;
discounts. Usage of a contract's last period is billed by nobody. Amounts and tax become whole
minor units line by line, or so that the lines add up to the rounded whole, as the plan declares (I6).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from migration_assets.domain.bill import Bill, Line, LineKind
from migration_assets.domain.calendar import Period, midnight
from migration_assets.domain.legacy import discounts, prices, proration, tax, usage
from migration_assets.domain.legacy.periods import BillingPeriod, periods
from migration_assets.domain.legacy.terms import Contract, Rules
from migration_assets.domain.money import InvoiceRounding, whole, whole_together


@dataclass(frozen=True)
class _Charge:
    """A line before rounding. `charged`: minor units as the price says, tax within them where prices contain it."""

    kind: LineKind
    item_id: str
    first_day: date
    until: date
    charged: Fraction


def invoices(contract: Contract, rules: Rules, since: date | None = None) -> Iterator[Bill]:
    """Invoices of the contract in order of its periods, from the one that begins on or after `since` (the first when it
    is None), without end while it renews.

    TaxUnknown when the country of service is missing or has no rate.
    """
    billed: list[BillingPeriod] = []
    for period in periods(contract, rules):
        if since is None or period.first_day >= since:
            yield _invoice(contract, rules, billed, period)
        billed.append(period)


def _invoice(contract: Contract, rules: Rules, billed: Sequence[BillingPeriod], period: BillingPeriod) -> Bill:
    charges = tuple(_charges(contract, rules, billed, period))
    percent = tax.percent_on(contract, period.first_day)
    amounts = _amounts(charges, rules)
    taxes = _taxes(amounts, percent, contract.tax_inclusive, rules)
    lines = tuple(
        Line(
            kind=charge.kind,
            item_id=charge.item_id,
            covers=_span(contract, charge.first_day, charge.until),
            amount_minor=amount - taxed if contract.tax_inclusive else amount,
            tax_minor=taxed,
        )
        for charge, amount, taxed in zip(charges, amounts, taxes, strict=True)
    )
    return Bill(
        subscription_id=contract.contract_id,
        cycle=period.index,
        issued_at=midnight(period.first_day, contract.zone),
        covers=_span(contract, period.first_day, period.until),
        currency=contract.currency,
        lines=lines,
    )


def _charges(
    contract: Contract, rules: Rules, billed: Sequence[BillingPeriod], period: BillingPeriod
) -> Iterator[_Charge]:
    recurring = tuple(_recurring(contract, rules, period))
    base = Fraction(sum(_amounts(recurring, rules))) if rules.rounded_at == "line" else _total(recurring)
    yield from recurring
    if billed:
        yield from _prorated(contract, rules, billed[-1])
        yield from _used(contract, rules, billed[-1])
    yield from _discounted(contract, base, billed, period)


def _recurring(contract: Contract, rules: Rules, period: BillingPeriod) -> Iterator[_Charge]:
    for item in prices.items_on(contract, rules, period.first_day):
        if item.kind != "usage" and prices.covers(item, period.first_day):
            amount = prices.full_price(item.price, item.quantity, contract.exponent)
            yield _Charge("recurring", item.item_id, period.first_day, period.until, amount)


def _prorated(contract: Contract, rules: Rules, before: BillingPeriod) -> Iterator[_Charge]:
    for item in prices.items_on(contract, rules, before.first_day):
        if item.kind != "usage" and item.first_day is not None and proration.came_within(item, before):
            until = proration.owed_until(item, before)
            share = proration.share_of(contract, item.first_day, until, before, rules)
            amount = prices.full_price(item.price, item.quantity, contract.exponent) * share
            yield _Charge("proration", item.item_id, item.first_day, until, amount)


def _used(contract: Contract, rules: Rules, before: BillingPeriod) -> Iterator[_Charge]:
    price_of = {i.item_id: i.price for i in prices.items_on(contract, rules, before.first_day) if i.kind == "usage"}
    for counted in contract.usage:
        units = usage.billable_units(counted)
        if counted.period_first_day == before.first_day and counted.item_id in price_of and units:
            amount = prices.full_price(price_of[counted.item_id], units, contract.exponent)
            yield _Charge("usage", counted.item_id, before.first_day, before.until, amount)


def _discounted(
    contract: Contract, recurring: Fraction, billed: Sequence[BillingPeriod], period: BillingPeriod
) -> Iterator[_Charge]:
    earlier = [b.first_day for b in billed]
    for discount in contract.discounts:
        off = discounts.taken_off(discount, recurring)
        if off and discounts.is_granted(discount, period.first_day, earlier):
            yield _Charge("discount", "", period.first_day, period.until, -off)


def _total(charges: Sequence[_Charge]) -> Fraction:
    return sum((c.charged for c in charges), Fraction(0))


def _amounts(charges: Sequence[_Charge], rules: Rules) -> tuple[int, ...]:
    return _rounded([c.charged for c in charges], rules.rounded_at, rules.rounding)


def _taxes(amounts: Sequence[int], percent: Fraction, inclusive: bool, rules: Rules) -> tuple[int, ...]:
    of = tax.tax_within if inclusive else tax.tax_upon
    return _rounded([of(Fraction(a), percent) for a in amounts], rules.taxed_at, rules.rounding)


def _rounded(exact: Sequence[Fraction], level: str, rounding: InvoiceRounding) -> tuple[int, ...]:
    return whole_together(exact, rounding) if level == "invoice" else tuple(whole(e, rounding) for e in exact)


def _span(contract: Contract, first: date, until: date) -> Period:
    return Period(midnight(first, contract.zone), midnight(until, contract.zone))
