"""Rules that copy, choose, join and tidy text. Nothing here knows what the text means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from migration_assets.engine.predicates import holds
from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.outcome import (
    Cleaned,
    Cleaner,
    Context,
    Outcome,
    Texts,
    present,
    present_or_null,
    rendered,
    stripped,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

NOT_TEXT = Cleaned(error="not_text")

# Format characters that are seen (Arabic number signs and the like), though Unicode files them with invisible ones.
_SEEN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
# Joiners spell words in Arabic and Indic scripts; anywhere else they are invisible noise.
_JOINERS = "\u200c\u200d"
_STRAY_JOINER = re.compile(f"(?<![\u0600-\u10ff])[{_JOINERS}]|[{_JOINERS}](?![\u0600-\u10ff])")
# Printable ASCII with single inner spaces: NFC, nothing invisible, nothing to trim.
TIDY_ASCII = r"^[!-~]+( [!-~]+)*\z"
# The same with the accented letters of Latin-1 and Latin Extended-A, each one character, and without the soft hyphen.
_LATIN = "[!-~\u00a1-\u00ac\u00ae-\u017f]"
TIDY_LATIN = f"^{_LATIN}+( {_LATIN}+)*\\z"


def copy(columns: Sequence[ir.Value], _: a.Arguments, __: Context) -> Outcome:
    """The present value, untouched."""
    return Outcome(present_or_null(columns[0]))


def constant(_: Sequence[ir.Value], arguments: a.Constant, __: Context) -> Outcome:
    """The value of the plan, in its own type."""
    import ibis

    return Outcome(ibis.literal(arguments.value))


def trim(columns: Sequence[ir.Value], _: a.Arguments, __: Context) -> Outcome:
    """Text without white space at its ends."""
    text = rendered(columns[0])
    return Outcome(present_or_null(stripped(text)))


def coalesce(columns: Sequence[ir.Value], _: a.Arguments, __: Context) -> Outcome:
    """The first present value; columns of different types are taken as text."""
    import ibis

    same = len({c.type() for c in columns}) == 1
    return Outcome(ibis.coalesce(*(present_or_null(c if same else rendered(c)) for c in columns)))


def join(columns: Sequence[ir.Value], arguments: a.Join, _: Context) -> Outcome:
    """Trimmed texts of the present columns with the separator between them."""
    import ibis

    joined: ir.StringValue | None = None
    for column in columns:
        text = present_or_null(stripped(rendered(column)))
        # A null on either side of the separator makes it null, and coalesce then takes the side that is there.
        joined = text if joined is None else ibis.coalesce(joined + arguments.separator + text, joined, text)
    return Outcome(joined)


def split(columns: Sequence[ir.Value], arguments: a.Split, _: Context) -> Outcome:
    """The asked part, trimmed; missing when the text has fewer parts."""
    import ibis

    parts = rendered(present_or_null(columns[0])).split(arguments.separator)
    index = ibis.literal(arguments.part - 1) if arguments.part > 0 else parts.length() + arguments.part
    inside = (index >= 0) & (index < parts.length())
    return Outcome(present_or_null(stripped(inside.ifelse(parts[index], ibis.null("string")))))


def extract(columns: Sequence[ir.Value], arguments: a.Extract, _: Context) -> Outcome:
    """The group of the first match, trimmed; missing without one."""
    found = rendered(present_or_null(columns[0])).re_extract(arguments.pattern, arguments.group)
    return Outcome(present_or_null(stripped(found)))


def default(columns: Sequence[ir.Value], arguments: a.Default, context: Context) -> Outcome:
    """The column where present; the default where blank and `if` holds; an error where blank and it does not."""
    import ibis

    column, blank = columns[0], ~present(columns[0])
    allowed = holds(context.table, arguments.conditions)
    value = ibis.coalesce(
        present_or_null(rendered(column)),
        (blank & allowed).ifelse(_plain(arguments.value), ibis.null("string")),
    )
    error = (blank & ~allowed).ifelse("blank_not_allowed", ibis.null("string"))
    return Outcome(value, error, defaulted=blank & allowed)


def _plain(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def case(arguments: a.Case, _: Context) -> Cleaner:
    """Upper, lower or title case by Unicode's default rules."""
    change = {"upper": str.upper, "lower": str.lower, "title": title_case}[arguments.to]
    same = {"upper": r"^[ -`{-~]*\z", "lower": r"^[ -@\[-~]*\z", "title": None}[arguments.to]

    def changed(text: str) -> str:
        # Before as well: what is one letter or two must not depend on how it was typed.
        return unicodedata.normalize("NFC", change(unicodedata.normalize("NFC", text)))

    return Cleaner(lambda texts: checked(texts, changed), unchanged=same)


