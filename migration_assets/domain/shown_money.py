"""Money as people read it: in major units of its currency, exact, with the decimals that it has.

Minor units may be broken (a sum that nobody has rounded yet), and a code may be no currency: then nobody knows what a
minor unit is, and they are shown as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from migration_assets.domain.money import MoneyError, exponent_of, written


class Amount(str):
    """A number that is written already, and stands right."""


def in_major(minor: Decimal | int, currency: str | None, overrides: Mapping[str, int]) -> Decimal | None:
    """The exact amount in major units; None where there is no such currency. `overrides`: exponents the plan names."""
    places = _places(currency, overrides)
    if places is None:
        return None
    sign, digits, power = Decimal(minor).as_tuple()
    return Decimal((sign, digits, int(power) - places))


def shown_amount(minor: Decimal | int, currency: str | None, overrides: Mapping[str, int]) -> Amount:
    """Such as `1,234.50`: every decimal that the currency has, more only where a minor unit is broken."""
    major, places = in_major(minor, currency, overrides), _places(currency, overrides)
    if major is None or places is None:
        return Amount(f"{written(minor)} minor units")
    whole, _, part = f"{major:,f}".partition(".")
    decimals = part.rstrip("0").ljust(places, "0")
    return Amount(f"{whole}.{decimals}" if decimals else whole)


def named_amount(minor: Decimal | int, currency: str | None, overrides: Mapping[str, int]) -> Amount:
    """The same with its currency: `1,234.50 EUR`."""
    return Amount(" ".join(filter(None, (shown_amount(minor, currency, overrides), currency))))


def _places(currency: str | None, overrides: Mapping[str, int]) -> int | None:
    try:
        return exponent_of(currency or "", overrides)
    except MoneyError:
        return None
