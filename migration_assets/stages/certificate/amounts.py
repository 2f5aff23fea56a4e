"""Amounts, answers and times of a certificate in words: major units with the digits of their currency."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from migration_assets.domain.money import to_major


def amount_of(minor: int, currency: str, exponents: Mapping[str, int]) -> str:
    """As `1,234.50`. `exponents`: decimals of every currency at hand."""
    return f"{to_major(minor, currency, exponents):,f}"


def signed_amount_of(minor: int, currency: str, exponents: Mapping[str, int]) -> str:
    """With its sign, as `+0.01`; `0.00` has none."""
    return ("+" if minor > 0 else "") + amount_of(minor, currency, exponents)


def answer_in_words(answer: Mapping[str, Any] | None, feature: Mapping[str, Any]) -> str:
    """What an answer of access says: `up to 5 seat`, `without limit`, `not allowed`, or that nothing is said.

    `feature`: its `unit`, in which limits are told, and the catalog's other `units` with their factors.
    """
    if answer is None or answer["allowed"] is None:
        return "nothing"
    if not answer["allowed"]:
        return "not allowed"
    if answer["limit"] is None:
        return "allowed" if feature["unit"] is None else "without limit"
    past = {"block": "", "none": "", "bill": ", more is billed", "grace": ", more in grace"}[answer["overage"]]
    return f"up to {limit_in_words(answer['limit'], feature)}" + past


def limit_in_words(limit: str, feature: Mapping[str, Any]) -> str:
    """A limit in the largest unit of the catalog in which it is a whole number, such as `10 GB` for ten milliards of
    bytes; the same limit, not a rounded one."""
    amount = Fraction(limit)
    fitting = [
        (Fraction(factor), name)
        for name, factor in feature.get("units", {}).items()
        if amount and Fraction(factor) > 1 and (amount / Fraction(factor)).denominator == 1
    ]
    if not fitting:
        return f"{_in_thousands(limit)} {feature['unit'] or ''}".rstrip()
    factor, name = max(fitting)
    return f"{int(amount / factor):,} {name}"


def when_in_words(span: Mapping[str, Any], first: str, last: str) -> str:
    """When a span begins and ends, within `first` and `last`: nothing where it is all of it."""
    begins = "" if span["starts_at"] == first else f" from {moment(span['starts_at'])}"
    ends = "" if span["ends_at"] in (None, last) else f" until {moment(span['ends_at'])}"
    return begins + ends


def moment(instant: str | None) -> str:
    """An instant in UTC, its time left out at midnight; `-` for none."""
    if instant is None:
        return "-"
    day, _, time = instant.rstrip("Z").partition("T")
    return day if time.startswith("00:00:00") else f"{day} {time[:5]}"


def _in_thousands(number: str) -> str:
    whole, point, rest = number.partition(".")
    return f"{int(whole):,}{point}{rest}"
