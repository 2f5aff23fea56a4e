"""What tells two apart who share all the rest: members of a household, companies of a group. Pure, on folded text.

Those who live together share address, phone and family name, companies of a group a domain and an office, and the sum
of so much likeness outweighs any single difference. But a given name, a birth date, the name of a company or its
country are just what differs between them, so that an outright difference there is never left to a sum: a person is
asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

# How a telling field is held against the other's. `words`: each has a word the other has nothing like. `date`: more
# than a slip of the pen apart. `code`: not equal.
Telling = Literal["words", "date", "code"]

# So many slips (letters put in, left out, changed or changed places) are let pass for each five letters of a word.
_LETTERS_PER_SLIP = 5
_SLIPS_IN_A_DATE = 2


def told_apart(one: str | None, other: str | None, how: Telling) -> bool:
    """Whether two values are of two parties, whatever else they share. A missing value tells nobody apart."""
    return bool(one) and bool(other) and _HOW[how](str(one), str(other))


def _words_differ(one: str, other: str) -> bool:
    a, b = one.split(), other.split()
    if not any(c.isdigit() for c in one + other) and near("".join(a), "".join(b)):
        return False
    return _lacks(a, b) and _lacks(b, a)


def _lacks(words: list[str], others: list[str]) -> bool:
    return any(not any(near(word, other) for other in others) for word in words)


def near(word: str, other: str) -> bool:
    """Whether two are one word but for a slip or two; an initial stands for every name that begins with it. Numbers
    have no slips."""
    from rapidfuzz.distance import OSA

    if word == other or word.isdigit() or other.isdigit():
        return word == other
    if 1 in (len(word), len(other)):
        return word[0] == other[0]
    slips = -(-max(len(word), len(other)) // _LETTERS_PER_SLIP)
    return OSA.distance(word, other, score_cutoff=slips) <= slips


def _dates_differ(one: str, other: str) -> bool:
    """Two slips may be; so may day and month that changed places."""
    from rapidfuzz.distance import OSA

    year, month, day = (*one.split("-"), "", "")[:3]
    if other == f"{year}-{day}-{month}":
        return False
    return OSA.distance(one, other, score_cutoff=_SLIPS_IN_A_DATE) > _SLIPS_IN_A_DATE


_HOW: Mapping[Telling, Callable[[str, str], bool]] = {
    "words": _words_differ,
    "date": _dates_differ,
    "code": lambda one, other: one != other,
}
