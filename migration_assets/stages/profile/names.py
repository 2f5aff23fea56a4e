"""What the name of a column suggests: an amount, an end date, a phone number, a reference to another table.

A name only decides which questions are asked of a column, never what is done to its values.
"""

from __future__ import annotations

import re

_AMOUNT = {"amount", "price", "total", "subtotal", "quantity", "qty", "seats", "fee", "fees", "cost", "charge"}
_AMOUNT |= {"charges", "freight", "tax", "count"}
_SIGNED = {"credit", "adjustment", "refund", "discount", "balance", "delta", "change", "difference", "reversal"}
_PLANNED = {"end", "ends", "ending", "until", "to", "expiry", "expires", "expiration", "due", "renewal", "renews"}
_PLANNED |= {"next", "through", "target"}
_PHONE = {"phone", "mobile", "telephone", "tel", "fax"}
_EMAIL = {"email", "mail"}
_WRITTEN = (frozenset(("updated", "modified", "changed")), frozenset(("created", "inserted", "issued")))
_STARTS = ("start", "starts", "begin", "begins", "from", "created", "issued", "opened", "order", "sell")
_ENDS = ("end", "ends", "until", "to", "closed", "due", "ship", "expires", "expiry", "through")


def words(name: str) -> tuple[str, ...]:
    """The words of a column name: `StartDate`, `start_date` and `START-DATE` are start and date."""
    spaced = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3 \2\4", name)
    return tuple(w for w in re.split(r"[^a-z0-9]+", spaced.lower()) if w)


def is_amount(name: str) -> bool:
    """A quantity or an amount of money that has no business being negative."""
    return bool(_AMOUNT & set(words(name))) and not _SIGNED & set(words(name))


def is_planned(name: str) -> bool:
    """A date that may well lie in the future."""
    return bool(_PLANNED & set(words(name)))


def is_phone(name: str) -> bool:
    return bool(_PHONE & set(words(name)))


def is_email(name: str) -> bool:
    return bool(_EMAIL & set(words(name))) and not {"marketing", "consent", "opt"} & set(words(name))


def is_identifier(name: str) -> bool:
    """A number that names something: neither large nor small."""
    return bool({"id", "key", "number", "no", "code", "zip", "postcode", "uuid", "guid"} & set(words(name)))


def newest_rank(name: str, declared: str | None) -> int | None:
    """How well a column tells when a row was written: 0 is best, None not at all."""
    if name == declared:
        return 0
    if is_planned(name):
        return None
    return next((i + 1 for i, known in enumerate(_WRITTEN) if known & set(words(name))), None)


def date_pairs(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """(start, end) columns that belong together: equal but for a word that says start and one that says end."""
    starts = {(p, _rest(n, w)): n for n in names for p, w in enumerate(_STARTS) if w in words(n)}
    ends = [(n, _rest(n, w)) for n in names for w in _ENDS if w in words(n)]
    pairs = {(s, end) for end, rest in ends for (_, r), s in starts.items() if r == rest and s != end}
    return sorted(pairs)


def _rest(name: str, word: str) -> tuple[str, ...]:
    return tuple(w for w in words(name) if w != word)


def refers_to(column: str, table: str, key: str) -> bool:
    """The column's name says the key of the table: `customer_id` or `BillToCustomerID` of `crm.customers`."""
    own = words(column)
    bare = words(table.partition(".")[2])
    if own == words(key) and len(own) > 1:
        return True
    if not own or own[-1] not in ("id", "key", "code", "ref", "number", "no"):
        return False
    stem = own[:-1][-len(bare) :]
    return bool(stem) and (*stem[:-1], _one(stem[-1])) == (*bare[:-1], _one(bare[-1]))


def _one(word: str) -> str:
    """The singular of a table's name, roughly: enough to compare two names by."""
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
