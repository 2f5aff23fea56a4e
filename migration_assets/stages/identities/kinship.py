"""Who stands for a row that left the source: kin, as runs remembered them, followed from one row that is gone to the
next until there are rows that the source has.

Kin are known by canonical key, rows by standing. What follows from it for a run is in `past`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from migration_assets.control import Kin, Kind
from migration_assets.stages.identities.components import components

if TYPE_CHECKING:
    from migration_assets.stages.identities.standing import Standing

Answers = Mapping[tuple[str, str], bool]
# Kinds of kin that surely were one customer with the row, and all that were.
LINKED: tuple[Kind, ...] = ("link", "erased")
GROUPED: tuple[Kind, ...] = (*LINKED, "group", "asked")
# Kinds of kin that tell whose fate a row that was erased decides, the surest first.
OF_ERASED: tuple[Kind, ...] = ("erased", "asked", "held")
# How sure it is at most that a fate goes on over kin of this kind (its place in OF_ERASED).
_SURE_AT_MOST: Mapping[Kind, int] = {"link": 0, "erased": 0, "group": 1, "asked": 1, "held": 2}


def numbers_of(rows: Standing, keys: Iterable[str]) -> dict[str, int]:
    """Standing of those of the keys that the source has."""
    each = list(dict.fromkeys(keys))
    found = rows.numbers(pa.array(each, pa.string())).to_pylist()
    return {key: n for key, n in zip(each, found, strict=True) if n is not None}


@dataclass(frozen=True)
class Kinship:
    """`number`: standing of those rows the source has, of all that kin and answers name; `of`: row -> its kin, but for
    those from whom a person has parted it."""

    number: Mapping[str, int]
    of: Mapping[str, Sequence[Kin]]

    @classmethod
    def read(cls, rows: Standing, kin: Collection[Kin], answers: Answers, others: Iterable[str] = ()) -> Kinship:
        """`others`: keys to be looked up besides those of kin and answers."""
        named = [key for pair in answers for key in pair]
        of: dict[str, list[Kin]] = {}
        for k in sorted(kin):
            if answers.get((min(k.customer_id, k.kin_id), max(k.customer_id, k.kin_id))) is not False:
                of.setdefault(k.customer_id, []).append(k)
        keys = (*named, *others, *(key for k in kin for key in (k.customer_id, k.kin_id)))
        return cls(numbers_of(rows, keys), of)

    def ends(self, key: str, kinds: Collection[Kind]) -> list[int]:
        """The row itself, or those who stand for it when it is gone, over kin of these kinds only."""
        seen, left = {key}, [key]
        found: set[int] = set()
        while left:
            at = left.pop()
            if at in self.number:
                found.add(self.number[at])
                continue
            new = {k.kin_id for k in self.of.get(at, ()) if k.kind in kinds} - seen
            seen |= new
            left += new
        return sorted(found)

    def gone_erased(self) -> list[str]:
        """Rows that were erased, or surely one customer with one that was, and have left; who was erased first."""
        return sorted(self._gone_erased, key=self._order)

    @cached_property
    def _gone_erased(self) -> frozenset[str]:
        gone = ((key, kin) for key, kin in self.of.items() if key not in self.number)
        return frozenset(key for key, kin in gone if any(k.kind in OF_ERASED for k in kin))

    def sharers(self, key: str, first: Collection[Kind] = OF_ERASED) -> dict[str, Kind]:
        """Rows of the source to whom the fate of this row leads, and how surely. `first`: kinds of its own kin that
        count; further on it is all.

        Whoever surely was one customer with it and has kin by the same right is followed from there.
        """
        best: dict[str, int] = {}
        left = [(key, 0)]
        while left:
            at, sure = left.pop()
            for k in self.of.get(at, ()):
                level = max(sure, _SURE_AT_MOST[k.kind])
                if (at == key and k.kind not in first) or k.kin_id == key or level >= best.get(k.kin_id, 9):
                    continue
                best[k.kin_id] = level
                if k.kin_id not in self.number and (level or k.kin_id not in self._gone_erased):
                    left.append((k.kin_id, level))
        return {other: OF_ERASED[level] for other, level in best.items() if other in self.number}

    def withheld(self) -> frozenset[str]:
        """Rows that shared the fate of an erased one."""
        return frozenset(k.kin_id for kin in self.of.values() for k in kin if k.kind in ("erased", "asked"))

    def one(self, key: str) -> str:
        """One name for all rows that surely were the same erased customer."""
        return self._names.get(key, key)

    @cached_property
    def _names(self) -> Mapping[str, str]:
        pairs = [(k.customer_id, k.kin_id) for kin in self.of.values() for k in kin if k.kind == "erased"]
        keys = sorted({key for pair in pairs for key in pair}, key=self._order)
        place = {key: n for n, key in enumerate(keys)}
        lowest = components(len(keys), [(place[a], place[b]) for a, b in pairs])
        return {key: keys[low] for key, low in zip(keys, lowest, strict=True)}

    def _order(self, key: str) -> tuple[bool, str]:
        """Who was erased itself stands before those who only were one customer with it."""
        return key in self._followed, key

    @cached_property
    def _followed(self) -> frozenset[str]:
        return frozenset(k.kin_id for kin in self.of.values() for k in kin if k.kind == "erased")
