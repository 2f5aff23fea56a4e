"""Rows of the target that bills and access follow from, and the choices its rules leave to a plan.

Instants are UTC, periods half-open; money is in minor units, unit prices are exact fractions of the major unit, limits
are in the feature's canonical unit. Names are those of the canonical model, because the target's columns follow it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Literal

from migration_assets.domain.access import Overage
from migration_assets.domain.money import InvoiceRounding


@dataclass(frozen=True)
class Rules:
    """What a plan declares about the new platform.

    `proration`: parts of a period by elapsed seconds, by days of the contract's calendar, or by 30/360. `round_at`,
    `tax_at`: one rounding for each line, or one for the invoice. `pause`: `extend` moves the end of the paid period by
    the time of the pause, `skip` leaves the periods where they are. `price_decimals`: decimals of a price after an
    uplift.
    """

    proration: Literal["seconds", "days", "30e_360"] = "seconds"
    rounding: InvoiceRounding = "half_up"
    round_at: Literal["line", "invoice"] = "invoice"
    tax_at: Literal["line", "invoice"] = "invoice"
    pause: Literal["extend", "skip"] = "extend"
    price_decimals: int = 4


@dataclass(frozen=True)
class PriceStep:
    """From the unit after `over` on, a unit costs `unit_price`; the first of them costs `fee` on top, once."""

    over: int
    unit_price: Fraction
    fee: Fraction = Fraction(0)


@dataclass(frozen=True)
class Price:
    """Contracted price of one interval; `steps` by `over` for tiered and volume, `package_size` units for package."""

    model: Literal["flat", "per_seat", "tiered", "volume", "package"]
    unit_price: Fraction
    steps: tuple[PriceStep, ...] = ()
    package_size: int = 1


@dataclass(frozen=True)
class SubscriptionItem:
    """Row of subscription_items with its price. Without instants it comes and goes with its subscription."""

    item_id: str
    kind: Literal["base", "add_on", "usage"]
    quantity: int
    price: Price
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Discount:
    """Row of discounts: `cycles_remaining` counts the cycles from T on that still get it, None is for ever."""

    starts_at: datetime
    cycles_remaining: int | None
    percent: Fraction | None = None
    amount_minor: int = 0


@dataclass(frozen=True)
class ScheduledChange:
    """Row of scheduled_changes, with the catalog's price of the new plan."""

    kind: Literal["downgrade", "upgrade", "ramp", "uplift", "cancel"]
    effective_at: datetime
    new_price: Price | None = None
    new_quantity: int | None = None
    percent: Fraction | None = None


@dataclass(frozen=True)
class MeteredUsage:
    """Row of usage_balances for an item that is metered: used within the period that starts then, what is included in
    it, and the policy past that."""

    item_id: str
    period_starts_at: datetime
    used: Fraction
    included: Fraction | None
    overage: Overage


@dataclass(frozen=True)
class TaxRate:
    """Row of the tax engine: percent for a country of supply from a day on, until its next row."""

    country: str
    valid_from: date
    percent: Fraction


@dataclass(frozen=True)
class Subscription:
    """Row of subscriptions with all that its invoices are made from; `starts_at` and the anchor never move."""

    subscription_id: str
    currency: str
    exponent: int
    time_zone: str
    interval_months: int
    anchor_at: datetime
    ends_at: datetime | None
    service_country: str | None
    tax_inclusive: bool = False
    tax_exempt: bool = False
    current_period_ends_at: datetime | None = None
    cancel_at_period_end: bool = False
    paused_at: datetime | None = None
    resumes_at: datetime | None = None
    items: tuple[SubscriptionItem, ...] = ()
    discounts: tuple[Discount, ...] = ()
    scheduled_changes: tuple[ScheduledChange, ...] = ()
    usage: tuple[MeteredUsage, ...] = ()
    tax_rates: tuple[TaxRate, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.interval_months < 1:
            raise ValueError("a cycle lasts at least one month")
