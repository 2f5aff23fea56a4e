"""What earlier runs knew and the source does not say any more: who speaks for a row that left it, and whose fate an
erased row decides.

A person's answer names two rows, and an erasure is marked on one. Both are about a customer: what links tied to a row
that was named answers for it when it has left, and what the target holds for one customer with an erased row is not
somebody else because the source has forgotten that (I22).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from migration_assets.control import Kin, Kind

if TYPE_CHECKING:
    from migration_assets.stages.identities.components import Ints
    from migration_assets.stages.identities.standing import Standing

Pair = tuple[int, int]
Answers = Mapping[tuple[str, str], bool]
# Kinds of kin that surely were one customer with the row.
_ONE = ("link", "erased")
# Kinds of kin that tell whose fate a row that was erased decides.
_OF_ERASED = ("erased", "asked", "held")
Sharing = Callable[[Iterable[str]], Mapping[str, str]]


@dataclass(frozen=True)
class Past:
    """`kin`: what runs remembered (control.KinMemory). `sharing`: gives for canonical keys all rows that stand in the
    target under the id of one of them: key -> target id."""

    kin: Collection[Kin] = ()
    sharing: Sharing = lambda _: {}


NOTHING = Past()


def answered(rows: Standing, answers: Answers, kin: Collection[Kin]) -> dict[Pair, bool]:
    """Answers by standing. An answer about rows of which nobody is left waits for them to come back, and one that names
    the very rows goes before what is said for others.

    For a row that left the source speaks what surely was one customer with it; that it is not somebody else holds for
    all that was.
    """
    number = _numbers(rows, [*(k for pair in answers for k in pair), *(k.kin_id for k in kin)])
    linked, grouped = (_standing_for(number, kin, kinds) for kinds in (_ONE, (*_ONE, "group")))
    said: dict[Pair, bool] = {}
    named: dict[Pair, bool] = {}
    for pair, same in answers.items():
        others = linked if same else grouped
        ends = [[number[key]] if key in number else others.get(key, []) for key in pair]
        into = named if all(key in number for key in pair) else said
        for at in ((min(x, y), max(x, y)) for x in ends[0] for y in ends[1] if x != y):
            into[at] = same and into.get(at, True)
    return said | named


def _standing_for(number: Mapping[str, int], kin: Collection[Kin], kinds: Collection[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for k in kin:
        if k.kind in kinds and k.kin_id in number:
            found.setdefault(k.customer_id, []).append(number[k.kin_id])
    return found


def by_group(rows: Standing, told: Mapping[Pair, bool]) -> dict[Pair, bool]:
    """Answers by who speaks for what links tie together; where rows of two groups were both tied and parted, parted."""
    found: dict[Pair, bool] = {}
    for (a, b), same in told.items():
        low, high = sorted((int(rows.group[a]), int(rows.group[b])))
        found[low, high] = same and found.get((low, high), True)
    return found


@dataclass(frozen=True)
class Bereft:
    """Rows that stood together with one that was erased and left the source since; by standing. `certain`: one customer
    with it; `erased`: these, and those that the target holds for one with it, until a person says otherwise; `held`:
    only like it. `asked`: the erased key and who speaks for the row, where no person has answered."""

    certain: frozenset[int] = frozenset()
    erased: frozenset[int] = frozenset()
    held: frozenset[int] = frozenset()
    asked: tuple[tuple[str, int], ...] = ()


def bereft(rows: Standing, answers: Answers, kin: Collection[Kin]) -> Bereft:
    """Who stands for the erased that are gone. A person's `apart` frees all that links tie to the row it names."""
    about = [k for k in kin if k.kind in _OF_ERASED]
    number = _numbers(rows, [key for k in about for key in (k.customer_id, k.kin_id)])
    said = _said_of_gone(rows, answers)
    found: dict[str, set[int]] = {"erased": set(), "asked": set(), "held": set()}
    asked: set[tuple[str, int]] = set()
    for k in (k for k in about if k.customer_id not in number and k.kin_id in number):
        speaker = int(rows.group[number[k.kin_id]])
        same = said.get((k.customer_id, speaker), True if k.kind == "erased" else None)
        if same is None:
            asked.add((k.customer_id, speaker))
        if same is not False:
            found["erased" if same else k.kind].add(number[k.kin_id])
    erased = found["erased"] | found["asked"]
    held = found["held"] - erased
    return Bereft(frozenset(found["erased"]), frozenset(erased), frozenset(held), tuple(sorted(asked)))


