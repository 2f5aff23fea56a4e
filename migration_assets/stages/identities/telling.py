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

# A slip is a letter put in, left out, changed, or two that changed places. In words of fewer letters any slip makes
# another word (Tim, Tom); in longer ones than the second number there may be two.
_SHORTEST, _LONG = 4, 9
_SLIPS_IN_A_DATE = 2
# A misspelling is hardly ever seen; two names are seen often, each for itself (Martin, Marvin).
_HARDLY_EVER, _TIMES_RARER = 2, 20

# How often each word stands in a field, over all records.
Seen = Mapping[str, int]


def told_apart(one: str | None, other: str | None, how: Telling, seen: Seen | None = None) -> bool:
    """Whether two values are of two parties, whatever else they share. A missing value tells nobody apart. With `seen`,
    words that differ by a slip are one word only if one of them is rare enough to be a misspelling of the other."""
    return bool(one) and bool(other) and _HOW[how](str(one), str(other), seen)


def _words_differ(one: str, other: str, seen: Seen | None) -> bool:
    a, b = one.split(), other.split()
    if "".join(a) == "".join(b):
        return False
    return _lacks(a, b, seen) and _lacks(b, a, seen)


def _lacks(words: list[str], others: list[str], seen: Seen | None) -> bool:
    return any(not any(near(word, other, seen) for other in others) for word in words)


def near(word: str, other: str, seen: Seen | None = None) -> bool:
    """Whether two are one word but for a slip or two; an initial stands for every name that begins with it. Numbers
    have no slips."""
    from rapidfuzz.distance import OSA

    if word == other or word.isdigit() or other.isdigit():
        return word == other
    if 1 in (len(word), len(other)):
        return word[0] == other[0]
    longest = max(len(word), len(other))
    if longest < _SHORTEST or (longest == _SHORTEST and len(word) == len(other)):
        return False
    slips = 1 if longest <= _LONG else 2
    return OSA.distance(word, other, score_cutoff=slips) <= slips and _may_be_a_slip(word, other, seen)


def _may_be_a_slip(word: str, other: str, seen: Seen | None) -> bool:
    if seen is None:
        return True
    rarer, commoner = sorted(seen.get(w, 0) for w in (word, other))
    return rarer < commoner and (rarer <= _HARDLY_EVER or rarer * _TIMES_RARER <= commoner)


def _dates_differ(one: str, other: str, _: Seen | None) -> bool:
    """Two slips may be; so may day and month that changed places."""
    from rapidfuzz.distance import OSA

    year, month, day = (*one.split("-"), "", "")[:3]
    if other == f"{year}-{day}-{month}":
        return False
    return OSA.distance(one, other, score_cutoff=_SLIPS_IN_A_DATE) > _SLIPS_IN_A_DATE


_HOW: Mapping[Telling, Callable[[str, str, Seen | None], bool]] = {
    "words": _words_differ,
    "date": _dates_differ,
    "code": lambda one, other, _: one != other,
}
