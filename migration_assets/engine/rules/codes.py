"""Rules over closed lists of codes: code lists of the plan, booleans, currencies, tax numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from migration_assets.domain.errors import BadInput
from migration_assets.domain.money import EXPONENTS
from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.outcome import NO_VALUE, Cleaned, Cleaner, Context, Outcome, Texts
from migration_assets.engine.rules.text import NOT_TEXT, is_text

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.api import Engine

_TAX_SEPARATORS = re.compile(r"[\s\-‐‑‒–./_,·]+")


# What people type where there is no number, in capitals without separators: letters alone, nothing but noughts, another
# digit three times and more, digits counted up; also behind the letters of a country (`DE`, `ATU`, `CHE`).
_PLACEHOLDER = r"^([A-Z]+|[A-Z]{0,3}(0+|1{3,}|2{3,}|3{3,}|4{3,}|5{3,}|6{3,}|7{3,}|8{3,}|9{3,}|0?123456789|1234567890))$"


def lookup(arguments: a.Lookup, context: Context) -> Cleaner:
    """Code to target. Codes are compared exactly, then without white space at their ends."""
    if arguments.list not in context.codes:
        raise BadInput(f"there is no code list {arguments.list!r}", f"add codes/{arguments.list}.csv to the plan")
    targets = context.codes[arguments.list]

    def clean(texts: Texts) -> Cleaned:
        if not any(t and t.strip() for t in texts) and "" not in targets:
            return Cleaned()
        return _target(targets.get(_code(texts, targets)))

    return Cleaner(clean, noted=False)


def _code(texts: Texts, targets: object) -> str:
    exact = "=".join(t or "" for t in texts)
    trimmed = "=".join((t or "").strip() for t in texts)
    blank = not trimmed.strip("=") and not any((t or "").strip() for t in texts)
    if blank:
        return ""
    return exact if exact in targets else trimmed  # type: ignore[operator]


def _target(target: str | None) -> Cleaned:
    if target is None:
        return Cleaned(error="unknown_code")
    return Cleaned(error=NO_VALUE) if target == NO_VALUE else Cleaned(target)


def boolean_expression(columns: Sequence[ir.Value], _: a.Boolean, __: Context) -> Outcome | None:
    """Real booleans pass."""
    return Outcome(columns[0]) if columns[0].type().is_boolean() else None


def boolean(arguments: a.Boolean, _: Context) -> Cleaner:
    """Spelling to true or false."""
    spellings = arguments.spellings

    def clean(texts: Texts) -> Cleaned:
        flag = spellings.get((texts[0] or "").strip().lower())
        return Cleaned(error="not_a_boolean") if flag is None else Cleaned(flag)

    return Cleaner(clean, gives="boolean")


def currency(_: a.Arguments, context: Context) -> Cleaner:
    """ISO 4217 code that money can be kept in, the plan's own additions included."""

    def clean(texts: Texts) -> Cleaned:
        code = (texts[0] or "").strip().upper()
        known = code in EXPONENTS or code in context.exponents
        return Cleaned(code) if known else Cleaned(error="unknown_currency")

    return Cleaner(clean)


def tax_id(_: a.Arguments, __: Context) -> Cleaner:
    """Letters and digits in upper case. `&` stands in Mexican numbers, `+` and `*` in Irish ones. What holds the place
    of a number (no digit, one digit repeated, 123456789, also behind a country's letters) is none."""

    def clean(texts: Texts) -> Cleaned:
        given = texts[0] or ""
        if not is_text(given):
            return NOT_TEXT
        number = _TAX_SEPARATORS.sub("", given).upper()
        if not re.fullmatch(r"[^\W_&+*]([^\W_]|[&+*])*", number):
            return Cleaned(error="not_a_tax_id")
        no_digit = not any(c.isdigit() for c in number)
        return Cleaned(error="placeholder_tax_id") if no_digit or re.match(_PLACEHOLDER, number) else Cleaned(number)

    return Cleaner(clean, unchanged=r"^[A-Z0-9]{1,40}\z", suspected=_is_placeholder, in_bulk=_plain_tax_ids)


def _is_placeholder(text: ir.StringValue) -> ir.BooleanValue:
    return text.re_search(_PLACEHOLDER)


def _plain_tax_ids(_: Engine, inputs: ir.Table) -> ir.Table:
    """Numbers in ASCII with the usual separators."""
    found = inputs.mutate(_answer=inputs["k0"].re_replace("[ ./_,-]+", "").upper())
    return found.mutate(
        _covered=inputs["k0"].re_search(r"^[A-Za-z0-9 ./_,-]+\z")
        & (found["_answer"] != "")
        & ~_is_placeholder(found["_answer"])
    )