def _said_of_gone(rows: Standing, answers: Answers) -> dict[tuple[str, int], bool]:
    """What persons said of keys that the source may not have and of who speaks for the other row of the pair."""
    known = _numbers(rows, [key for pair in answers for key in pair])
    return {
        (gone, int(rows.group[known[other]])): same
        for pair, same in answers.items()
        for gone, other in (pair, pair[::-1])
        if other in known
    }


def gone(rows: Standing, kin: Collection[Kin]) -> frozenset[str]:
    """Rows that something is remembered of and that the source has no more."""
    keys = {k.customer_id for k in kin}
    return frozenset(keys - _numbers(rows, keys).keys())


def sharing_a_fate(rows: Standing, erased: Ints, told: Mapping[Pair, bool], sharing: Sharing) -> tuple[Pair, ...]:
    """Pairs of speakers that are one customer of the target, as far as they lead on from one that is erased.

    Over what links tie, what persons have tied, and what has one id in the target; whoever a person has parted is among
    them too, and left to `decide`.
    """
    ties = {pair for pair, same in by_group(rows, told).items() if same}
    reached: set[int] = set()
    fresh = set(rows.group[erased].tolist())
    found: set[Pair] = set()
    while fresh:
        reached |= fresh
        new = _of_one_id(rows, fresh, sharing)
        found |= new
        fresh = {end for pair in (*new, *ties) if reached & set(pair) for end in pair} - reached
    return tuple(sorted(found))


def _of_one_id(rows: Standing, speakers: Collection[int], sharing: Sharing) -> set[Pair]:
    members = np.flatnonzero(np.isin(rows.group, np.array(sorted(speakers), dtype=np.int64)))
    given = sharing(rows.keys.take(pa.array(members)).to_pylist())
    number = _numbers(rows, list(given))
    of_id: dict[str, set[int]] = {}
    for key, standing in number.items():
        of_id.setdefault(given[key], set()).add(int(rows.group[standing]))
    return {pair for group in of_id.values() for pair in combinations(sorted(group), 2)}


def _numbers(rows: Standing, keys: Collection[str]) -> dict[str, int]:
    """Standing of those of the keys that the source has."""
    each = list(dict.fromkeys(keys))
    found = rows.numbers(pa.array(each, pa.string())).to_pylist()
    return {key: n for key, n in zip(each, found, strict=True) if n is not None}


# --- what the next runs have to know -------------------------------------------------------------------------------


def kin_of(
    rows: Standing,
    founder: Ints,
    sure: Ints,
    *,
    named: Collection[int],
    erased: Collection[int],
    held: Collection[Pair],
) -> tuple[Kin, ...]:
    """Who stands for whom when the source has lost a row, by standing.

    `founder` and `sure`: the founder of each row, and the one it has without what a person is asked about. `named`:
    rows that a person has answered about; `erased`: rows that surely were; `held`: one that was, and one that is not
    loaded because it looks like it.
    """
    mine = _members(founder, {*named, *erased, *(m for _, m in held)})
    found: set[tuple[int, int, Kind]] = set()
    for a in named:
        found |= {(a, b, "link" if rows.group[a] == rows.group[b] else "group") for b in mine[founder[a]]}
    for a in erased:
        found |= {(a, b, "erased" if sure[a] == sure[b] else "asked") for b in mine[founder[a]]}
    for a, m in held:
        found |= {(a, b, "held") for b in mine[founder[m]]}
    return tuple(sorted(Kin(rows.keys[a].as_py(), rows.keys[b].as_py(), kind) for a, b, kind in found if a != b))


def _members(founder: Ints, standings: Collection[int]) -> dict[int, list[int]]:
    """Founder -> all rows of its identity, for the identities of these rows."""
    asked = np.flatnonzero(np.isin(founder, founder[np.array(sorted(standings), dtype=np.int64)]))
    found: dict[int, list[int]] = {}
    for member, first in zip(asked.tolist(), founder[asked].tolist(), strict=True):
        found.setdefault(first, []).append(member)
    return found
