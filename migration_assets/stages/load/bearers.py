"""Which customer bears which target id, when customers merge, part, vanish and come back. A pure rule; knows no tables.

An id, once given, stays with somebody of those it stood for, unless they all went up in customers that have one:
survivors may change, ids do not. Everything is decided over all cohorts at once, so that each comes to the same answer
whichever is loaded first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True)
class Recorded:
    """One customer row of the target's crosswalk, and what the source says of it now.

    `key`: its canonical key; `loaded`: it stands in the target itself, and is not merged into the row that has the id;
    `identity`: the customer it belongs to now (a canonical key), None when the source no longer has the row; `cohort`:
    the cohort it was recorded for; `cohort_now`: the one its source row lies in; `reserved`: it was taken back, and the
    crosswalk no longer has it, but whom the id stood for is known.
    """

    key: str
    target_id: str
    loaded: bool
    cohort: str
    identity: str | None = None
    cohort_now: str | None = None
    reserved: bool = False


# How good a claim to an id is, the best first.
_FOUNDED, _BORNE, _SURVIVED, _MERGED, _RETURNED = range(5)


def bearers(
    recorded: Collection[Recorded], minted: Callable[[str], str], returned: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Identity -> target id, for every identity whose id is not simply the one minted from its key, and for some
    others; each id and each identity occurs once.

    `minted` gives the id that a key would be given by the rule. `returned`: target id -> identity of the row it was
    minted from, where that row is in the source and the crosswalk has forgotten that it bore this id.

    Only an id that stands in the target can be had. A customer keeps the one it bears, unless that one's founder (the
    row it was minted from) is parted from it and bears none: an unmerge leaves the id with its founder. An id whose
    bearer is gone goes to the first, by key, of those it stood for that bear none. One that comes back after its id
    went to another is given a new one; so is one that was taken back and away when its id was given again.
    """
    claims = _claims(recorded, minted, returned or {})
    lost = _given_since(recorded)
    keeps = {
        (row.target_id, row.identity) for row in recorded if row.loaded and row.key == row.identity and row not in lost
    }
    wanted: dict[str, list[str]] = {}
    for target_id, identity in sorted(
        claims, key=lambda c: (c not in keeps, claims[c][0], c[0] != minted(c[1]), claims[c][1], c[0])
    ):
        wanted.setdefault(identity, []).append(target_id)
    borne = _matched(wanted, claims)
    used = {row.target_id for row in recorded}
    return borne | _given_anew(set(wanted) - set(borne), used, borne, minted)


def _claims(
    recorded: Collection[Recorded], minted: Callable[[str], str], returned: Mapping[str, str]
) -> dict[tuple[str, str], tuple[int, str]]:
    """(target id, identity) -> how good the identity's claim to it is, and the row that gives it."""
    standing = {row.target_id for row in recorded if row.loaded}
    lost = _given_since(recorded)
    claims: dict[tuple[str, str], tuple[int, str]] = {}
    for row in recorded:
        if row.identity is not None and row.target_id in standing:
            claim = (_RETURNED if row in lost else _strength(row, minted), row.key)
            at = (row.target_id, row.identity)
            claims[at] = min(claim, claims.get(at, claim))
    for target_id, identity in returned.items():
        if target_id in standing:
            claims.setdefault((target_id, identity), (_RETURNED, identity))
    return claims


def _given_since(recorded: Collection[Recorded]) -> set[Recorded]:
    """Rows that bore an id when they were taken back, and whose id stands under another key by now."""
    there = {row.target_id for row in recorded if row.loaded and not row.reserved}
    return {row for row in recorded if row.reserved and row.loaded and row.target_id in there}


def _matched(wanted: dict[str, list[str]], claims: Mapping[tuple[str, str], tuple[int, str]]) -> dict[str, str]:
    """Each identity asks for the ids it wants, best first; an id takes the best claim it hears (Gale and Shapley's
    deferred acceptance, whose outcome does not depend on who asks first)."""
    held: dict[str, str] = {}
    asking = sorted(wanted)
    while asking:
        identity = asking.pop()
        for target_id in wanted[identity]:
            rival = held.get(target_id)
            if rival is None or claims[target_id, identity] < claims[target_id, rival]:
                held[target_id] = identity
                if rival is not None:
                    asking.append(rival)
                break
    return {identity: target_id for target_id, identity in held.items()}


def _strength(row: Recorded, minted: Callable[[str], str]) -> int:
    if row.target_id == minted(row.key):
        return _FOUNDED
    if not row.loaded:
        return _MERGED
    return _BORNE if row.key == row.identity else _SURVIVED


def _given_anew(
    left: Collection[str], used: Collection[str], borne: Mapping[str, str], minted: Callable[[str], str]
) -> dict[str, str]:
    """New ids for those whose own is borne by another: the first of `<key>|2`, `<key>|3` ... that nobody has."""
    others = set(borne.values())
    return {
        identity: next(i for n in count(2) if (i := minted(f"{identity}|{n}")) not in used)
        for identity in left
        if minted(identity) in others
    }


@dataclass(frozen=True)
class Change:
    """A recorded row, and the canonical key and cohort under which it has to stand from now on."""

    row: Recorded
    key: str
    cohort: str


def changes(
    recorded: Collection[Recorded],
    borne: Mapping[str, str],
    cohort_of: Mapping[str, str],
    cohort: str,
    planned: Collection[str],
) -> list[Change]:
    """What has to change in the record. `borne`: identity -> target id; `cohort_of`: identity -> cohort.

    The row that stands in the target stands under the key of its bearer and in the bearer's cohort, whichever cohort is
    being loaded: under another key it could be written over. Any other row goes where its source row is, when
    `cohort` is where it comes from or goes to, or when it was recorded for a cohort that is no longer planned; of what
    nobody has any more the cohort that it was recorded for takes care.
    """
    bearer = {target_id: identity for identity, target_id in borne.items()}
    found = []
    for row in recorded:
        key, now = row.key, row.cohort_now or row.cohort
        if row.loaded and row.target_id in bearer:
            key = bearer[row.target_id]
            now = cohort_of[key]
        between = cohort in (now, row.cohort) or row.cohort not in planned
        if key != row.key or (now != row.cohort and between):
            found.append(Change(row, key, now))
    return found
