"""A record of customers in dictionaries, written by what the pure rules of a load decide (`bearers`, `changes`).

Here is only what carries the decisions out, as `stages/load/customers.py` and the crosswalk's writing do in the target;
what is right is told by the test.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from source_model import COHORTS, Source

from migration_assets.stages.load.bearers import Change, Recorded, bearers, changes
from migration_assets.stages.rollback.loads import Chosen, Load, choose


@dataclass(frozen=True)
class Place:
    """One row of the record."""

    target_id: str
    stands: bool
    cohort: str


@dataclass(frozen=True)
class Planned:
    """What a load of one cohort is going to do: ids that are not simply minted, recorded rows that change hands or key,
    and the cohort's own rows."""

    borne: dict[str, str]
    changes: tuple[Change, ...]
    rows: dict[str, Place]


@dataclass
class Record:
    """`rows`: source key -> its place; `reserved`: places that a rollback took out and whose ids stay given; `loads`:
    those that stand."""

    rows: dict[str, Place] = field(default_factory=dict)
    reserved: dict[str, Place] = field(default_factory=dict)
    loads: tuple[Load, ...] = ()
    last: int = 0

    def copy(self) -> Record:
        return Record(dict(self.rows), dict(self.reserved), self.loads, self.last)

    def known(self, source: Source) -> list[Recorded]:
        """All rows that bear on who bears which id, and what the source says of them."""
        kept = {k: p for k, p in self.reserved.items() if k not in self.rows}
        rows = [(k, p, False) for k, p in self.rows.items()] + [(k, p, True) for k, p in kept.items()]
        return [
            Recorded(
                key,
                place.target_id,
                place.stands,
                place.cohort,
                str(source.into[int(key)]) if int(key) in source.into else None,
                source.cohort_of(int(key)) if int(key) in source.into else None,
                reserved,
            )
            for key, place, reserved in rows
        ]

    def planned(self, source: Source, cohort: str, *, backwards: bool = False) -> Planned:
        """What loading the cohort will do; `backwards`: with the record read the other way round."""
        known = self.known(source)[:: -1 if backwards else 1]
        founded = {r.target_id for r in known if r.identity is not None and r.target_id == minted(r.key)}
        asked = {r.target_id for r in known} - founded
        returned = {minted(str(n)): str(i) for n, i in source.into.items() if minted(str(n)) in asked}
        borne = bearers(known, minted, returned)
        cohorts = {i: source.cohort[int(i)] for i in borne}
        moved = changes([r for r in known if not r.reserved], borne, cohorts, cohort, COHORTS)
        rows = {}
        for n, identity in source.into.items():
            if source.cohort[identity] == cohort:
                target_id = borne.get(str(identity), minted(str(identity)))
                rows[str(n)] = Place(target_id, n == identity, cohort)
        return Planned(borne, tuple(moved), rows)

    def load(self, plan: Planned, cohort: str) -> bool:
        """Carry it out; whether anything was changed."""
        before = dict(self.rows)
        standing = [c for c in plan.changes if c.key != c.row.key]
        for change in standing:
            for key in (change.key, change.row.key):
                self.rows.pop(key, None)
        self.rows |= {c.key: Place(c.row.target_id, True, c.cohort) for c in standing}
        for change in plan.changes:
            place = self.rows.get(change.key)
            if change.key == change.row.key and place is not None:
                self.rows[change.key] = Place(place.target_id, place.stands, change.cohort)
        self.rows = {k: p for k, p in self.rows.items() if p.cohort != cohort} | plan.rows
        if self.rows == before:
            return False
        self.last += 1
        self.loads = (*self.loads, Load(self.last, cohort, "snapshot"))
        return True

    def take_back(self, cohorts: Collection[str]) -> Chosen:
        """Take the cohorts' rows out; ids that nobody could work out again stay given."""
        chosen = choose(self.loads, cohorts)
        by_id: dict[str, list[str]] = {}
        for key, place in self.rows.items():
            by_id.setdefault(place.target_id, []).append(key)
        for key, place in list(self.rows.items()):
            if place.cohort in cohorts:
                if by_id[place.target_id] != [key] or minted(key) != place.target_id or key in self.reserved:
                    self.reserved[key] = place
                del self.rows[key]
        self.last += 1
        self.loads = tuple(load for load in self.loads if load not in chosen.undone)
        return chosen


def minted(key: str) -> str:
    return f"id of {key}"
