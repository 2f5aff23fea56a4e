"""Kinds of streets in the writing of a country's post: what is short there, and what is written out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.address_forms import FORMS
from migration_assets.engine.rules.geography import in_country
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context

# The United States' and Canada's posts ask for the short form, the other English speaking ones for the long one.
_SHORT = {
    "Street": "St", "Str": "St", "Avenue": "Ave", "Av": "Ave", "Boulevard": "Blvd", "Road": "Rd", "Drive": "Dr",
    "Lane": "Ln", "Court": "Ct", "Place": "Pl", "Square": "Sq", "Parkway": "Pkwy", "Highway": "Hwy",
    "Terrace": "Ter", "Circle": "Cir", "Expressway": "Expy", "Freeway": "Fwy",
}  # fmt: skip
_LONG = {
    "St": "Street", "Str": "Street", "Ave": "Avenue", "Av": "Avenue", "Rd": "Road", "Ln": "Lane", "Sq": "Square",
    "Blvd": "Boulevard", "Cres": "Crescent", "Gdns": "Gardens", "Hwy": "Highway", "Tce": "Terrace", "Terr": "Terrace",
}  # fmt: skip
_LAST_WORD: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("US", "CA"), _SHORT),
    **dict.fromkeys(("GB", "IE", "AU", "NZ"), _LONG),
}
# In Romance languages the kind of street is the first word.
_FIRST_WORD: Mapping[str, Mapping[str, str]] = {
    "FR": {"Av": "Avenue", "Ave": "Avenue", "Bd": "Boulevard", "Bld": "Boulevard", "Blvd": "Boulevard", "Pl": "Place",
           "Rte": "Route", "Imp": "Impasse", "All": "Allée", "Ch": "Chemin", "Che": "Chemin", "Sq": "Square"},
    "ES": {"C/": "Calle", "Cl": "Calle", "Avda": "Avenida", "Av": "Avenida", "Pza": "Plaza", "Pl": "Plaza",
           "Pº": "Paseo", "Ctra": "Carretera"},
    "IT": {"V.le": "Viale", "P.zza": "Piazza", "P.za": "Piazza", "C.so": "Corso", "L.go": "Largo", "V.": "Via",
           "Str": "Strada"},
}  # fmt: skip
# Germanic languages write the kind at the end of the street's own word: Hauptstr., Berliner Str., Kerkstr.
_ENDINGS: Mapping[str, str] = {"DE": "straße", "AT": "straße", "CH": "strasse", "LI": "strasse", "NL": "straat"}
_STR = re.compile(r"(?P<name>\D*)(?P<kind>str)(?P<dot>\.?)", re.IGNORECASE)
# Between the street and the end of the line in English: a compass point, or a part of a house.
_BEHIND = re.compile(
    r"(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West|Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm|#\S*|[\w-]*\d[\w-]*)\.?",
    re.IGNORECASE,
)
_LONGEST = 400


def street(arguments: a.InCountry, _: Context) -> Cleaner:
    """Tidy text; the kind of street in the country's form. Other countries, and doubtful words, stay as they are."""
    return in_country(lambda line, country: Cleaned(street_line(line, country) or None), arguments.country)


def street_line(line: str, country: str | None) -> str:
    """One tidy line with its kind of street in the country's form."""
    if country is None or len(line) > _LONGEST:
        return line
    words = line.split(" ")
    if country in _LAST_WORD:
        return " ".join(_with_last(words, _LAST_WORD[country]))
    if country in _FIRST_WORD:
        return " ".join(_with_first(words, _FIRST_WORD[country], number_first=FORMS[country].number_first))
    if country in _ENDINGS:
        return " ".join(_with_ending(w, i, words, _ENDINGS[country]) for i, w in enumerate(words))
    return line


def _with_last(words: list[str], kinds: Mapping[str, str]) -> list[str]:
    """`Main Street` and `Main St. N Apt 5`; never the first words: `St James` is a saint."""
    at = len(words) - 1
    while at > 1 and _BEHIND.fullmatch(words[at].rstrip(",")):
        at -= 1
    if at < 1 or (at == 1 and not any(c.isalpha() for c in words[0])):
        return words
    return [*words[:at], _replaced(words[at], kinds), *words[at + 1 :]]


def _with_first(words: list[str], kinds: Mapping[str, str], *, number_first: bool) -> list[str]:
    at = 0
    while number_first and at < len(words) - 2 and (words[at][:1].isdigit() or words[at] in ("bis", "ter", ",")):
        at += 1
    return [*words[:at], _replaced(words[at], kinds), *words[at + 1 :]] if len(words) > at + 1 else words


def _replaced(word: str, kinds: Mapping[str, str]) -> str:
    """The country's form of the word in the word's own case, a comma behind it kept."""
    bare = word.rstrip(",")
    for form in (bare, bare.rstrip(".")):
        for kind, wanted in kinds.items():
            if form.lower() == kind.lower():
                shouted = form.isupper() and sum(c.isalpha() for c in form) > 1
                return (wanted.upper() if shouted else wanted) + word[len(bare) :]
    # The right form already, perhaps with a point: `St.`
    known = {v.lower() for v in kinds.values()}
    return bare.rstrip(".") + word[len(bare) :] if bare.rstrip(".").lower() in known else word


def _with_ending(word: str, at: int, words: list[str], ending: str) -> str:
    """`Hauptstr.` and `Berliner Str.`; `str` without a point only before a number."""
    found = _STR.fullmatch(word.rstrip(","))
    before_number = at + 1 < len(words) and words[at + 1][:1].isdigit()
    if found is None or (not found["dot"] and not before_number) or (not found["name"] and at == 0):
        return word
    kind = found["kind"]
    cased = ending.upper() if kind.isupper() else ending.capitalize() if kind[0].isupper() else ending
    return f"{found['name']}{cased}{word[len(word.rstrip(',')) :]}"
