"""Free text to the parts of an address. What is not understood stays whole: nothing is ever lost or guessed.

Belongs here: the pure function from text and country to parts. Every letter and digit of the text stands in exactly
one part, in the text's own spelling; only a postal code gets its country's spacing and capitals.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from migration_assets.engine.rules.address_forms import FORMS, Form, is_county, is_unit, trailing_unit
from migration_assets.engine.rules.geography import country_code, state_code
from migration_assets.engine.rules.postal_codes import code_of
from migration_assets.engine.rules.text import tidy

_LONGEST = 400
_BREAK = re.compile(r"[\n\r,;]+")
_SHORT_COUNTRIES = frozenset({"USA", "U.S.A.", "U.S.", "US", "UK", "U.K."})
_FIRST = re.compile(
    r"(?P<number>\d{1,6}[A-Za-z]?(?:[-–/]\d{1,6}[A-Za-z]?)?(?: 1/2| bis| ter| quater)?)\s+(?P<street>.+)"
)
_NUMBER = re.compile(r"\d{1,6}[A-Za-z]?(?:[-–/+]\w{1,6})*")
_ONLY_A_NUMBER = re.compile(r"\d{1,6}\s?[A-Za-z]?(?:\s?[-–/+]\s?\w{1,6})*(?: bis| ter| quater)?")


@dataclass(frozen=True)
class Address:
    """Parts of an address, each as it was written; empty where there is none.

    `line1` is street and number, `line2` what else stands before the city. `prefix`: letters of a country that stood
    before the postal code. Where `understood` is false, `line1` is the whole text and nothing else is filled.
    """

    line1: str = ""
    line2: str = ""
    street: str = ""
    house_number: str = ""
    postal_code: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    prefix: str = ""
    understood: bool = True


def split_address(text: str, country: str | None) -> Address:
    """The parts of a line or block of text. `country`: ISO alpha-2 of the record, else the text has to name it."""
    pieces = [p for p in (tidy(x) for x in _BREAK.split(text)) if p]
    whole = Address(line1=", ".join(pieces), street=", ".join(pieces), understood=False)
    pieces, named = _without_country(pieces, country)
    code = country or (country_code(named) if named else None)
    form = FORMS.get(code or "")
    if code is None or form is None or not pieces or len(text) > _LONGEST:
        return whole
    placed = _placed(pieces, code, form)
    if placed is None:
        return whole
    place, rest = placed
    return replace(
        _streets(rest, form),
        postal_code=place.postal_code,
        prefix=place.prefix,
        city=place.city,
        state=place.state,
        country=named,
    )


# --- the country ---------------------------------------------------------------------------------------------------


def _without_country(pieces: Sequence[str], country: str | None) -> tuple[list[str], str]:
    """The pieces without a last one that names the country of the record, or any country if the record has none."""
    if len(pieces) < 2:
        return list(pieces), ""
    last = pieces[-1]
    named = country_code(last) if len(last) > 3 or last.upper() in _SHORT_COUNTRIES else None
    if named is None or (country is not None and named != country):
        return list(pieces), ""
    return list(pieces[:-1]), last


# --- postal code, city, state --------------------------------------------------------------------------------------


class _Place(NamedTuple):
    postal_code: str
    prefix: str
    city: str
    state: str


_Placed = tuple[_Place, list[str]]


def _placed(pieces: list[str], country: str, form: Form) -> _Placed | None:
    """Postal code, city and state, and the pieces that are left for the street."""
    return _code_before_city(pieces, country, form) if form.code_first else _code_behind(pieces, country, form)


def _code_before_city(pieces: list[str], country: str, form: Form) -> _Placed | None:
    for at in range(len(pieces) - 1, -1, -1):
        words = pieces[at].split(" ")
        for size in (2, 1):
            found = code_of(" ".join(words[:size]), country)
            if found is None or len(words) <= size:
                continue
            city, state = _with_province(words[size:], pieces[at + 1 :], country, form)
            if not _is_city(city) or (len(pieces) > at + 1 and state is None):
                return None
            prefix, code = found
            return _Place(code, prefix, city, state or ""), pieces[:at]
    return None


def _with_province(words: list[str], after: list[str], country: str, form: Form) -> tuple[str, str | None]:
    """City, and the province behind it: in brackets, as two capitals, or as a piece of its own. None: there is none."""
    city = " ".join(words)
    if len(after) > 1 or not form.state:
        return city, None
    if after:
        return city, after[0] if state_code(after[0].strip("()"), country).value else None
    last = words[-1].strip("()")
    if len(words) > 1 and len(last) == 2 and last.isupper() and state_code(last, country).value:
        return " ".join(words[:-1]), words[-1]
    return city, None


def _code_behind(pieces: list[str], country: str, form: Form) -> _Placed | None:
    words = pieces[-1].split(" ")
    for size in (2, 1):
        found = code_of(" ".join(words[-size:]), country) if len(words) >= size else None
        if found is None:
            continue
        left = " ".join(words[:-size])
        before = [*pieces[:-1], left] if left else pieces[:-1]
        placed = _city_and_state(before, country) if form.state else _city_and_county(before)
        if placed is None or not _is_city(placed[0]):
            return None
        city, state, rest = placed
        return _Place(found[1], found[0], city, state), rest
    return None


def _city_and_state(pieces: list[str], country: str) -> tuple[str, str, list[str]] | None:
    """`Springfield IL`, `Springfield, IL`, or `New York` alone, which is a city where nothing else can be one."""
    if not pieces:
        return None
    last = pieces[-1]
    is_state, is_code = bool(state_code(last, country).value), len(last) <= 3
    if is_state and is_code and len(pieces) == 1:
        return None
    if is_state and (is_code or len(pieces) > 2):
        return pieces[-2], last, pieces[:-2]
    words = last.split(" ")
    # The longest name first: West Virginia ends in Virginia.
    for size in (3, 2, 1):
        if len(words) > size and state_code(" ".join(words[-size:]), country).value:
            return " ".join(words[:-size]), " ".join(words[-size:]), pieces[:-1]
    return last, "", pieces[:-1]


def _city_and_county(pieces: list[str]) -> tuple[str, str, list[str]] | None:
    if len(pieces) > 2 and is_county(pieces[-1]):
        return pieces[-2], pieces[-1], pieces[:-2]
    return (pieces[-1], "", pieces[:-1]) if pieces else None


def _is_city(text: str) -> bool:
    """A name, perhaps with the number of a district behind it; a house number before or in it makes it a street."""
    words = text.split(" ")
    named = words[:-1] if len(words) > 1 and words[-1].isdigit() and len(words[-1]) < 3 else words
    return any(c.isalpha() for c in text) and not any(c.isdigit() for w in named for c in w)


# --- street, number, and the rest ----------------------------------------------------------------------------------


def _streets(pieces: list[str], form: Form) -> Address:
    """Street and number out of the pieces before the city; the other pieces, in their order, are `line2`."""
    pieces = _with_numbers(pieces, form)
    numbered = [i for i, p in enumerate(pieces) if not is_unit(p) and _street(p, form)[1]]
    at = next(iter(numbered), next((i for i, p in enumerate(pieces) if not is_unit(p)), 0))
    if not pieces:
        return Address()
    line, unit = trailing_unit(pieces[at])
    if unit and not _street(line, form)[1]:
        line, unit = pieces[at], ""
    street, number = _street(line, form)
    others = [*pieces[:at], *([unit] if unit else []), *pieces[at + 1 :]]
    return Address(line1=line, line2=", ".join(others), street=street, house_number=number)


def _with_numbers(pieces: list[str], form: Form) -> list[str]:
    """A number that a comma parted from its street goes back to it: `Via Roma, 5` and `12, rue de la Paix`."""
    for i, piece in enumerate(pieces):
        other = i + 1 if form.number_first else i - 1
        if not _ONLY_A_NUMBER.fullmatch(piece) or not 0 <= other < len(pieces) or is_unit(pieces[other]):
            continue
        if _street(pieces[other], form)[1]:
            continue
        first, last = min(i, other), max(i, other)
        return [*pieces[:first], f"{pieces[first]} {pieces[last]}", *pieces[last + 1 :]]
    return pieces


def _street(line: str, form: Form) -> tuple[str, str]:
    """Street and house number; no number where it is not the one part at its end of the line."""
    if form.number_first:
        found = _FIRST.fullmatch(line)
        return (found["street"], found["number"]) if found and _has_name(found["street"]) else (line, "")
    words = line.split(" ")
    at = len(words) - 1
    if at > 1 and len(words[at]) == 1 and words[at].isalpha() and words[at - 1].isdigit():
        at -= 1
    if at < 1 or not _NUMBER.fullmatch(words[at]) or not _has_name(" ".join(words[:at])):
        return line, ""
    return " ".join(words[:at]), " ".join(words[at:])


def _has_name(text: str) -> bool:
    return any(c.isalpha() for c in text)
