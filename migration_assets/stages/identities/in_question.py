"""Customer rows that evidence, an answer or a fate is about, numbered anew so that `decide` sees only those."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from migration_assets.stages.identities.components import Ints
from migration_assets.stages.identities.decide import Likely

if TYPE_CHECKING:
    from migration_assets.stages.identities.standing import Standing

Pair = tuple[int, int]


@dataclass(frozen=True)
class InQuestion:
    """Rows that evidence or an answer is about, with all that links tie to them, numbered anew in their standing."""

    rows: Standing
    standings: Ints

    @classmethod
    def of(cls, rows: Standing, named: Iterable[int]) -> InQuestion:
        """These rows, by standing, and all that links tie to them."""
        groups = np.unique(rows.group[np.array(list(named), dtype=np.int64)])
        return cls(rows, np.flatnonzero(np.isin(rows.group, groups)))

    def standing(self, pair: Pair) -> Pair:
        return int(self.standings[pair[0]]), int(self.standings[pair[1]])

    def number(self, standing: int) -> int:
        return int(np.searchsorted(self.standings, standing))

    def numbers_of(self, standings: Ints) -> frozenset[int]:
        mine = standings[np.isin(standings, self.standings)]
        return frozenset(np.searchsorted(self.standings, mine).tolist())

    def links(self) -> list[tuple[int, int]]:
        group = self.rows.group[self.standings]
        ties = zip(group.tolist(), range(len(self.standings)), strict=True)
        return [(self.number(low), member) for low, member in ties if self.standings[member] != low]

    def likely(self, pairs: list[Likely]) -> list[Likely]:
        return [replace(p, a=self.number(p.a), b=self.number(p.b)) for p in pairs]

    def answers(self, told: Mapping[Pair, bool]) -> dict[Pair, bool]:
        known = set(self.standings.tolist())
        return {(self.number(a), self.number(b)): same for (a, b), same in told.items() if {a, b} <= known}

    def keys(self) -> pa.StringArray:
        return self.rows.keys.take(pa.array(self.standings))
