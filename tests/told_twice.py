"""One contract told twice: in the old system's terms and as rows of the target. For tests of both rule sets.

The translation is done here by hand, apart from the mapping of a plan, so that a case states its facts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import islice

from migration_assets.domain.bill import Bill
from migration_assets.domain.calendar import midnight
from migration_assets.domain.legacy import invoices as legacy_invoices
from migration_assets.domain.legacy import terms as old
from migration_assets.domain.money import exponent_of
from migration_assets.domain.target import invoices as target_invoices
from migration_assets.domain.target import terms as new

DAY = timedelta(days=1)
Tiers = tuple[tuple[int | None, str] | tuple[int | None, str, str], ...]


@dataclass(frozen=True)
class Part:
    """An item. `tiers`: (up to, price) or (up to, price, fee), the last up to None."""

    item_id: str
    price: str
    quantity: int = 1
    kind: str = "base"
    model: str = "flat"
    tiers: Tiers = ()
    package: int = 1
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True)
class Coupon:
    """A discount whose first cycle begins on `first_day`, with so many cycles (None: for ever), some of them used."""

    first_day: date
    cycles: int | None
    used: int = 0
    percent: str | None = None
    amount_minor: int = 0


@dataclass(frozen=True)
class Agreed:
    """A scheduled change. `price`: of the new plan, or of the ramp; `product`: the new plan's. `model`, `tiers`,
    `package`: of the new plan's price, as of a part."""

    kind: str
    first_day: date
    price: str | None = None
    quantity: int | None = None
    percent: str | None = None
    product: str | None = "other"
    model: str = "flat"
    tiers: Tiers = ()
    package: int = 1


@dataclass(frozen=True)
class Used:
    """Usage of a metered item within the period that begins on that day."""

    item_id: str
    period_first_day: date
    used: str
    included: str = "0"
    overage: str = "bill"


@dataclass(frozen=True)
class Sold:
    """The facts of a contract."""

    anchor: date
    months: int = 1
    currency: str = "EUR"
    zone: str = "Europe/Berlin"
    last_day: date | None = None
    parts: tuple[Part, ...] = (Part("base", "100"),)
    coupons: tuple[Coupon, ...] = ()
    changes: tuple[Agreed, ...] = ()
    usage: tuple[Used, ...] = ()
    country: str | None = "DE"
    tax: tuple[tuple[str, date, str], ...] = (("DE", date(2000, 1, 1), "19"),)
    tax_inclusive: bool = False
    tax_exempt: bool = False
    paused_on: date | None = None
    resumes_on: date | None = None
    cancel_at_period_end: date | None = None

    @property
    def exponent(self) -> int:
        return exponent_of(self.currency)


def contract(sold: Sold) -> old.Contract:
    """As the old system has it. A contract that is cancelled at period end has its last day written down there."""
    ends = sold.cancel_at_period_end
    return old.Contract(
        contract_id="s",
        currency=sold.currency,
        exponent=sold.exponent,
        zone=sold.zone,
        months=sold.months,
        anchor=sold.anchor,
        first_day=sold.anchor,
        last_day=sold.last_day if ends is None else ends,
        service_country=sold.country,
        tax_inclusive=sold.tax_inclusive,
        tax_exempt=sold.tax_exempt,
        paused_on=sold.paused_on,
        resumes_on=sold.resumes_on,
        items=tuple(_item(p) for p in sold.parts),
        discounts=tuple(_discount(c) for c in sold.coupons),
        changes=tuple(_change(c) for c in sold.changes),
        usage=tuple(_usage(u) for u in sold.usage),
        tax_rates=tuple(old.TaxRate(c, d, Fraction(p)) for c, d, p in sold.tax),
    )


def _item(part: Part) -> old.Item:
    price = _old_price(part.price, part)
    return old.Item(part.item_id, part.item_id, part.kind, part.quantity, price, part.first_day, part.last_day)  # type: ignore[arg-type]


def _old_price(unit_price: str, of: Part | Agreed) -> old.Price:
    tiers = tuple(old.Tier(up_to, Fraction(price), Fraction(*fee)) for up_to, price, *fee in of.tiers)
    return old.Price(of.model, Fraction(unit_price), tiers, of.package)  # type: ignore[arg-type]


