"""Tax by place of supply and tax point: the rate of the service country that holds on the day the cycle starts (I18).

It is looked up for each invoice and never frozen on the subscription. Without a country there is no invoice.
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from migration_assets.domain.calendar import local_day
from migration_assets.domain.target.terms import Subscription


class NoTaxRate(ValueError):
    """No place of supply, or no rate for it at the tax point; the message names the country only."""


def rate(subscription: Subscription, tax_point: datetime) -> Fraction:
    """The rate as a fraction of the net price."""
    if subscription.tax_exempt:
        return Fraction(0)
    held = [r for r in subscription.tax_rates if r.country == subscription.service_country]
    day = local_day(tax_point, subscription.time_zone)
    valid = sorted((r for r in held if r.valid_from <= day), key=lambda r: r.valid_from)
    if not valid:
        raise NoTaxRate(f"no tax rate for {subscription.service_country or 'a missing country'} at the tax point")
    return valid[-1].percent / 100


def tax_of(price: Fraction, tax_rate: Fraction, inclusive: bool) -> Fraction:
    """Tax of a price, which holds it when inclusive and comes before it otherwise."""
    return price - price / (1 + tax_rate) if inclusive else price * tax_rate
