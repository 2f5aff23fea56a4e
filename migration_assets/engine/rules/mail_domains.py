"""Domains of e-mail addresses that look like a slip of the keyboard: what they may have been meant to be.

Only ever a suggestion: somebody may really own the odd domain. Belongs here: which domain is near which. Not here: the
grammar of addresses (`contacts`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.outcome import rendered

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.api import Engine

# Providers that very many people are with. A suggestion leads to one of these, or to a domain the column is full of.
_PROVIDERS = frozenset({
    "gmail.com", "googlemail.com", "hotmail.com", "hotmail.co.uk", "hotmail.fr", "hotmail.de", "hotmail.it",
    "hotmail.es", "outlook.com", "outlook.de", "outlook.fr", "yahoo.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de",
    "yahoo.it", "yahoo.es", "yahoo.co.jp", "yahoo.co.in", "yahoo.com.br", "yahoo.com.au", "ymail.com", "icloud.com",
    "live.com", "live.co.uk", "aol.com", "msn.com", "gmx.de", "gmx.net", "gmx.at", "gmx.ch", "web.de", "t-online.de",
    "freenet.de", "comcast.net", "verizon.net", "sbcglobal.net", "bellsouth.net", "att.net", "charter.net", "cox.net",
    "btinternet.com", "virginmedia.com", "talktalk.net", "orange.fr", "wanadoo.fr", "laposte.net", "free.fr", "sfr.fr",
    "libero.it", "virgilio.it", "bigpond.com", "rogers.com", "shaw.ca", "sympatico.ca", "protonmail.com", "proton.me",
    "yandex.ru", "rambler.ru", "fastmail.com", "bluewin.ch", "telenet.be", "ziggo.nl", "naver.com", "daum.net",
    "terra.com.br", "uol.com.br", "bol.com.br",
})  # fmt: skip
# Real providers that are one slip away from a larger one.
_REAL = frozenset({
    "mail.com", "email.com", "gmx.com", "gmx.us", "me.com", "mac.com", "mail.ru", "live.de", "live.fr", "live.it",
    "live.nl", "live.ca", "live.be", "live.dk", "live.se", "hotmail.nl", "hotmail.be", "hotmail.se", "hotmail.dk",
    "hotmail.ca", "hotmail.ch", "outlook.it", "outlook.es", "outlook.be", "yahoo.ca", "yahoo.ie", "yahoo.se",
    "yahoo.com.mx", "yahoo.com.ar", "yahoo.com.hk", "yahoo.co.id", "yahoo.co.nz", "yahoo.co.za", "rocketmail.com",
    "yandex.com", "proton.com", "fastmail.fm", "web.com", "free.com", "aim.com", "pm.me", "bol.com", "uol.com",
    "orange.com", "cox.com", "att.com", "verizon.com", "comcast.com", "shaw.com", "virgilio.com", "rogers.ca",
    "ya.ru", "libero.com", "terra.com", "terra.es", "outlook.co", "icloud.de", "mailo.com", "gail.com", "gmail.de",
})  # fmt: skip
# Endings that are no top-level domain, and the one that the fingers were after.
_ENDINGS = {
    "con": "com", "cmo": "com", "ocm": "com", "comm": "com", "coom": "com", "ccom": "com", "cpm": "com", "vom": "com",
    "xom": "com", "cim": "com", "c0m": "com", "comn": "com", "coml": "com", "cok": "com", "nte": "net", "ent": "net",
    "nett": "net", "ner": "net", "ogr": "org", "rog": "org", "orgg": "org", "prg": "org", "dee": "de",
}  # fmt: skip
# One letter of a shorter name is too much of it: aol, gmx and web have neighbours that are somebody's.
_SHORTEST_NAME = 5
# A column is full of a domain when this many values have it, and it outnumbers its odd neighbour this many times.
_MANY, _TIMES = 20, 20


def learn_domains(engine: Engine, rows: ir.Table, columns: Sequence[ir.Value], _: a.Arguments) -> Mapping[str, str]:
    """Domains of the column that may be a slip: domain -> what may be meant."""
    told = rows.select(_domain=domain_of(rendered(columns[0]))).filter(lambda t: t["_domain"] != "")
    counted = engine.cached(told.group_by("_domain").aggregate(n=told.count()))
    frequent = counted.filter(counted["n"] >= _MANY)
    targets = _PROVIDERS | {r["_domain"] for r in engine.arrow(frequent).to_pylist()}
    # One slip changes the length by one at most, which spares most domains the closer look.
    lengths = sorted({len(t) + by for t in targets for by in (-1, 0, 1)})
    ending = counted["_domain"].split(".")[-1]
    near = counted.filter(
        (counted["n"] >= _MANY) | counted["_domain"].length().isin(lengths) | ending.isin([*_ENDINGS])
    )
    return suspects({r["_domain"]: r["n"] for r in engine.arrow(near).to_pylist()})


def domain_of(text: ir.StringValue) -> ir.StringValue:
    """What stands behind the last `@`, in lower case; empty for ASCII text without a plain domain."""
    # What stands behind the first `@` is nearly always all of it, and needs no pattern that remembers.
    behind = (text.find("@") >= 0).ifelse(text.substr(text.find("@") + 1), "")
    plain = behind.re_search(r"^[A-Za-z0-9.-]+\z")
    return plain.ifelse(behind, text.re_extract(r"@([A-Za-z0-9.-]+)[\s>]*\z", 1)).lower()


def suspects(counts: Mapping[str, int]) -> dict[str, str]:
    """Domains that may be a slip, of those that occur; `counts`: how often each does."""
    frequent = {d for d, n in counts.items() if n >= _MANY}
    near = _neighbours(_PROVIDERS | frequent)
    found: dict[str, str] = {}
    for domain, n in counts.items():
        if domain in _PROVIDERS or domain in _REAL:
            continue
        meant = _meant(domain, n, counts, near)
        if meant is not None:
            found[domain] = meant
    return found


def _meant(domain: str, n: int, counts: Mapping[str, int], near: Mapping[str, set[str]]) -> str | None:
    """The domain with an ending that exists, and then the provider or frequent domain that is one slip away."""
    ended = _mended_ending(domain)
    if ended in _PROVIDERS or ended in _REAL:
        return ended
    typed = ended or domain
    candidates = {c for cut in _cuts(typed) for c in near.get(cut, ()) if _one_slip(typed, c)}
    better = {c for c in candidates if c in _PROVIDERS or counts[c] >= _TIMES * n}
    # Of two that are as near nobody can tell which is meant; the more frequent one is the better guess.
    return min(better, key=lambda c: (-counts.get(c, 0), c)) if better else ended


def _mended_ending(domain: str) -> str | None:
    name, _, ending = domain.rpartition(".")
    return f"{name}.{_ENDINGS[ending]}" if name and ending in _ENDINGS else None


def _neighbours(targets: Iterable[str]) -> dict[str, set[str]]:
    """Each target under all it can be cut to: two texts that are one slip apart share one of these."""
    index: dict[str, set[str]] = defaultdict(set)
    for target in targets:
        if len(target.partition(".")[0]) >= _SHORTEST_NAME:
            for cut in _cuts(target):
                index[cut].add(target)
    return index


def _cuts(text: str) -> Iterator[str]:
    """The text, and the text without one of its letters."""
    yield text
    yield from {text[:i] + text[i + 1 :] for i in range(len(text))}


def _one_slip(typed: str, meant: str) -> bool:
    """Whether one letter too many, one missing, one wrong or two that changed places make one of the other."""
    if typed == meant:
        return False
    start = next((i for i, (x, y) in enumerate(zip(typed, meant, strict=False)) if x != y), min(len(typed), len(meant)))
    rest, wanted = typed[start:], meant[start:]
    swapped = rest[1:2] + rest[:1] + rest[2:]
    return rest[1:] == wanted or rest == wanted[1:] or rest[1:] == wanted[1:] or (len(rest) > 1 and swapped == wanted)
