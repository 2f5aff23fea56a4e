"""Money as whole minor units: ISO 4217 exponents and exact conversion between major and minor units.

Belongs here: integers, `Decimal`, exact fractions and the facts about currencies, and how a fraction of a minor unit
becomes whole ones. Not here: floats (refused), reading numbers out of text, exchange rates, what is billed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Literal

Rounding = Literal["refuse", "half_up", "half_even"]
# How a billing system makes whole minor units; `up` is away from zero, `down` towards it, as is `half_down` on a tie.
InvoiceRounding = Literal["half_up", "half_down", "half_even", "up", "down"]

# ISO 4217 list one, codes with a minor unit, and BGN, which older invoices are in (a plan can add others). Funds and
# metals without one (XAU, XDR, XXX ...) cannot hold minor units.
_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF "
        "CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG "
        "HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
        "MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD "
        "SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD "
        "XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: Mapping[str, int] = {code: n for n, codes in _BY_EXPONENT.items() for code in codes.split()}
NO_OVERRIDES: Mapping[str, int] = {}

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
# More digits than this never fit, and integers of unbounded size would let one crafted value use up the machine.
_MOST_DIGITS = 200


class MoneyError(ValueError):
    """An amount that cannot be money as asked. `reason` is a code; the message names no amount."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def exponent_of(currency: str, overrides: Mapping[str, int] = NO_OVERRIDES) -> int:
    """Decimal places of the currency's minor unit: the plan's override, else ISO 4217; MoneyError if neither knows."""
    found = overrides.get(currency, EXPONENTS.get(currency))
    if found is None:
        raise MoneyError("unknown_currency", f"{currency!r} is no ISO 4217 currency with a minor unit")
    return found


def to_minor(
    amount: Decimal | int,
    currency: str,
    rounding: Rounding = "refuse",
    overrides: Mapping[str, int] = NO_OVERRIDES,
) -> int:
    """Whole minor units of an amount in major units, exact unless a rounding is named.

    MoneyError `not_finite`, `not_whole_minor_units` (a fraction is left and rounding is `refuse`) or `out_of_range`
    (outside 64 bits).
    """
    return scaled(amount, exponent_of(currency, overrides), rounding)


def scaled(amount: Decimal | int, exponent: int, rounding: Rounding = "refuse") -> int:
    """amount * 10**exponent as a whole number, by integer arithmetic only."""
    sign, digits, power = _parts(amount)
    power += exponent
    if power >= 0:
        return _in_range(sign * digits * 10**power)
    whole, rest = divmod(digits, 10**-power)
    if rest and rounding == "refuse":
        raise MoneyError("not_whole_minor_units", "the amount has more decimals than its currency")
    return _in_range(sign * (whole + _carry(whole, rest * 2, 10**-power, rounding)))


def _parts(amount: Decimal | int) -> tuple[int, int, int]:
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int):
        raise TypeError("money is made of Decimal or int, never of a float")
    number = Decimal(amount) if isinstance(amount, int) else amount
    if not number.is_finite():
        raise MoneyError("not_finite", "NaN and Infinity are no amounts")
    sign, digits, power = number.as_tuple()
    if len(digits) + abs(int(power)) > _MOST_DIGITS:
        raise MoneyError("out_of_range", "the amount has too many digits")
    return (-1 if sign else 1), int("".join(map(str, digits)) or "0"), int(power)


def _carry(whole: int, twice_rest: int, unit: int, rounding: Rounding) -> int:
    """1 when the magnitude rounds away from zero. half_up is away from zero on a tie, as on invoices."""
    if twice_rest == unit:
        return 1 if rounding == "half_up" else whole % 2
    return int(twice_rest > unit)


def _in_range(minor: int) -> int:
    if not INT64_MIN <= minor <= INT64_MAX:
        raise MoneyError("out_of_range", "the amount does not fit 64 bits of minor units")
    return minor


def whole(amount: Fraction | int, rounding: InvoiceRounding) -> int:
    """Whole minor units of an exact amount in minor units; the sign plays no part, so a credit mirrors its charge."""
    exact = Fraction(amount)
    size, rest = divmod(abs(exact.numerator), exact.denominator)
    twice = 2 * rest - exact.denominator
    up = {
        "half_up": twice >= 0,
        "half_down": twice > 0,
        "half_even": twice > 0 or (twice == 0 and size % 2 == 1),
        "up": rest > 0,
        "down": False,
    }[rounding]
    return _in_range((size + up) * (-1 if exact < 0 else 1))


def whole_together(amounts: Sequence[Fraction], rounding: InvoiceRounding) -> tuple[int, ...]:
    """Whole minor units of each amount, so that they add up to the rounded sum of all: what a system that rounds per
    invoice prints on its lines. Each one is how far the rounded running sum moves."""
    sums = [whole(total, rounding) for total in accumulate(amounts, initial=Fraction(0))]
    return tuple(after - before for before, after in pairwise(sums))


def to_major(minor: int, currency: str, overrides: Mapping[str, int] = NO_OVERRIDES) -> Decimal:
    """The amount in major units, exact, with as many decimals as the currency has."""
    if isinstance(minor, bool) or not isinstance(minor, int):
        raise TypeError("minor units are a whole number")
    digits = tuple(int(d) for d in str(abs(minor)))
    return Decimal((int(minor < 0), digits, -exponent_of(currency, overrides)))


def written(amount: Decimal | int) -> str:
    """An amount for people: exact, thousands apart, and no zeros after the last digit that counts."""
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
