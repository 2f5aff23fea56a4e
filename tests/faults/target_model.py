"""A target as plain dictionaries: its rows, the record of where they came from, and what each load changed.

What a load does to it is in `load_model`, what a rollback does in `rollback_model`; others do what is here. All values
are text, as PostgreSQL writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from uuid import uuid5

from source_model import COHORTS
from target_world import PLAN_UUID

# Table -> entity, key, and column and table of what its rows point at; parents first.
TABLES = {
    "customers": ("customer", "customer_id", None),
    "subscriptions": ("subscription", "subscription_id", ("customer_id", "customers")),
    "subscription_items": ("subscription_item", "item_id", ("subscription_id", "subscriptions")),
}
TABLE_OF = {entity: table for table, (entity, _, _) in TABLES.items()}
SOURCE_OF = {"customer": "crm.accounts", "subscription": "erp.contracts", "subscription_item": "erp.positions"}

Row = dict[str, str]
Source = tuple[str, int]
"""An entity, and the number of the source row."""
Place = tuple[str, str] | tuple[str, str, int]
"""A row of a table by its id, or the record of a source row (`record`, entity, number)."""


class Refused(Exception):
    """The target or Cutover does not do it, and nothing changes."""


@dataclass(frozen=True)
class Entry:
    """What the record says of a source row: its id, whether it stands there itself or is merged, whether the id was
    minted from it, whose cohort it is, and the row as it was to be in the target."""

    target_id: str
    stands: bool
    founder: bool
    cohort: str
    loaded: tuple[tuple[str, str], ...] = ()


@dataclass
class Change:
    """One load or rollback of the ledger: what was at each place before it and after it. `cohort`: whose load it was,
    empty for a rollback; `taken`: by the rollback of which number it was taken back, 0 if it stands."""

    number: int
    cohort: str
    places: Mapping[Place, tuple[object, object]]
    taken: int = 0


@dataclass
class Target:
    """All that is there. `reserved`: customers that were taken back -> id, and whether they stood there themselves."""

    rows: dict[str, dict[str, Row]] = field(default_factory=lambda: {t: {} for t in TABLES})
    record: dict[Source, Entry] = field(default_factory=dict)
    reserved: dict[int, tuple[str, bool]] = field(default_factory=dict)
    applied: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)

    def copy(self) -> Target:
        """The same, to be changed; what loads have changed is never changed again."""
        return Target(
            deepcopy(self.rows), dict(self.record), dict(self.reserved), set(self.applied), list(self.changes)
        )

    def flat(self) -> dict[Place, object]:
        rows: dict[Place, object] = {(t, i): dict(r) for t, of in self.rows.items() for i, r in of.items()}
        return rows | {("record", *source): entry for source, entry in self.record.items()}

    def changed_since(self, before: Target) -> dict[Place, tuple[object, object]]:
        was, now = before.flat(), self.flat()
        places = sorted(set(was) | set(now), key=str)
        return {p: (was.get(p), now.get(p)) for p in places if was.get(p) != now.get(p)}

    @property
    def next_number(self) -> int:
        return max((c.number for c in self.changes), default=0) + 1

    def standing(self) -> list[str]:
        """Cohorts with loads that stand."""
        return sorted({c.cohort for c in self.changes if c.cohort and not c.taken}, key=COHORTS.index)

    def recorded_rows(self) -> dict[tuple[str, str], Source]:
        """Table and id of each row that the record knows -> its source row."""
        return {(TABLE_OF[s[0]], e.target_id): s for s, e in self.record.items() if e.stands}

    def pointing_at(self, table: str, target_id: str) -> list[tuple[str, str]]:
        """Rows that point at one."""
        return [
            (child, i)
            for child, (_, _, led) in TABLES.items()
            if led is not None and led[1] == table
            for i, row in self.rows[child].items()
            if row[led[0]] == target_id
        ]

    # --- what others do ---

    def put(self, table: str, target_id: str, column: str, value: str) -> None:
        self.rows[table][target_id][column] = value

    def inserted(self, table: str, row: Row) -> None:
        self.rows[table][row[TABLES[table][1]]] = row

    def removed(self, table: str, target_id: str) -> list[tuple[str, str]]:
        """The row goes, and before it what points at it; in which order."""
        gone = [each for child in self.pointing_at(table, target_id) for each in self.removed(*child)]
        del self.rows[table][target_id]
        return [*gone, (table, target_id)]


def minted(entity: str, key: str) -> str:
    return str(uuid5(PLAN_UUID, f"{entity}|{key}"))


def key_of(source: Source) -> str:
    return f"{SOURCE_OF[source[0]]}:{source[1]}"
