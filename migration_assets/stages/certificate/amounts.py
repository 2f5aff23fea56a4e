"""Amounts, answers and times of a certificate in words: major units with the digits of their currency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migration_assets.domain.money import to_major


def amount_of(minor: int, currency: str, exponents: Mapping[str, int]) -> str:
    """As `1,234.50`. `exponents`: decimals of every currency at hand."""
    return f"{to_major(minor, currency, exponents):,f}"


def signed_amount_of(minor: int, currency: str, exponents: Mapping[str, int]) -> str:
    """With its sign, as `+0.01`; `0.00` has none."""
    return ("+" if minor > 0 else "") + amount_of(minor, currency, exponents)


def answer_in_words(answer: Mapping[str, Any] | None, unit: str | None) -> str:
    """What an answer of access says: `up to 5 seat`, `without limit`, `not allowed`, or that nothing is said."""
    if answer is None or answer["allowed"] is None:
        return "nothing"
    if not answer["allowed"]:
        return "not allowed"
    if answer["limit"] is None:
        return "allowed" if unit is None else "without limit"
    past = {"block": "", "none": "", "bill": ", more is billed", "grace": ", more in grace"}[answer["overage"]]
    return f"up to {_in_thousands(answer['limit'])} {unit or ''}".rstrip() + past


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
