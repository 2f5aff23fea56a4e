"""Tax of the old system: the standard rate of the country of service on the day of issue (I18).

Where prices contain tax it is taken out of them, rate / (100 + rate) of the price; otherwise it comes on top. An exempt
contract has none. A missing country is no zero rate: such an invoice cannot be made.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from migration_assets.domain.legacy.terms import Contract


class TaxUnknown(ValueError):
    """The country of service is missing or has no rate on the day of issue; the message names the country only."""


def percent_on(contract: Contract, issued_on: date) -> Fraction:
    """Percent for an invoice issued on that day."""
    if contract.tax_exempt:
        return Fraction(0)
    known = [r for r in contract.tax_rates if r.country == contract.service_country and r.first_day <= issued_on]
    if not known:
        raise TaxUnknown(f"no tax rate for {contract.service_country or 'a contract without a country'} on that day")
    return max(known, key=lambda r: r.first_day).percent


def tax_within(gross: Fraction, percent: Fraction) -> Fraction:
    """Tax that a price which contains it holds."""
    return gross * percent / (100 + percent)


def tax_upon(net: Fraction, percent: Fraction) -> Fraction:
    """Tax that comes on top of a price without it."""
    return net * percent / 100
