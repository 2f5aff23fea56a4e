"""What rules take and give, and the few expressions all of them need: text form, blank, present.

White space is Python's `str.isspace` set, spelled out: engines disagree on what a regular expression's `\\s` is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from migration_assets.domain.canonical.model import Field

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.api import Engine

WHITE_SPACE = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"

# Reason of a lookup whose target is `-`: not an error, but a value that is not there on purpose.
NO_VALUE = "-"

Natural = Literal["text", "integer", "decimal", "date", "instant", "boolean"]


@dataclass(frozen=True)
class Context:
    """What a rule may know beside its columns and arguments.

    `table` is the source with its pseudo-columns. `typed`: the first column is no text, so its text form is the
    engine's own (a point, no grouping), whatever the arguments say about text. `learned`: what the rule found out by
    looking at the whole column (`Rule.learns`), the same for every slice of it.
    """

    field: Field
    as_of: datetime
    codes: Mapping[str, Mapping[str, str]]
    exponents: Mapping[str, int]
    table: Any = None
    typed: bool = False
    learned: Any = None


@dataclass(frozen=True)
class Outcome:
    """A value, why there is none (null: no error), whether a default stands in, and what it was rounded from and how
    (null: it is exact)."""

    value: ir.Value
    error: ir.StringValue | None = None
    defaulted: ir.BooleanValue | None = None
    exact: ir.StringValue | None = None
    rounding: ir.StringValue | None = None


class Cleaned(NamedTuple):
    """One distinct input's value, or the reason why it cannot be mended. Both None: missing."""

    value: Any = None
    error: str | None = None


class Rounded(NamedTuple):
    """What a value was before it was rounded, in the value's own unit, and how it was rounded."""

    exact: str
    rounding: str


Texts = tuple[str | None, ...]


class Remark(NamedTuple):
    """What people should know of a value that stays; `suggested` is what it may have been meant to be."""

    reason: str
    suggested: str | None = None


# For the rule's columns: which rows an expression answers, and with what. It has to answer as the function would.
Shortcut = Callable[[Sequence[Any]], tuple[Any, Any]]


@dataclass(frozen=True)
class Cleaner:
    """A pure function over the distinct inputs of a rule, each column as text.

    `gives`: type of its values. `unchanged`: a pattern (RE2 and Java alike) of single-column text that the function
    gives back as it is; such values never reach Python, unless they are `suspected`. `shortcut`: looks at the rows once
    and may give a Shortcut, for values that are too many to be asked one by one. `noted`: a changed value is a cleaned
    one. `remark`: asked for each input and its answer; what it says is noted, and the value stays. `in_bulk`: may
    answer many distinct inputs (`k0`, `k1`, ...) of text at once: the inputs with `_covered`, and `_answer` for those;
    none that is an error or remarked on. `rounded`: of a function that may round, what it rounded the input to the
    given value from; None when that is exact.
    """

    clean: Callable[[Texts], Cleaned]
    gives: Natural = "text"
    unchanged: str | None = None
    shortcut: Callable[[Engine, Any, Sequence[Any]], Shortcut | None] | None = None
    noted: bool = True
    remark: Callable[[Texts, Cleaned], Remark | None] | None = None
    suspected: Callable[[Any], Any] | None = None
    in_bulk: Callable[[Engine, Any], Any | None] | None = None
    rounded: Callable[[Texts, Any], Rounded | None] | None = None


def rendered(value: ir.Value) -> ir.StringValue:
    """Any raw value as plain text: no exponents, trailing zeros as stored, ISO dates, `true` and `false`."""
    return value if value.type().is_string() else value.cast("string")


def stripped(text: ir.StringValue) -> ir.StringValue:
    """Text without white space at either end."""
    return text.re_replace(f"^[{WHITE_SPACE}]+|[{WHITE_SPACE}]+$", "")


def present(value: ir.Value) -> ir.BooleanValue:
    """Not missing: not null, and for text not blank. Never null."""
    if not value.type().is_string():
        return value.notnull()
    # Most text begins with a letter or digit, and telling that is cheaper than any pattern.
    plain = (value >= "!") & (value < "\x7f")
    return plain.ifelse(True, value.re_search(f"[^{WHITE_SPACE}]")).fill_null(False)


def present_or_null(value: ir.Value) -> ir.Value:
    """The value, with blank text as null."""
    return present(value).ifelse(value, null_like(value)) if value.type().is_string() else value


def null_like(value: ir.Value) -> ir.Value:
    """A null of the value's type."""
    import ibis

    return ibis.null(value.type())


def any_present(columns: Sequence[ir.Value]) -> ir.BooleanValue:
    """Whether at least one of the columns is present."""
    import ibis

    return ibis.or_(*(present(c) for c in columns)) if columns else ibis.literal(True)


def joined(columns: Sequence[ir.Value], separator: str) -> ir.StringValue:
    """Text of all columns with the separator between them; a missing one is empty."""
    import ibis

    texts = [rendered(c).fill_null("") for c in columns]
    if len(texts) == 1:
        return texts[0]
    return ibis.literal(separator).join(texts)
