"""What the old system knows of a contract, in its own terms, and the choices its rules leave to a plan.

Days are calendar days of the contract's time zone; every `last_day` still counts (I7). Prices are exact fractions of
the currency's major unit, with as many decimals as the old system keeps; limits are in the feature's canonical unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Literal

from migration_assets.domain.access import Overage
from migration_assets.domain.money import InvoiceRounding

ItemKind = Literal["base", "add_on", "usage"]
PriceModel = Literal["flat", "per_seat", "tiered", "volume", "package"]
ChangeKind = Literal["downgrade", "upgrade", "ramp", "uplift", "cancel"]


@dataclass(frozen=True)
class Rules:
    """What a plan declares about an old billing system.

    `proration`: how a part of a period is counted. `rounded_at`, `taxed_at`: where amounts and tax become whole minor
    units. `pause`: `extends` keeps what was left of the paid period for after the pause, `skips` leaves the periods
    where they were and bills none that begins in the pause. `uplift_decimals`: decimals of a price after an uplift.
    """

    proration: Literal["30e_360", "actual_days"] = "30e_360"
    rounding: InvoiceRounding = "half_up"
    rounded_at: Literal["line", "invoice"] = "line"
    taxed_at: Literal["line", "invoice"] = "line"
    pause: Literal["extends", "skips"] = "extends"
    uplift_decimals: int = 4


@dataclass(frozen=True)
class Tier:
    """Units up to and including `up_to` (None: all the rest) cost `unit_price` each, and all of them together `fee` on
    top."""

    up_to: int | None
    unit_price: Fraction
    fee: Fraction = Fraction(0)


@dataclass(frozen=True)
class Price:
    """What one unit costs for one interval; `tiers` of the models tiered and volume, `package` units of that one."""

    model: PriceModel
    unit_price: Fraction
    tiers: tuple[Tier, ...] = ()
    package: int = 1


@dataclass(frozen=True)
class Item:
    """A product on a contract. Days are None where it comes or goes with the contract."""

    item_id: str
    product: str
    kind: ItemKind
    quantity: int
    price: Price
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True)
class Discount:
    """So much off the period that begins on `first_day` and those after it, `cycles` in all (None: for ever): percent,
    or an amount in minor units."""

    first_day: date
    cycles: int | None
    percent: Fraction | None = None
    amount_minor: int = 0


@dataclass(frozen=True)
class Change:
    """Agreed for the period that begins on `first_day`. `new_price`: what the new plan's base product costs then."""

    kind: ChangeKind
    first_day: date
    new_product: str | None = None
    new_price: Price | None = None
    new_quantity: int | None = None
    percent: Fraction | None = None


@dataclass(frozen=True)
class Usage:
    """Units of a metered item within the period that begins on `period_first_day`.

    `billable` is what the old system already counted as such; where it is None, `used` and what is included decide.
    """

    item_id: str
    period_first_day: date
    used: Fraction = Fraction(0)
    included: Fraction = Fraction(0)
    overage: Overage = "bill"
    billable: Fraction | None = None


@dataclass(frozen=True)
class TaxRate:
    """Percent by country of supply, valid from a day until the next row of the country."""

    country: str
    first_day: date
    percent: Fraction


@dataclass(frozen=True)
class Contract:
    """A contract with all that its invoices are made from. `anchor`: the day every period is counted from.

    `last_day` is None while it renews; `service_country` None where the old system does not know it; `resumes_on` None
    while nobody has said when a pause ends.
    """

    contract_id: str
    currency: str
    exponent: int
    zone: str
    months: int
    anchor: date
    first_day: date
    last_day: date | None
    service_country: str | None
    tax_inclusive: bool = False
    tax_exempt: bool = False
    paused_on: date | None = None
    resumes_on: date | None = None
    items: tuple[Item, ...] = ()
    discounts: tuple[Discount, ...] = ()
    changes: tuple[Change, ...] = ()
    usage: tuple[Usage, ...] = ()
    tax_rates: tuple[TaxRate, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.months < 1:
            raise ValueError("a billing period lasts at least one month")
