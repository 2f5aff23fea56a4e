"""Rules that read exact numbers. No float is made on the way, and nothing is rounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context, Outcome, Texts, present_or_null

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Longer than any number a field can hold; guards Python's integers against crafted input.
MOST_CHARACTERS = 100
_PLACES = 8
_UNSCALED_LIMIT = 10**28


def integer(columns: Sequence[ir.Value], _: a.Arguments, __: Context) -> Outcome:
    """The present value; fitting it to the field refuses what is not whole."""
    return Outcome(present_or_null(columns[0]))


def decimal_expression(columns: Sequence[ir.Value], arguments: a.DecimalText, _: Context) -> Outcome | None:
    """Typed numbers and plainly written text need no Python: fitting them is exact."""
    plain = arguments.decimal_separator == "." and not arguments.grouping_separator
    return Outcome(present_or_null(columns[0])) if plain or not columns[0].type().is_string() else None


def decimal(arguments: a.DecimalText, __: Context) -> Cleaner:
    """Text with its own separators to an exact decimal."""
    read = number_reader(arguments)

    def clean(texts: Texts) -> Cleaned:
        number = read(texts[0] or "")
        return Cleaned(error="not_a_number") if number is None else as_decimal(Fraction(number))

    return Cleaner(clean, gives="decimal")


def number_reader(arguments: a.DecimalText) -> Callable[[str], Decimal | None]:
    """Text to a finite decimal, or None. Groups have to stand where groups stand: `1.2.3` is a version, no number."""
    point, group = re.escape(arguments.decimal_separator), re.escape(arguments.grouping_separator)
    # A blank as separator may be written as any of the blanks people and spreadsheets use for it.
    group = "[ \xa0\u202f\u2009]" if arguments.grouping_separator in tuple(" \xa0\u202f\u2009") else group
    grouped = f"[0-9]{{1,3}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}" if group else "[0-9]+"
    whole = f"(?P<whole>{grouped}|[0-9]+)?"
    shape = re.compile(f"(?P<sign>[+-]?){whole}(?:{point}(?P<part>[0-9]*))?")

    def read(text: str) -> Decimal | None:
        text = text.strip()
        found = shape.fullmatch(text) if len(text) <= MOST_CHARACTERS else None
        if found is None or not (found["whole"] or found["part"]):
            return None
        digits = re.sub("[^0-9]", "", found["whole"] or "0")
        return Decimal(f"{found['sign']}{digits}.{found['part'] or '0'}")

    return read


def as_decimal(number: Fraction) -> Cleaned:
    """The number as decimal(28, 8), exact, or why it is not one."""
    unscaled = number * 10**_PLACES
    if unscaled.denominator != 1:
        return Cleaned(error="not_exact")
    if abs(unscaled.numerator) >= _UNSCALED_LIMIT:
        return Cleaned(error="out_of_range")
    digits = tuple(int(d) for d in str(abs(unscaled.numerator)))
    return Cleaned(Decimal((int(unscaled < 0), digits, -_PLACES)))


def quantity(arguments: a.Quantity, _: Context) -> Cleaner:
    """Amount and unit to the canonical unit; without a unit column or argument the amount is in it already."""
    factors = arguments.exact_factors
    read = number_reader(a.DecimalText())

    def clean(texts: Texts) -> Cleaned:
        unit = (texts[1] or "").strip() if len(texts) == 2 else arguments.unit or arguments.to
        number = read(texts[0] or "")
        if number is None:
            return Cleaned(error="not_a_number")
        if unit not in factors:
            return Cleaned(error="unknown_unit" if unit else "unit_missing")
        return as_decimal(Fraction(number) * factors[unit])

    return Cleaner(clean, gives="decimal")
