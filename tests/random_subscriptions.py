"""Random subscriptions of the target with all that a bill follows from, close to where rules part. For tests."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from migration_assets.domain.calendar import Period, billing_period, boundary, cycles_begun, zone_of
from migration_assets.domain.money import exponent_of
from migration_assets.domain.target import terms as new

AS_OF = datetime(2026, 6, 30, 10, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo")
RATES = (
    new.TaxRate("DE", date(2000, 1, 1), Fraction(19)),
    new.TaxRate("DE", date(2026, 9, 15), Fraction("7.7")),
    new.TaxRate("FR", date(2000, 1, 1), Fraction(20)),
    new.TaxRate("US", date(2000, 1, 1), Fraction("8.875")),
    new.TaxRate("CH", date(2026, 12, 1), Fraction("8.1")),
)
DAY = timedelta(days=1)


def subscription(rng: random.Random) -> new.Subscription:
    """One subscription; half of what may be absent is."""
    zone, months = rng.choice(ZONES), rng.choice((1, 1, 3, 12))
    currency = rng.choice(("EUR", "EUR", "JPY", "KWD"))
    anchor = _local(rng, AS_OF - rng.randrange(-20, 1200) * DAY, zone)
    near = _near(anchor, months, zone)
    paused = rng.choice([None, None, None, _near_one(rng, near)])
    made = new.Subscription(
        subscription_id="s",
        currency=currency,
        exponent=exponent_of(currency),
        time_zone=zone,
        interval_months=months,
        anchor_at=anchor,
        ends_at=_perhaps(rng, near, 4),
        service_country=rng.choice(("DE", "DE", "DE", "FR", "US", "CH", "XX", None)),
        tax_inclusive=rng.random() < 0.5,
        tax_exempt=rng.random() < 0.2,
        current_period_ends_at=near[1].starts_at,
        cancel_at_period_end=rng.random() < 0.1,
        paused_at=paused,
        resumes_at=None if paused is None or rng.random() < 0.3 else paused + rng.randrange(0, 200) * DAY,
        items=tuple(_items(rng, near)),
        discounts=tuple(_discount(rng, near) for _ in range(rng.choice((0, 0, 1, 2)))),
        tax_rates=RATES,
    )
    return _with_changes(rng, made, near)


def _with_changes(rng: random.Random, made: new.Subscription, near: list[Period]) -> new.Subscription:
    changes = [_change(rng, near) for _ in range(rng.choice((0, 0, 0, 1, 2, 3)))]
    usage = [_usage(rng, i, near) for i in made.items if i.kind == "usage" and rng.random() < 0.7]
    return replace(made, scheduled_changes=tuple(changes), usage=tuple(usage))


def _local(rng: random.Random, about: datetime, zone: str) -> datetime:
    """Midnight where the contract is, or now and then another time of day."""
    hour, minute = (0, 0) if rng.random() < 0.8 else (rng.randrange(24), rng.choice((0, 30)))
    local = about.astimezone(zone_of(zone)).replace(tzinfo=None)
    day = rng.choice((local.day, 28, min(31, local.day + 3)))
    try:
        local = local.replace(day=day)
    except ValueError:
        local = local.replace(day=28)
    return boundary(local.replace(hour=hour, minute=minute, second=0, microsecond=0), zone)


def _near(anchor: datetime, months: int, zone: str) -> list[Period]:
    """Cycles from shortly before T on."""
    local, now = (t.astimezone(zone_of(zone)).replace(tzinfo=None) for t in (anchor, AS_OF))
    first = max(cycles_begun(local, months, now) - 2, 0)
    return [billing_period(anchor, months, k, zone) for k in range(first, first + 14)]


def _near_one(rng: random.Random, near: list[Period]) -> datetime:
    """An instant at or about where cycles begin."""
    about = rng.choice(near[: rng.choice((3, 14))])
    away = rng.choice((timedelta(0), timedelta(microseconds=1), -timedelta(microseconds=1), rng.randrange(40) * DAY))
    return about.starts_at + away


def _perhaps(rng: random.Random, near: list[Period], seldom: int) -> datetime | None:
    return _near_one(rng, near) if rng.randrange(seldom) == 0 else None


def _price(rng: random.Random) -> new.Price:
    amount = Decimal(rng.randrange(10**7)).scaleb(-rng.choice((0, 2, 2, 4)))
    return new.Price(rng.choice(("flat", "per_seat")), Fraction(amount))


def with_steps(rng: random.Random, s: new.Subscription) -> new.Subscription:
    """The same subscription, some of whose prices have steps or packages; those that changes lead to as well."""
    items = tuple(replace(i, price=_steps(rng, i.price)) if rng.random() < 0.6 else i for i in s.items)
    by_plan = ("downgrade", "upgrade")
    changes = tuple(
        replace(c, new_price=_steps(rng, c.new_price))
        if c.new_price and c.kind in by_plan and rng.random() < 0.6
        else c
        for c in s.scheduled_changes
    )
    return replace(s, items=items, scheduled_changes=changes)


def _steps(rng: random.Random, price: new.Price) -> new.Price:
    """Boundaries that quantities and usage often meet exactly; steps with and without a fee, cheap ones and dear."""
    model = rng.choice(("tiered", "volume", "package"))
    if model == "package":
        return new.Price("package", price.unit_price, (), rng.choice((1, 7, 100)))
    bounds = [0, *sorted(rng.sample((1, 3, 7, 99, 250, 1000), rng.randrange(4)))]
    steps = [
        new.PriceStep(over, _price(rng).unit_price, rng.choice((Fraction(0), _price(rng).unit_price)))
        for over in bounds
    ]
    return new.Price(model, price.unit_price, tuple(steps))  # type: ignore[arg-type]


def _items(rng: random.Random, near: list[Period]) -> list[new.SubscriptionItem]:
    kinds = ["base", *rng.choices(("add_on", "usage"), k=rng.randrange(4))]
    return [_item(rng, f"i{n}", kind, near) for n, kind in enumerate(kinds)]


def _item(rng: random.Random, item_id: str, kind: str, near: list[Period]) -> new.SubscriptionItem:
    starts_at, ends_at = _perhaps(rng, near, 2), _perhaps(rng, near, 3)
    if starts_at and ends_at and ends_at < starts_at:
        starts_at, ends_at = ends_at, starts_at
    return new.SubscriptionItem(item_id, kind, rng.choice((0, 1, 1, 7, 1000)), _price(rng), starts_at, ends_at)  # type: ignore[arg-type]


def _discount(rng: random.Random, near: list[Period]) -> new.Discount:
    percent = rng.choice((None, Fraction("12.5"), Fraction(100), Fraction("33.3333"), Fraction(0)))
    amount = 0 if percent is not None else rng.choice((1, 4_321, 10**9))
    return new.Discount(_near_one(rng, near), rng.choice((None, 0, 1, 2, 6)), percent, amount)


def _change(rng: random.Random, near: list[Period]) -> new.ScheduledChange:
    kind = rng.choice(("downgrade", "upgrade", "ramp", "ramp", "uplift", "uplift", "cancel"))
    return new.ScheduledChange(
        kind,  # type: ignore[arg-type]
        _near_one(rng, near),
        new_price=_price(rng) if rng.random() < 0.7 else None,
        new_quantity=rng.choice((None, 0, 3, 250)),
        percent=rng.choice((None, Fraction("3.75"), Fraction(-10), Fraction("2.3456"))),
    )


def _usage(rng: random.Random, item: new.SubscriptionItem, near: list[Period]) -> new.MeteredUsage:
    period = rng.choice(near[: rng.choice((3, 3, 14))]).starts_at
    included = rng.choice((None, Fraction(0), Fraction(100), Fraction("99.9999")))
    used = rng.choice((Fraction(100), Fraction(0), Fraction(rng.randrange(10**8), 10**4)))
    return new.MeteredUsage(item.item_id, period, used, included, rng.choice(("bill", "grace", "block", "none")))  # type: ignore[arg-type]
