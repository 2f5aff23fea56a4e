"""What earlier runs knew and the source does not say any more: who speaks for a row that left it, and whose fate an
erased row decides.

A person's answer names two rows, and an erasure is marked on one. Both are about a customer: what links tied to a row
that was named answers for it when it has left, and what the target holds for one customer with an erased row is not
somebody else because the source has forgotten that (I22). Whom kin lead to when several have left: `kinship`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from migration_assets.control import Kin, Kind
from migration_assets.stages.identities.kinship import GROUPED, LINKED, Answers, Kinship, numbers_of

if TYPE_CHECKING:
    from migration_assets.stages.identities.components import Ints
    from migration_assets.stages.identities.standing import Standing

Pair = tuple[int, int]
Sharing = Callable[[Iterable[str]], Mapping[str, str]]


@dataclass(frozen=True)
class Past:
    """`kin`: what runs remembered (control.KinMemory). `sharing`: gives for canonical keys all rows that stand in the
    target under the id of one of them: key -> target id."""

    kin: Collection[Kin] = ()
    sharing: Sharing = lambda _: {}


NOTHING = Past()


def answered(rows: Standing, answers: Answers, kinship: Kinship) -> dict[Pair, bool]:
    """Answers by standing. An answer about rows of which nobody is left waits for them to come back, and one that names
    the very rows goes before what is said for others.

    For a row that left the source speaks what surely was one customer with it; that it is not somebody else holds for
    all that was, but not against what the source ties to that somebody by now.
    """
    said: dict[Pair, bool] = {}
    named: dict[Pair, bool] = {}
    for pair, same in answers.items():
        ends = [kinship.ends(key, LINKED if same else GROUPED) for key in pair]
        itself = all(key in kinship.number for key in pair)
        into = named if itself else said
        for x, y in product(*ends):
            if x != y and (itself or rows.group[x] != rows.group[y]):
                at = min(x, y), max(x, y)
                into[at] = same and into.get(at, True)
    return said | named


def by_group(rows: Standing, told: Mapping[Pair, bool]) -> dict[Pair, bool]:
    """Answers by who speaks for what links tie together; where rows of two groups were both tied and parted, parted."""
    found: dict[Pair, bool] = {}
    for (a, b), same in told.items():
        low, high = sorted((int(rows.group[a]), int(rows.group[b])))
        found[low, high] = same and found.get((low, high), True)
    return found


# --- who stands for the erased that are gone -----------------------------------------------------------------------


@dataclass(frozen=True)
class StandIns:
    """Rows of the source that stand for one that was erased and has left it; by standing. `certain`: surely one
    customer with it; `erased`: these, and those that may be until a person says otherwise; `held`: only like it.
    `asked`: the erased key and who speaks for the row, where no person has answered; `kin`: who stands for whom, and
    how surely."""

    certain: frozenset[int] = frozenset()
    erased: frozenset[int] = frozenset()
    held: frozenset[int] = frozenset()
    asked: tuple[tuple[str, int], ...] = ()
    kin: tuple[Kin, ...] = ()

    @property
    def all(self) -> frozenset[int]:
        return self.erased | self.held


def stand_ins(rows: Standing, answers: Answers, kinship: Kinship) -> StandIns:
    """Who stands for the erased that are gone. A person's `apart` frees all that links tie to the row it names."""
    said = _said_of_erased(rows, answers, kinship)
    found: dict[Kind, set[int]] = {"erased": set(), "asked": set(), "held": set()}
    asked: dict[tuple[str, int], str] = {}
    sure: set[tuple[str, int]] = set()
    kin: set[Kin] = set()
    for k in _shared(kinship):
        number = kinship.number[k.kin_id]
        of_whom = kinship.one(k.customer_id), int(rows.group[number])
        same = said.get(of_whom, True if k.kind == "erased" else None)
        if same is False:
            continue
        kin.add(k)
        found["erased" if same else k.kind].add(number)
        if same:
            sure.add(of_whom)
        else:
            asked.setdefault(of_whom, k.customer_id)
    erased = found["erased"] | found["asked"]
    open_cases = sorted((asked[of_whom], of_whom[1]) for of_whom in asked.keys() - sure)
    held = frozenset(found["held"] - erased)
    return StandIns(frozenset(found["erased"]), frozenset(erased), held, tuple(open_cases), tuple(sorted(kin)))


def _shared(kinship: Kinship) -> Iterator[Kin]:
    for gone in kinship.gone_erased():
        for key, kind in kinship.sharers(gone).items():
            yield Kin(gone, key, kind)


def _said_of_erased(rows: Standing, answers: Answers, kinship: Kinship) -> dict[tuple[str, int], bool]:
    """What persons said of an erased customer (Kinship.one) and of who speaks for the other row of the pair, or for
    what links had tied to it. Where they said both, the values stay away."""
    found: dict[tuple[str, int], bool] = {}
    for pair, same in answers.items():
        for a, other in (pair, pair[::-1]):
            for end in kinship.ends(other, LINKED):
                at = kinship.one(a), int(rows.group[end])
                found[at] = same or found.get(at, False)
    return found


# --- whose fate the erased decide ----------------------------------------------------------------------------------