def title_case(text: str) -> str:
    """First letter of each word upper, the rest lower; an apostrophe does not begin a word."""
    return re.sub(r"[^\W\d_](?:[^\W_]|[\u0300-\u036f'’])*", lambda m: _capital(m[0]), text)


def _capital(word: str) -> str:
    # A modifier letter (the okina of Hawaiian names) has no case; the letter after it begins the word.
    at = next((i for i, c in enumerate(word) if unicodedata.category(c) != "Lm"), 0)
    return word[:at] + word[at : at + 1].title() + word[at + 1 :].lower()


def text(_: a.Arguments, __: Context) -> Cleaner:
    """Tidy text; see `tidy`."""
    return Cleaner(lambda texts: checked(texts, tidy), unchanged=TIDY_LATIN)


def repair(_: a.Arguments, __: Context) -> Cleaner:
    """Repaired and tidy text; see `restored`."""
    return Cleaner(lambda texts: checked(texts, restored), unchanged=TIDY_ASCII)


def is_text(value: str) -> bool:
    """Whether the value can be written as UTF-8 at all; a lone surrogate cannot."""
    return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)


def checked(texts: Texts, change: object) -> Cleaned:
    """The changed first text, missing when nothing is left; an error for what is not text."""
    given = texts[0]
    if given is None:
        return Cleaned()
    if not is_text(given):
        return NOT_TEXT
    return Cleaned(change(given) or None)  # type: ignore[operator]


@cache
def _invisible() -> re.Pattern[str]:
    # No format or control character lies outside these ranges.
    codes = (chr(c) for c in (*range(0x20000), *range(0xE0000, 0xE0100)))
    gone = [
        c
        for c in codes
        if unicodedata.category(c) in ("Cf", "Cc") and not c.isspace() and c not in _SEEN_FORMATS and c not in _JOINERS
    ]
    return re.compile(f"[{''.join(re.escape(c) for c in gone)}]")


def tidy(value: str) -> str:
    """NFC, invisible characters out, runs of white space as one space, trimmed. Idempotent."""
    seen = value if value.isascii() and value.isprintable() else _STRAY_JOINER.sub("", _invisible().sub("", value))
    return " ".join(unicodedata.normalize("NFC", seen).split())


def restored(value: str) -> str:
    """Repaired, then tidy, until neither finds anything: an invisible character that goes can bring wrongly decoded
    ones together. Idempotent."""
    before, after = "", value
    while after != before:
        before, after = after, tidy(repaired(after))
    return after


def repaired(value: str) -> str:
    """Text that was decoded with the wrong codec, as it was meant; unchanged unless the way back gives it again."""
    import ftfy

    fixed, steps = ftfy.fix_encoding_and_explain(value)
    return fixed if steps and _goes_back(fixed, value, [(s.action, s.parameter) for s in steps]) else value


def _goes_back(fixed: str, value: str, steps: Sequence[tuple[str, str]]) -> bool:
    raw: str | bytes = fixed
    for action, codec in reversed(steps):
        try:
            if action == "decode" and isinstance(raw, str):
                raw = raw.encode(codec)
            elif action == "encode" and isinstance(raw, bytes):
                raw = raw.decode(codec)
            else:
                return False
        except (UnicodeError, LookupError):
            return False
    return raw == value
