"""Rules that make amounts: to whole minor units, and a line's own out of quantity, price and discount.

The arithmetic of minor units is `domain.money`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from migration_assets.domain.canonical.model import Field
from migration_assets.domain.errors import BadInput
from migration_assets.domain.money import EXPONENTS, MoneyError, Rounding, exponent_of, scaled
from migration_assets.engine.fitting import fit
from migration_assets.engine.predicates import holds
from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.numbers import as_decimal, number_reader
from migration_assets.engine.rules.outcome import (
    Cleaned,
    Cleaner,
    Context,
    Outcome,
    Rounded,
    Shortcut,
    Texts,
    present,
    present_or_null,
    rendered,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.api import Engine

_AMOUNT = Field("amount", "decimal", "An amount on its way to minor units.")


def money_expression(columns: Sequence[ir.Value], arguments: a.Money, _: Context) -> Outcome | None:
    """Whole numbers that are minor units already are taken as they are, when no currency has to be looked at."""
    whole = columns[0].type().is_integer() and arguments.unit == "minor" and len(columns) == 1
    return Outcome(columns[0]) if whole else None


def money(arguments: a.Money, context: Context) -> Cleaner:
    """Amount (and currency) to minor units."""
    read = number_reader(a.DecimalText() if context.typed else arguments)

    def currency_of(texts: Texts) -> str:
        return (texts[1] or "").strip().upper() if len(texts) == 2 else arguments.currency or ""

    def clean(texts: Texts) -> Cleaned:
        number = read(texts[0] or "")
        if number is None:
            return Cleaned(error="not_a_number")
        if len(texts) == 2 and not currency_of(texts):
            return Cleaned(error="currency_missing")
        if arguments.unit == "minor":
            return _scaled(number, 0, arguments.rounding)
        return _in_minor_units(number, currency_of(texts), arguments.rounding, context.exponents)

    def rounded(texts: Texts, minor: int) -> Rounded | None:
        currency = currency_of(texts)
        places = exponent_of(currency, context.exponents) if arguments.unit == "major" else 0
        return _rounded(read(texts[0] or ""), places, minor, currency, arguments.rounding)

    plain = context.typed or (arguments.decimal_separator == "." and not arguments.grouping_separator)
    return Cleaner(
        clean,
        gives="integer",
        shortcut=_whole_amounts(arguments, context.exponents) if plain else None,
        rounded=None if arguments.rounding == "refuse" else rounded,
    )


def exact_line_amount(arguments: a.Line, _: Context) -> Cleaner:
    """Quantity times unit price less discount."""
    read = number_reader(arguments)
    return Cleaner(lambda texts: _line(texts, arguments, read), gives="decimal")


def line_amount(arguments: a.LineAmount, context: Context) -> Cleaner:
    """The same in minor units."""
    read = number_reader(arguments)

    def parts(texts: Texts) -> tuple[Cleaned, str]:
        exact = _line(texts[: arguments.factors], arguments, read)
        return exact, arguments.currency or (texts[-1] or "").strip().upper()

    def clean(texts: Texts) -> Cleaned:
        exact, currency = parts(texts)
        if exact.error or not currency:
            return Cleaned(error=exact.error or "currency_missing")
        return _in_minor_units(exact.value, currency, arguments.rounding, context.exponents)

    def rounded(texts: Texts, minor: int) -> Rounded | None:
        exact, currency = parts(texts)
        places = exponent_of(currency, context.exponents)
        return _rounded(exact.value, places, minor, currency, arguments.rounding)

    return Cleaner(clean, gives="integer", rounded=None if arguments.rounding == "refuse" else rounded)


def _line(texts: Texts, arguments: a.Line, read: Callable[[str], Decimal | None]) -> Cleaned:
    numbers = [read(text or "") for text in texts]
    if any(n is None for n in numbers):
        return Cleaned(error="not_a_number")
    quantity, price, *discount = (Fraction(n) for n in numbers if n is not None)
    whole = {"none": 1, "share": 1, "percent": 100}[arguments.discount]
    kept = 1 - discount[0] / whole if discount else Fraction(1)
    return as_decimal(quantity * price * kept)


def _in_minor_units(number: Decimal, currency: str, how: Rounding, exponents: Mapping[str, int]) -> Cleaned:
    try:
        return _scaled(number, exponent_of(currency, exponents), how)
    except MoneyError as error:
        return Cleaned(error=error.reason)


def _scaled(number: Decimal, places: int, how: Rounding) -> Cleaned:
    try:
        return Cleaned(scaled(number, places, how))
    except MoneyError as error:
        return Cleaned(error=error.reason)


def _rounded(number: Decimal | None, places: int, minor: int, currency: str, how: Rounding) -> Rounded | None:
    """The number in minor units, with all its digits, where `minor` is not that already."""
    # By digits alone: a context would round long numbers.
    sign, digits, power = (number or Decimal(minor)).as_tuple()
    exact = Decimal((sign, digits, int(power) + places))
    if number is None or exact == minor:
        return None
    # The currency belongs to it: what rounding made of amounts is never added up over several.
    return Rounded(f"{exact:f}", f"{how}, {currency}" if currency else how)


def _whole_amounts(
    arguments: a.Money, overrides: Mapping[str, int]
) -> Callable[[Engine, ir.Table, Sequence[ir.Value]], Shortcut | None]:
    """Amounts that are whole in minor units of a known currency need no rounding, so no Python: exact decimals do."""

    def look(engine: Engine, rows: ir.Table, columns: Sequence[ir.Value]) -> Shortcut:
        given = _currencies(engine, rows, columns[1]) if len(columns) == 2 else {arguments.currency or ""}
        places = {**EXPONENTS, **overrides}
        powers = {c: 10 ** places[c] if arguments.unit == "major" else 1 for c in sorted(given & places.keys())}
        if len(columns) == 1 and arguments.unit == "minor":
            powers = {"": 1}
        return lambda shown: _whole(shown, powers)

    return look


def _currencies(engine: Engine, rows: ir.Table, column: ir.Value) -> set[str]:
    # Only those the data really has: comparing each row with every currency of the world costs more than Python.
    found = engine.arrow(rows.select(currency=rendered(column)).distinct())
    return {c for c in found["currency"].to_pylist() if c}


def _whole(columns: Sequence[ir.Value], powers: Mapping[str, int]) -> tuple[ir.BooleanValue, ir.Value]:
    """Rows whose amount is whole in minor units, and that number. `powers`: minor units in one unit, by currency."""
    import ibis

    fixed = ibis.literal(next(iter(powers.values()), None), type="int64")
    by_row = [(columns[1] == code, power) for code, power in powers.items()] if len(columns) == 2 else []
    power = ibis.cases(*by_row, else_=ibis.null("int64")) if by_row else fixed
    product = fit(Outcome(present_or_null(columns[0])), _AMOUNT).value * power.cast("decimal(5, 0)")
    minor = product.try_cast("int64")
    return (minor.cast("decimal(33, 8)") == product).fill_null(False), minor


def with_default(outcome: Outcome, columns: Sequence[ir.Value], arguments: a.Money, context: Context) -> Outcome:
    """The outcome with the plan's own amount where the column is blank and `default_if` holds."""
    import ibis

    if arguments.default is None:
        return outcome
    blank, allowed = ~present(columns[0]), holds(context.table, arguments.default_if)
    refused = (blank & ~allowed).ifelse("blank_not_allowed", ibis.null("string"))
    amount = ibis.literal(_default_minor(arguments, context), type="int64")
    return replace(
        outcome,
        value=(blank & allowed).ifelse(amount, outcome.value),
        error=refused if outcome.error is None else ibis.coalesce(refused, outcome.error),
        defaulted=blank & allowed,
    )


def _default_minor(arguments: a.Money, context: Context) -> int:
    plain = arguments.model_copy(update={"decimal_separator": ".", "grouping_separator": ""})
    made = money(plain, context).clean((arguments.default,))
    if made.error is not None:
        raise BadInput(f"the default of {context.field.name} is no amount: {made.error}", "write one that fits")
    return int(made.value)