def sharing_a_fate(
    rows: Standing, erased: Ints, told: Mapping[Pair, bool], sharing: Sharing, remembered: Collection[Pair] = ()
) -> tuple[Pair, ...]:
    """Pairs of speakers that are one customer of the target, or were (`remembered`: once_one), as far as they lead on
    from one that is erased.

    Over what links tie, what persons have tied, and what has one id in the target; whoever a person has parted is among
    them too, and left to `decide`.
    """
    ties = {pair for pair, same in by_group(rows, told).items() if same}
    reached: set[int] = set()
    fresh = set(rows.group[erased].tolist())
    found: set[Pair] = set()
    while fresh:
        reached |= fresh
        new = _of_one_id(rows, fresh, sharing) | {pair for pair in remembered if fresh & set(pair)}
        found |= new
        fresh = {end for pair in (*new, *ties) if reached & set(pair) for end in pair} - reached
    return tuple(sorted(found))


def once_one(rows: Standing, kinship: Kinship) -> set[Pair]:
    """Pairs of speakers that shared the fate of an erased row before one of them had left the source and come back; or
    of which one stands for such a row."""
    found: set[Pair] = set()
    withheld = kinship.withheld()
    for key in kinship.of.keys() & kinship.number.keys():
        first: tuple[Kind, ...] = GROUPED if key in withheld else ("erased", "asked")
        others = [kinship.number[other] for other, kind in kinship.sharers(key, first).items() if kind != "held"]
        pairs = (sorted(int(rows.group[n]) for n in (kinship.number[key], other)) for other in others)
        found |= {(low, high) for low, high in pairs if low != high}
    return found


def _of_one_id(rows: Standing, speakers: Collection[int], sharing: Sharing) -> set[Pair]:
    members = np.flatnonzero(np.isin(rows.group, np.array(sorted(speakers), dtype=np.int64)))
    given = sharing(rows.keys.take(pa.array(members)).to_pylist())
    of_id: dict[str, set[int]] = {}
    for key, standing in numbers_of(rows, given).items():
        of_id.setdefault(given[key], set()).add(int(rows.group[standing]))
    return {pair for group in of_id.values() for pair in combinations(sorted(group), 2)}


# --- what the next runs have to know -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Together:
    """Who is one customer in this run. `founder` and `sure`: the founder of each row, and the one it has without what a
    person is asked about. `named`: rows that a person has answered about, and who stands for one that is gone;
    `erased`: rows that surely were; `held`: one that was, and one that is not loaded because it looks like it. All by
    standing."""

    rows: Standing
    founder: Ints
    sure: Ints
    named: Collection[int]
    erased: Collection[int]
    held: Collection[Pair]


def kin_of(now: Together, kinship: Kinship) -> frozenset[Kin]:
    """Who stands for whom when the source has lost a row."""
    group, sure = now.rows.group, now.sure
    mine = _members(now.founder, {*now.named, *now.erased, *(m for _, m in now.held)})
    found: set[tuple[int, int, Kind]] = set()
    for a in now.named:
        found |= {(a, b, "link" if group[a] == group[b] else "group") for b in mine[now.founder[a]]}
    for a in now.erased:
        found |= {(a, b, "erased" if sure[a] == sure[b] else "asked") for b in mine[now.founder[a]]}
    for a, m in now.held:
        found |= {(a, b, "held") for b in mine[now.founder[m]]}
    keys = now.rows.keys
    here = {Kin(keys[a].as_py(), keys[b].as_py(), kind) for a, b, kind in found if a != b}
    return frozenset(here | _away(now, kinship))


def _away(now: Together, kinship: Kinship) -> set[Kin]:
    """The same of rows that are gone for now and had been one customer with one of these. While nobody who was erased,
    or is named, is one with those who knew them, they are forgotten."""
    lost: dict[int, set[str]] = {}
    for key in kinship.of.keys() & kinship.number.keys():
        gone = {k.kin_id for k in kinship.of[key] if k.kind != "held" and k.kin_id not in kinship.number}
        lost.setdefault(int(now.founder[kinship.number[key]]), set()).update(gone)
    ends: list[tuple[int, int, Kind]] = [(a, a, "group") for a in now.named]
    ends += [(a, a, "asked") for a in now.erased]
    ends += [(a, m, "held") for a, m in now.held]
    return {
        Kin(now.rows.keys[a].as_py(), gone, kind)
        for a, member, kind in ends
        for gone in lost.get(int(now.founder[member]), ())
    }


def kin_of_named(rows: Standing, answers: Answers, kinship: Kinship) -> frozenset[Kin]:
    """Who speaks in this run for rows that persons have named and that are gone."""
    found: set[Kin] = set()
    for key in {key for pair in answers for key in pair} - kinship.number.keys():
        linked = set(kinship.ends(key, LINKED))
        found |= {Kin(key, rows.keys[n].as_py(), "link") for n in linked}
        found |= {Kin(key, rows.keys[n].as_py(), "group") for n in set(kinship.ends(key, GROUPED)) - linked}
    return frozenset(found)


def kept(
    kin: Collection[Kin], number: Mapping[str, int], *, named: Collection[int], erased: Collection[int]
) -> frozenset[Kin]:
    """What was known and this run cannot find anew, because one of the two is gone: all kin of a row that is, and of
    one that is `named` or `erased` (kin_of) those that are."""
    mine: Mapping[Kind, Collection[int]] = {"link": named, "group": named, "erased": erased, "asked": erased}
    return frozenset(
        k
        for k in kin
        if k.customer_id not in number or (k.kin_id not in number and number[k.customer_id] in mine.get(k.kind, ()))
    )


def _members(founder: Ints, standings: Collection[int]) -> dict[int, list[int]]:
    """Founder -> all rows of its identity, for the identities of these rows."""
    asked = np.flatnonzero(np.isin(founder, founder[np.array(sorted(standings), dtype=np.int64)]))
    found: dict[int, list[int]] = {}
    for member, first in zip(asked.tolist(), founder[asked].tolist(), strict=True):
        found.setdefault(first, []).append(member)
    return found
