"""Who bears which id, told naively: every way to give ids is tried, and the one that the rule describes is taken.

Shares no code with `stages/load/bearers.py`; slow, and for a handful of customers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Known:
    """A source row that the target remembers: under which id, whether as the row that stands there, and which customer
    the source says it is now (None: it has left). `was_taken_back`: it is in the record no more."""

    key: str
    target_id: str
    stands: bool
    customer: str | None
    was_taken_back: bool = False


Claim = tuple[int, str]
Claims = tuple[tuple[tuple[str, str], Claim], ...]


def ids_of_customers(
    known: Sequence[Known], minted: Callable[[str], str], customers: Mapping[str, str]
) -> dict[str, str]:
    """Customer -> id, for every customer now. `customers`: source row -> customer, of all that the source has."""
    claims = dict[tuple[str, str], Claim]()
    standing = {k.target_id for k in known if k.stands}
    # Whoever bore an id, and was not there when it was given again, is one that comes back.
    there = {k.target_id for k in known if k.stands and not k.was_taken_back}
    late = {k.key for k in known if k.was_taken_back and k.stands and k.target_id in there}
    for k in known:
        if k.customer is None or k.target_id not in standing:
            continue
        if k.key in late:
            claim = (4, k.key)
        elif k.target_id == minted(k.key):
            claim = (0, k.key)
        elif not k.stands:
            claim = (3, k.key)
        else:
            claim = (1 if k.key == k.customer else 2, k.key)
        at = (k.customer, k.target_id)
        claims[at] = min(claim, claims.get(at, claim))
    remembered = {k.target_id for k in known if k.customer is not None and k.target_id == minted(k.key)}
    for row, customer in customers.items():
        if minted(row) in standing - remembered:
            claims.setdefault((customer, minted(row)), (4, customer))
    keeps = {(k.customer, k.target_id) for k in known if k.stands and k.key == k.customer and k.key not in late}
    founded = frozenset((c, i) for c, i in claims if minted(c) == i)
    given = dict(_fairest(tuple(sorted(claims.items())), frozenset(k for k in keeps if k in claims), founded))
    taken = {k.target_id for k in known}
    for customer in sorted(set(customers.values()) - set(given)):
        own = minted(customer)
        if own in given.values():
            number = 2
            while minted(f"{customer}|{number}") in taken:
                number += 1
            own = minted(f"{customer}|{number}")
        given[customer] = own
    return given


@lru_cache(maxsize=50_000)
def _fairest(
    claims: Claims, keeps: frozenset[tuple[str | None, str]], founded: frozenset[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Of all ways to give each id to one customer at most in which no customer and no id would rather have each other,
    the one that every customer likes best."""
    strength = dict(claims)

    def liking(customer: str, target_id: str | None) -> tuple[object, ...]:
        if target_id is None:
            return (2,)
        at = (customer, target_id)
        return (at not in keeps, strength[at][0], at not in founded, strength[at][1], target_id)

    fair = [way for way in _ways(tuple(strength)) if _is_fair(way, strength, liking)]
    customers = sorted({c for c, _ in strength})
    return min(fair, key=lambda way: [liking(c, dict(way).get(c)) for c in customers])


def _ways(pairs: tuple[tuple[str, str], ...]) -> Iterator[tuple[tuple[str, str], ...]]:
    if not pairs:
        yield ()
        return
    first = pairs[0]
    yield from _ways(pairs[1:])
    rest = tuple(p for p in pairs[1:] if p[0] != first[0] and p[1] != first[1])
    for way in _ways(rest):
        yield (first, *way)


def _is_fair(
    way: tuple[tuple[str, str], ...],
    strength: Mapping[tuple[str, str], Claim],
    liking: Callable[[str, str | None], tuple[object, ...]],
) -> bool:
    has, had_by = dict(way), {i: c for c, i in way}
    for customer, target_id in strength:
        rival = had_by.get(target_id)
        wants = liking(customer, target_id) < liking(customer, has.get(customer))
        would = rival is None or strength[customer, target_id] < strength[rival, target_id]
        if wants and would:
            return False
    return True
