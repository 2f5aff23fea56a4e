"""Rules for names of people and companies. A name that was typed with care is left as it is."""

from __future__ import annotations

import re

from migration_assets.engine.rules import arguments as a
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
_UPPER_SUFFIXES = frozenset({"ii", "iii", "iv"})
_LEGAL_FORMS = {
    "inc": "Inc.", "incorporated": "Incorporated", "corp": "Corp.", "corporation": "Corporation", "llc": "LLC",
    "llp": "LLP", "ltd": "Ltd", "limited": "Limited", "plc": "PLC", "gmbh": "GmbH", "mbh": "mbH", "ag": "AG",
    "kg": "KG", "ug": "UG", "kgaa": "KGaA", "se": "SE", "bv": "B.V.", "nv": "N.V.", "sa": "S.A.", "sas": "SAS",
    "sarl": "SARL", "srl": "S.r.l.", "spa": "S.p.A.", "sl": "S.L.", "oy": "Oy", "oyj": "Oyj", "ab": "AB",
    "as": "AS", "aps": "ApS", "kk": "K.K.", "pty": "Pty",
}  # fmt: skip
# Written without points these are also words (Day Spa, Ag, As): only points or full upper case make them a form.
_WORDS_TOO = frozenset({"ag", "as", "ab", "se", "sa", "sl", "spa", "sas", "kg", "ug", "bv", "nv", "kk"})
# `GmbH & Co. KG`: what stands between two legal forms, or in place of one.
_PARTNERS = frozenset({"&", "co", "company", "cie"})
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


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
    """`SMITH, JOHN` as `John Smith`; white space and case mended, particles kept."""
    given, family, suffix = _parts(name)
    return " ".join(p for p in (given, family, suffix) if p)


def given_name(name: str) -> str:
    """Everything before the family name; a single name is a given name."""
    return _parts(name)[0]


def family_name(name: str) -> str:
    """The last word with the particles before it and a suffix after it; missing for a single name."""
    _, family, suffix = _parts(name)
    return f"{family} {suffix}".strip() if family else ""


def _parts(name: str) -> tuple[str, str, str]:
    """Given names, family name and suffix, each as people write them."""
    text = _recased(tidy(name))
    before, comma, after = (p.strip() for p in text.partition(","))
    if comma and before and after and "," not in after and not _all_suffixes(after):
        words, suffix = _without_suffix(before.split())
        return after, " ".join(words), suffix
    words, suffix = _without_suffix(text.split())
    at = len(words) - 1
    while at > 1 and words[at - 1].lower() in _PARTICLES:
        at -= 1
    if at < 1:
        return " ".join(words), "", suffix
    return " ".join(words[:at]), " ".join(words[at:]), suffix


def _all_suffixes(text: str) -> bool:
    return all(_bare(w) in _SUFFIXES or _bare(w) in _LEGAL_FORMS for w in text.split())


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
    if not one_case:
        return name
    words = name.split(" ")
    return " ".join(_proper(w, first=i == 0, last=i == len(words) - 1) for i, w in enumerate(words))


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
    lower = re.sub(r"^(Mc)([^\W\d_])", lambda m: m[1] + m[2].upper(), lower)
    return re.sub(r"^([DLO]['’])([^\W\d_])", lambda m: m[1] + m[2].upper(), lower)


# --- companies -----------------------------------------------------------------------------------------------------


def company_name(_: a.Arguments, __: Context) -> Cleaner:
    """Tidy text with the legal form at its end in the usual spelling, without a comma before it."""

    def clean(texts: Texts) -> Cleaned:
        given = texts[0] or ""
        return Cleaned(company(given) or None) if is_text(given) else NOT_TEXT

    return Cleaner(clean)


def company(name: str) -> str:
    """The name with its trailing legal forms in the usual spelling."""
    words = tidy(name).split(" ")
    at = len(words)
    while at > 1 and _form(words[at - 1]):
        at -= 1
        words[at] = _form(words[at]) or words[at]
        words[at - 1] = words[at - 1].rstrip(",") or words[at - 1]
    return " ".join(words)


def trading_name(name: str) -> str:
    """The name without its trailing legal forms, which one company writes in many ways; never empty."""
    words = tidy(name).split(" ")
    while len(words) > 1 and (_form(words[-1]) or _bare(words[-1]) in _PARTNERS):
        words.pop()
        words[-1] = words[-1].rstrip(",") or words[-1]
    return " ".join(words)


def _form(word: str) -> str | None:
    bare = _bare(word)
    doubtful = bare in _WORDS_TOO and "." not in word.rstrip(".") and not word.isupper()
    return None if doubtful else _LEGAL_FORMS.get(bare)
