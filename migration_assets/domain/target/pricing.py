"""What the new platform charges for an item in a whole cycle, exact, in minor units.

The price on the item is the contracted one and stays (I10); only a scheduled change replaces it, for cycles that start
at or after it takes effect (I31).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from functools import reduce

from migration_assets.domain.money import whole
from migration_assets.domain.target.terms import Price, Rules, ScheduledChange, Subscription, SubscriptionItem


def charge(price: Price, quantity: int | Fraction, exponent: int) -> Fraction:
    """Minor units of `quantity` units for one cycle (I12). A step's fee is charged once a unit is past its `over`."""
    if price.model in ("flat", "per_seat"):
        major = price.unit_price * quantity
    elif price.model == "tiered":
        # Every step adds what its units cost more (or less) than they would have by the step before.
        prices = [step.unit_price for step in price.steps]
        more = [now - then for now, then in zip(prices, [Fraction(0), *prices], strict=False)]
        major = sum((max(quantity - s.over, 0) * d for s, d in zip(price.steps, more, strict=True)), Fraction(0))
        major += sum(step.fee for step in price.steps if quantity > step.over)
    elif price.model == "volume":
        reached = [step for step in price.steps if quantity > step.over]
        major = reached[-1].unit_price * quantity + reached[-1].fee if reached else Fraction(0)
    else:
        full, begun = divmod(quantity, price.package_size)
        major = price.unit_price * (full + (begun > 0))
    return major * 10**exponent


def items_at(subscription: Subscription, rules: Rules, instant: datetime) -> tuple[SubscriptionItem, ...]:
    """All items, as scheduled changes have left them by an instant; whether they are there then is not asked."""
    due = [c for c in subscription.scheduled_changes if c.effective_at <= instant]
    in_order = sorted(due, key=lambda c: c.effective_at)
    return tuple(reduce(lambda i, change: _after(i, change, rules), in_order, i) for i in subscription.items)


def is_there(item: SubscriptionItem, instant: datetime) -> bool:
    """Whether the item is on its subscription at an instant; the end does not belong to it."""
    return (item.starts_at or instant) <= instant and (item.ends_at is None or instant < item.ends_at)


def _after(item: SubscriptionItem, change: ScheduledChange, rules: Rules) -> SubscriptionItem:
    """The item after one change; only an uplift touches anything but the base item, and nothing touches usage."""
    match change.kind, item.kind:
        case "uplift", "base" | "add_on" if change.percent is not None:
            return replace(item, price=_uplifted(item.price, change.percent, rules.price_decimals))
        case "downgrade" | "upgrade", "base" if change.new_price is not None:
            return replace(item, price=change.new_price)
        case "ramp", "base":
            return replace(
                item,
                quantity=item.quantity if change.new_quantity is None else change.new_quantity,
                price=change.new_price or item.price,
            )
        case _:
            return item


def _uplifted(price: Price, percent: Fraction, decimals: int) -> Price:
    def rounded(unit_price: Fraction) -> Fraction:
        unit = 10**decimals
        return Fraction(whole(unit_price * unit * (1 + percent / 100), "half_up"), unit)

    steps = tuple(replace(s, unit_price=rounded(s.unit_price), fee=rounded(s.fee)) for s in price.steps)
    return replace(price, unit_price=rounded(price.unit_price), steps=steps)
