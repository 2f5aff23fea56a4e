"""What an item costs for one whole interval in the old system, exact, in minor units.

The contracted price counts, not the list (I10). Scheduled changes act from the first day of their period on, in the
order of those days: a downgrade or upgrade swaps the base item's product for the new plan's, at the price list's price;
a ramp sets quantity and perhaps price of the base item; an uplift raises every item that recurs, its price rounded half
up to the decimals the old system keeps (I31).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import pairwise

from migration_assets.domain.legacy.terms import Change, Contract, Item, Price, Rules, Tier
from migration_assets.domain.money import whole


def full_price(price: Price, quantity: int | Fraction, exponent: int) -> Fraction:
    """Minor units that `quantity` units cost for one interval, not yet rounded (I12: tier mode and boundaries). Nothing
    bought costs nothing, whatever fee its tier has."""
    major = {
        "flat": lambda: quantity * price.unit_price,
        "per_seat": lambda: quantity * price.unit_price,
        "tiered": lambda: _graduated(price.tiers, quantity),
        "volume": lambda: _by_volume(price.tiers, quantity),
        "package": lambda: -(-quantity // price.package) * price.unit_price,
    }[price.model]()
    return major * 10**exponent


def items_on(contract: Contract, rules: Rules, day: date) -> tuple[Item, ...]:
    """Items as they stand on a day, all changes that act by then made; whether an item covers the day is not asked."""
    items = contract.items
    for change in sorted(contract.changes, key=lambda c: c.first_day):
        if change.first_day <= day:
            items = tuple(_changed(item, change, rules) for item in items)
    return items


def covers(item: Item, day: date) -> bool:
    """Whether the item is on the contract that day; its last day still counts (I7)."""
    return (item.first_day is None or item.first_day <= day) and (item.last_day is None or day <= item.last_day)


def _changed(item: Item, change: Change, rules: Rules) -> Item:
    if change.kind == "uplift" and change.percent is not None and item.kind != "usage":
        return replace(item, price=_raised(item.price, change.percent, rules.uplift_decimals))
    if item.kind != "base":
        return item
    if change.kind in ("downgrade", "upgrade") and change.new_product and change.new_price:
        return replace(item, product=change.new_product, price=change.new_price)
    if change.kind == "ramp":
        price = item.price if change.new_price is None else change.new_price
        return replace(
            item, quantity=item.quantity if change.new_quantity is None else change.new_quantity, price=price
        )
    return item


def _raised(price: Price, percent: Fraction, decimals: int) -> Price:
    def more(old: Fraction) -> Fraction:
        return Fraction(whole(old * (100 + percent) / 100 * 10**decimals, "half_up"), 10**decimals)

    tiers = tuple(replace(tier, unit_price=more(tier.unit_price), fee=more(tier.fee)) for tier in price.tiers)
    return replace(price, unit_price=more(price.unit_price), tiers=tiers)


def _graduated(tiers: Iterable[Tier], quantity: int | Fraction) -> Fraction:
    """Each tier's own units at its own price, and its fee where it has any; a quantity that exactly meets a boundary is
    still in the lower tier."""
    tiers = tuple(tiers)
    bounds = [0, *(quantity if t.up_to is None else min(t.up_to, quantity) for t in tiers)]
    own = ((high - low, t) for (low, high), t in zip(pairwise(bounds), tiers, strict=True))
    return sum((units * t.unit_price + t.fee for units, t in own if units > 0), Fraction(0))


def _by_volume(tiers: Iterable[Tier], quantity: int | Fraction) -> Fraction:
    """All units at the price of the tier that the last of them is in, and its fee."""
    if not quantity:
        return Fraction(0)
    tier = next(t for t in tiers if t.up_to is None or quantity <= t.up_to)
    return quantity * tier.unit_price + tier.fee