def _discount(coupon: Coupon) -> old.Discount:
    percent = None if coupon.percent is None else Fraction(coupon.percent)
    return old.Discount(coupon.first_day, coupon.cycles, percent, coupon.amount_minor)


def _change(agreed: Agreed) -> old.Change:
    return old.Change(
        agreed.kind,  # type: ignore[arg-type]
        agreed.first_day,
        new_product=agreed.product,
        new_price=None if agreed.price is None else _old_price(agreed.price, agreed),
        new_quantity=agreed.quantity,
        percent=None if agreed.percent is None else Fraction(agreed.percent),
    )


def _usage(used: Used) -> old.Usage:
    return old.Usage(
        used.item_id,
        used.period_first_day,
        Fraction(used.used),
        Fraction(used.included),
        used.overage,  # type: ignore[arg-type]
    )


def subscription(sold: Sold) -> new.Subscription:
    """As rows of the target: instants in UTC, ends exclusive, cycles remaining instead of a last day."""

    def at(day: date | None) -> datetime | None:
        return None if day is None else midnight(day, sold.zone)

    def after(day: date | None) -> datetime | None:
        return None if day is None else midnight(day + DAY, sold.zone)

    anchor = midnight(sold.anchor, sold.zone)
    return new.Subscription(
        subscription_id="s",
        currency=sold.currency,
        exponent=sold.exponent,
        time_zone=sold.zone,
        interval_months=sold.months,
        anchor_at=anchor,
        ends_at=after(sold.last_day),
        service_country=sold.country,
        tax_inclusive=sold.tax_inclusive,
        tax_exempt=sold.tax_exempt,
        current_period_ends_at=after(sold.cancel_at_period_end),
        cancel_at_period_end=sold.cancel_at_period_end is not None,
        paused_at=at(sold.paused_on),
        resumes_at=at(sold.resumes_on),
        items=tuple(
            new.SubscriptionItem(p.item_id, p.kind, p.quantity, _price(p.price, p), at(p.first_day), after(p.last_day))  # type: ignore[arg-type]
            for p in sold.parts
        ),
        discounts=tuple(
            new.Discount(
                midnight(c.first_day, sold.zone),
                None if c.cycles is None else c.cycles - c.used,
                None if c.percent is None else Fraction(c.percent),
                c.amount_minor,
            )
            for c in sold.coupons
        ),
        scheduled_changes=tuple(
            new.ScheduledChange(
                c.kind,  # type: ignore[arg-type]
                midnight(c.first_day, sold.zone),
                None if c.price is None else _price(c.price, c),
                c.quantity,
                None if c.percent is None else Fraction(c.percent),
            )
            for c in sold.changes
        ),
        usage=tuple(
            new.MeteredUsage(
                u.item_id,
                midnight(u.period_first_day, sold.zone),
                Fraction(u.used),
                Fraction(u.included),
                u.overage,  # type: ignore[arg-type]
            )
            for u in sold.usage
        ),
        tax_rates=tuple(new.TaxRate(c, d, Fraction(p)) for c, d, p in sold.tax),
    )


def _price(unit_price: str, of: Part | Agreed) -> new.Price:
    bounds = [0, *(tier[0] for tier in of.tiers if tier[0] is not None)]
    told = zip(bounds, of.tiers, strict=False)
    steps = tuple(new.PriceStep(b, Fraction(price), Fraction(*fee)) for b, (_, price, *fee) in told)
    return new.Price(of.model, Fraction(unit_price), steps, of.package)  # type: ignore[arg-type]


def legacy_bills(sold: Sold, as_of: datetime, count: int, rules: old.Rules | None = None) -> list[Bill]:
    """The next invoices of the old system from T on."""
    every = legacy_invoices.invoices(contract(sold), rules or old.Rules())
    return list(islice((bill for bill in every if bill.issued_at >= as_of), count))


def target_bills(sold: Sold, as_of: datetime, count: int, rules: new.Rules | None = None) -> list[Bill]:
    """The next invoices of the target from T on."""
    return list(islice(target_invoices.invoices_from(subscription(sold), rules or new.Rules(), as_of), count))
