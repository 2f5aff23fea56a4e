"""Rules for names of companies: their legal forms, and what is left when one company is compared with another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context, Texts
from migration_assets.engine.rules.text import NOT_TEXT, TIDY_LATIN, is_text, tidy

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Legal forms at the end of a name, without points and in small letters, and their usual spelling.
FORMS = {
    "inc": "Inc.", "incorporated": "Incorporated", "corp": "Corp.", "corporation": "Corporation", "llc": "LLC",
    "llp": "LLP", "lllp": "LLLP", "pllc": "PLLC", "ltd": "Ltd", "limited": "Limited", "plc": "PLC", "cic": "CIC",
    "gmbh": "GmbH", "ggmbh": "gGmbH", "mbh": "mbH", "ag": "AG", "kg": "KG", "ug": "UG", "kgaa": "KGaA", "se": "SE",
    "ohg": "OHG", "gbr": "GbR", "ev": "e.V.", "ek": "e.K.",
    "bv": "B.V.", "nv": "N.V.", "vof": "V.O.F.", "bvba": "BVBA", "cvba": "CVBA", "srl": "S.r.l.", "srls": "S.r.l.s.",
    "sa": "S.A.", "sas": "SAS", "sasu": "SASU", "sarl": "SARL", "eurl": "EURL", "sca": "SCA", "scs": "SCS",
    "snc": "SNC", "sci": "SCI", "spa": "S.p.A.", "sl": "S.L.", "slu": "S.L.U.", "sau": "S.A.U.",
    "lda": "Lda.", "ltda": "Ltda.", "eirl": "E.I.R.L.", "eireli": "EIRELI",
    "oy": "Oy", "oyj": "Oyj", "ab": "AB", "as": "AS", "asa": "ASA", "aps": "ApS", "hf": "hf.", "ehf": "ehf.",
    "oü": "OÜ", "sia": "SIA", "uab": "UAB",
    "sro": "s.r.o.", "doo": "d.o.o.", "kft": "Kft.", "zrt": "Zrt.", "nyrt": "Nyrt.", "bt": "Bt.",
    "kk": "K.K.", "gk": "G.K.", "pty": "Pty", "pte": "Pte.", "pvt": "Pvt.", "fze": "FZE", "fzco": "FZCO",
    "ооо": "ООО", "зао": "ЗАО", "оао": "ОАО", "пао": "ПАО", "тоо": "ТОО", "тов": "ТОВ", "еоод": "ЕООД", "оод": "ООД",
}  # fmt: skip
# Forms of several words. Points or no points: the words are compared without them.
_PHRASES = {
    "sp z oo": "Sp. z o.o.", "spz oo": "Sp. z o.o.", "sp zoo": "Sp. z o.o.", "sp z o o": "Sp. z o.o.",
    "spółka z oo": "Sp. z o.o.",
    "sp k": "Sp. k.", "sp j": "Sp. j.", "s r o": "s.r.o.", "spol s ro": "s.r.o.", "d o o": "d.o.o.",
    "sa de cv": "S.A. de C.V.", "s de rl de cv": "S. de R.L. de C.V.", "s de rl": "S. de R.L.",
    "sapi de cv": "S.A.P.I. de C.V.", "sa de rl": "S.A. de R.L.", "sdn bhd": "Sdn. Bhd.",
}  # fmt: skip
_LONGEST_PHRASE = 5
# Longer than this is no name, and is left as it is.
_LONGEST = 400
# Written without points these are also words (Day Spa, Ag, As): only points or full upper case make them a form.
_WORDS_TOO = frozenset({
    "ag", "as", "ab", "se", "sa", "sl", "spa", "sas", "kg", "ug", "bv", "nv", "kk",
    "sia", "sci", "sca", "scs", "snc", "asa", "lda", "cic", "vof",
})  # fmt: skip
# Only with a point: EV, HF and BT are too often something else.
_ONLY_POINTED = frozenset({"ev", "ek", "hf", "bt", "gk", "sau"})
# Written just so: a.s. is Czech where AS is Norwegian, and eG has its capital at the end.
_JUST_SO = {"a.s.": "a.s.", "a.s": "a.s.", "eG": "eG"}
# Forms that stand before the name.
_FIRST_FORMS = frozenset({"ооо", "зао", "оао", "пао", "ао", "тоо", "тов", "ип", "uab", "sia", "oü"})
# Japanese, Chinese and Korean forms are written on to the name, at either end.
_EITHER_END = "株式会社|有限会社|合同会社|合資会社|[(（]株[)）]|㈱|[(（]有[)）]|㈲|주식회사|[(（]주[)）]|㈜"
_ATTACHED = re.compile(f"^(?:{_EITHER_END}) ?| ?(?:{_EITHER_END}|有限责任公司|股份有限公司|股份公司|有限公司)$")
# `GmbH & Co. KG`: what stands between two legal forms, or in place of one.
_PARTNERS = frozenset({"&", "co", "company", "cie", "comp"})
# Words that people shorten, for comparing only: what is stored stays as it was written.
_SHORTENED = {
    "intl": "international", "int'l": "international", "natl": "national", "nat'l": "national",
    "mfg": "manufacturing", "mfrs": "manufacturers", "mgmt": "management", "bros": "brothers", "gebr": "gebrüder",
    "assoc": "associates", "assocs": "associates", "svc": "service", "svcs": "services", "serv": "services",
    "grp": "group", "hldg": "holding", "hldgs": "holdings", "sys": "systems", "inds": "industries",
    "univ": "university", "dept": "department", "distrib": "distribution", "engrg": "engineering", "ctr": "center",
    "centre": "center", "tech": "technology", "techs": "technologies", "prods": "products", "labs": "laboratories",
    "+": "&", "and": "&", "und": "&", "et": "&", "og": "&", "och": "&", "y": "&",
}  # fmt: skip
_QUOTES = "«»\"“”„‟'‘’"


def company_name(_: a.Arguments, __: Context) -> Cleaner:
    """Tidy text with the legal form at its end in the usual spelling, without a comma before it."""

    def clean(texts: Texts) -> Cleaned:
        given = texts[0] or ""
        return Cleaned(company(given) or None) if is_text(given) else NOT_TEXT

    return Cleaner(clean, unchanged=TIDY_LATIN, suspected=_may_change)


def _may_change(text: ir.StringValue) -> ir.BooleanValue:
    """Tidy text whose end, but for one legal form in its usual spelling, is a legal form again or a comma."""
    known = [f for f in {*FORMS.values(), *_JUST_SO.values()} if _form(f, shouted=False) == f]
    usual = "|".join(map(re.escape, sorted(known)))
    lasts = {form.replace(".", "") for form in FORMS} | {phrase.split(" ")[-1] for phrase in _PHRASES}
    spelled = "|".join("[.,]*".join(map(re.escape, form)) for form in sorted(lasts))
    body = text.re_replace(f" (?:{usual})\\z", "")
    return body.re_search(f"(?i)(?:^|[ .,])(?:{spelled})[.,]*\\z") | body.endswith(",")


def company(name: str) -> str:
    """The name with its trailing legal forms in the usual spelling."""
    text = tidy(name)
    if len(text) > _LONGEST:
        return text
    words, forms = _split(text.split(" "))
    return " ".join([*words, *forms])


def trading_name(name: str) -> str:
    """The name as companies are compared by it; never empty.

    Without legal forms, which one company writes in many ways, words written out that people shorten, and one sign for
    `and`. Not for storing.
    """
    text = tidy(name)
    if len(text) > _LONGEST:
        return text
    attached = _ATTACHED.sub("", text).strip() or text
    words = attached.split(" ")
    if len(words) > 1 and _bare(words[0]) in _FIRST_FORMS and (words[0].isupper() or not words[0].isascii()):
        words = words[1:]
    words, _ = _split(words)
    while len(words) > 1 and (_bare(words[-1]) in _PARTNERS or _SHORTENED.get(_bare(words[-1])) == "&"):
        words = [*words[:-2], words[-2].rstrip(",") or words[-2]]
        words, _ = _split(words)
    inner = " ".join(_SHORTENED.get(_bare(w), w) if i > 0 else w for i, w in enumerate(words))
    return inner.strip(_QUOTES) or inner


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """The words of the name, never none, and the legal forms behind them in their usual spelling."""
    forms: list[str] = []
    # In a name typed all in capitals they say nothing of its last word.
    shouted = not any(c.islower() for word in words for c in word)
    while True:
        size, form = _last_form(words, shouted)
        if form is None:
            return words, forms
        words = words[:-size]
        words = [*words[:-1], words[-1].rstrip(",") or words[-1]]
        forms = [form, *forms]


def _last_form(words: list[str], shouted: bool) -> tuple[int, str | None]:
    """How many words at the end are one legal form, and its usual spelling."""
    for size in range(min(_LONGEST_PHRASE, len(words) - 1), 1, -1):
        form = _PHRASES.get(" ".join(map(_bare, words[-size:])))
        if form is not None:
            return size, form
    return (1, _form(words[-1], shouted)) if len(words) > 1 else (0, None)


def _form(word: str, shouted: bool) -> str | None:
    if word in _JUST_SO:
        return _JUST_SO[word]
    bare = _bare(word)
    if bare in _ONLY_POINTED and "." not in word:
        return None
    doubtful = bare in _WORDS_TOO and "." not in word.rstrip(".") and (shouted or not word.isupper())
    return None if doubtful else FORMS.get(bare)


def _bare(word: str) -> str:
    return word.replace(".", "").replace(",", "").lower()
