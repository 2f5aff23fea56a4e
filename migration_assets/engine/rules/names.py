"""Rules for names of people. A name that was typed with care is left as it is."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.companies import FORMS
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context, Texts
from migration_assets.engine.rules.text import NOT_TEXT, is_text, tidy

# Words that belong to the family name that follows, in lower case.
_PARTICLES = frozenset({
    "af", "al", "av", "aw", "bin", "bint", "da", "das", "de", "dei", "del", "della", "den", "der", "des", "di",
    "do", "dos", "du", "e", "el", "ibn", "la", "las", "le", "los", "mac", "of", "san", "santa", "st", "'t",
    "te", "ten", "ter", "toe", "tot", "van", "vande", "vander", "vom", "von", "und", "y", "zu", "zum", "zur",
})  # fmt: skip
# Shouted names take these in lower case; the rest of the particles is too often a name of its own.
_LOWERED = _PARTICLES - {"al", "el", "mac", "san", "santa", "st", "le", "los", "las"}
_SUFFIXES = frozenset(["jr", "sr", "ii", "iii", "iv", "v", "phd", "md", "esq", "mba", "cpa", "dds"])
# A single letter at the end is rather an initial than a Roman numeral.
_TRAILING = _SUFFIXES - {"v"} | {"inc", "llc", "ltd", "gmbh"}
# Behind a comma these are no given name either.
_NO_GIVEN_NAMES = _SUFFIXES | frozenset(FORMS)
# Longer than this is no name, and is left as it is.
_LONGEST = 400
_UPPER_SUFFIXES = frozenset({"ii", "iii", "iv"})
# Titles and forms of address before a name. Those that are names or initials themselves count only with a point.
_TITLES = frozenset({
    "mr", "mrs", "ms", "miss", "mx", "dr", "drs", "prof", "professor", "sir", "mme", "mlle", "herr", "frau", "sra",
    "srta", "dott", "dottssa", "sig", "sigra", "mag", "ing", "dipl-ing", "dr-ing", "rev", "doc",
})  # fmt: skip
_POINTED_TITLES = frozenset({"mag", "ing", "rev", "sr", "fr", "hr", "sig", "dott", "doc", "capt", "lt", "col", "hon"})
# What follows a title and belongs to it: Dr. med., Prof. Dr. rer. nat. h.c.
_AFTER_TITLES = frozenset({"med", "phil", "jur", "rer", "nat", "pol", "oec", "hc", "dent", "vet", "habil", "mult"})
# Scripts whose names begin with the family name: Han, Kana and Hangul.
_FAMILY_FIRST = re.compile("[\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")
_ASIDE = re.compile('[(\\["“„«‘].*[)\\]"”“»’]')
# A letter with marks of its own (for which there is no single character) is still one letter.
_LETTER = "[^\\W\\d_][\u0300-\u036f]*"
_WORD = re.compile(f"(?:{_LETTER})+(?:['’](?:{_LETTER})+)*")
# Letters of Turkish and Azeri alone. Where one of them stands, a capital I is the one without a dot.
_TURKISH = frozenset("İĞ")


def person_name(arguments: a.PersonName, _: Context) -> Cleaner:
    """The name, or its given or family part."""
    change = {"full": full_name, "given": given_name, "family": family_name}[arguments.part]

    def clean(texts: Texts) -> Cleaned:
        given = texts[0] or ""
        return Cleaned(change(given) or None) if is_text(given) else NOT_TEXT

    whole = arguments.part == "full"
    # Title-case words of three letters or more that are no particle cannot be changed by anything here.
    return Cleaner(clean, unchanged=r"^[A-Z][a-z]{2,20} [A-Z][a-z]{5,20}\z" if whole else None, noted=whole)


def full_name(name: str) -> str:
    """`SMITH, JOHN` as `John Smith`; white space and case mended, titles, particles and asides kept."""
    title, given, family, suffix, aside = _parts(name)
    begins_with_family = _FAMILY_FIRST.fullmatch(given) and _FAMILY_FIRST.fullmatch(family)
    ordered = (family, given) if begins_with_family else (given, family)
    return " ".join(p for p in (title, *ordered, suffix, aside) if p)


def given_name(name: str) -> str:
    """What stands between titles and the family name; a single name is a given name, unless it has a title."""
    return _parts(name)[1]


def family_name(name: str) -> str:
    """The last word with the particles before it and a suffix after it; missing for a single name without a title.

    Two family names without a hyphen (García López) are not told from a second given name: only the last word counts,
    unless a comma says where they end. Names in Han, Kana and Hangul begin with the family name.
    """
    _, _, family, suffix, _ = _parts(name)
    return f"{family} {suffix}".strip() if family else ""


def _parts(name: str) -> tuple[str, str, str, str, str]:
    """Title, given names, family name, suffix and what is added in brackets or quotes, each as people write it."""
    if len(name) > _LONGEST:
        return "", tidy(name), "", "", ""
    text = _recased(tidy(name))
    before, comma, after = (p.strip() for p in text.partition(","))
    if comma and before and after and "," not in after and not _all_suffixes(after):
        title, rest = _without_titles(after.split())
        words, suffix = _without_suffix(before.split())
        if rest:
            return " ".join(title), " ".join(rest), " ".join(words), suffix, ""
    title, words = _without_titles(text.split())
    words, aside = _without_aside(words)
    words, suffix = _without_suffix(words)
    given, family = _given_and_family(words, titled=bool(title))
    return " ".join(title), given, family, suffix, aside


def _given_and_family(words: list[str], *, titled: bool) -> tuple[str, str]:
    if len(words) == 2 and all(_FAMILY_FIRST.fullmatch(w) for w in words):
        return words[1], words[0]
    at = len(words) - 1
    while at > (0 if titled else 1) and words[at - 1].lower() in _PARTICLES:
        at -= 1
    if at < 1 and not titled:
        return " ".join(words), ""
    return " ".join(words[:at]), " ".join(words[at:])


def _without_titles(words: list[str]) -> tuple[list[str], list[str]]:
    """Titles at the front, and the rest, which is never empty."""
    at = 0
    while at < len(words) - 1 and _is_title(words[at], titled=at > 0):
        at += 1
    return words[:at], words[at:]


def _is_title(word: str, *, titled: bool) -> bool:
    bare, pointed = _bare(word), word.endswith(".")
    if bare in _POINTED_TITLES:
        return pointed
    return bare in _TITLES or (titled and pointed and bare in _AFTER_TITLES)


def _without_aside(words: list[str]) -> tuple[list[str], str]:
    """`Robert Smith (Big Bob)`: what is in brackets or quotes at the end is no family name."""
    for at in range(len(words) - 1, 0, -1):
        if _ASIDE.fullmatch(" ".join(words[at:])):
            return words[:at], " ".join(words[at:])
    return words, ""


def _all_suffixes(text: str) -> bool:
    return all(_bare(w) in _NO_GIVEN_NAMES for w in text.split())


def _without_suffix(words: list[str]) -> tuple[list[str], str]:
    at = len(words)
    while at > 1 and _bare(words[at - 1]) in _TRAILING:
        at -= 1
    return words[:at], " ".join(words[at:])


def _bare(word: str) -> str:
    return word.replace(".", "").replace(",", "").lower()


def _recased(name: str) -> str:
    """Proper case for a name typed all in capitals or all in small letters; others are left alone."""
    letters = [c for c in name if c.isalpha() and c.lower() != c.upper()]
    one_case = len(letters) > 1 and (all(c == c.upper() for c in letters) or all(c == c.lower() for c in letters))
    # Greek capitals carry no accents and other scripts have rules of their own: what is not Latin stays as it is.
    if not one_case or not all(_is_latin(c) for c in letters):
        return name
    if not _TURKISH.isdisjoint(name):
        name = name.replace("I", "ı")
    words = name.split(" ")
    proper = " ".join(_proper(w, first=i == 0, last=i == len(words) - 1) for i, w in enumerate(words))
    # A capital may go together with a mark that its small letter did not.
    return unicodedata.normalize("NFC", proper)


@cache
def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")


def _proper(word: str, *, first: bool, last: bool) -> str:
    if _bare(word) in _UPPER_SUFFIXES and not first:
        return word.upper()
    if word.lower() in _LOWERED and not first and not last:
        return word.lower()
    return _WORD.sub(lambda m: _capital(m[0]), word)


def _capital(word: str) -> str:
    # Lower case of the dotted capital I is two characters by default rules; a name wants the plain letter.
    lower = word[:1] + word[1:].replace("İ", "i").lower()
    lower = lower[:1].title() + lower[1:]
    lower = re.sub(r"^(Mc)([^\W\d_])", lambda m: m[1] + m[2].title(), lower)
    return re.sub(r"^([DLO]['’])([^\W\d_])", lambda m: m[1] + m[2].title(), lower)
