"""What a load is asked to do, and what it says that it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from migration_assets.stages.load.conflicts import Conflict, Settlement
from migration_assets.stages.load.hold import LOCK_SECONDS


@dataclass(frozen=True)
class LoadOrder:
    """Which load this is. `loaded_at` and `run_id` come from the caller: nothing here reads a clock.

    `lock_seconds`: how long to wait for another load of the same plan before giving up. `settlement`: what becomes of
    rows that others have changed since they were loaded. `work_folder` and `kept_folder`: where files lie while it
    runs, and where hashes of what was loaded lie for the next load; without that one everything is compared.
    `package_rows`: a cohort that is new and has more rows is loaded in packages of so many, each a transaction.
    """

    cohort: str
    snapshot: str
    run_id: str
    loaded_at: datetime
    dry_run: bool = False
    lock_seconds: int = LOCK_SECONDS
    work_folder: Path | None = None
    kept_folder: Path | None = None
    package_rows: int | None = None
    settlement: Settlement = field(default_factory=Settlement)


@dataclass(frozen=True)
class TableResult:
    """What a load did to one table, in rows.

    Each number is taken by itself, so that they can contradict each other: `planned` are canonical rows counted by the
    engine, `inserted` and `updated` what the target says it wrote, `unchanged` those it compared and left, `found` the
    load's rows that the target holds when everything is written (None for the record itself, which is not counted).
    `spared` are rows the load does not have any more and left there, because rows of another cohort point at them;
    `led` references of other cohorts to rows that are merged by now, which were led to the survivor.
    """

    table: str
    planned: int
    inserted: int
    updated: int
    unchanged: int
    deleted: int = 0
    found: int | None = None
    spared: int = 0
    led: int = 0

    @property
    def written(self) -> int:
        return self.inserted + self.updated + self.deleted + self.led


@dataclass(frozen=True)
class LoadResult:
    """What a load did. `crosswalk` counts rows of the record, `tables` those of the target itself, parents first;
    `handed_over` are rows of the record that changed cohort or key, this one's or another's; `receivers` the other
    cohorts that were given rows, and have to be loaded after this one; `conflicts` what others have changed and the
    load has left, `overwritten` how many columns they had changed that it wrote all the same; `in_ledger`: whether the
    ledger has an entry of this load; `outstanding`: canonical rows that come in further packages."""

    cohort: str
    tables: tuple[TableResult, ...]
    crosswalk: TableResult
    dry_run: bool = False
    handed_over: int = 0
    receivers: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    overwritten: int = 0
    in_ledger: bool = False
    outstanding: int = 0

    @property
    def rows_written(self) -> int:
        """Rows of the target's own tables that were inserted, updated or deleted, and references that were led."""
        return sum(t.written for t in self.tables)

    @property
    def recorded(self) -> bool:
        """Whether the load has changed anything, the record of this cohort or another's included."""
        return self.in_ledger or self.handed_over > 0

    @property
    def touched_others(self) -> bool:
        """Whether rows or record of other cohorts were changed too."""
        return self.handed_over > 0 or bool(self.receivers) or any(t.led for t in self.tables)

    @property
    def rows_removed(self) -> int:
        """Those of them that were deleted, because this load does not have them any more."""
        return sum(t.deleted for t in self.tables)


def together(packages: Sequence[LoadResult]) -> LoadResult:
    """What the packages of one load did, as one result. What an earlier one inserted is not unchanged in a later one;
    what was planned and found is what the last one says."""
    *earlier, last = packages
    if not earlier:
        return last
    tables = tuple(_added([t for p in earlier for t in p.tables if t.table == now.table], now) for now in last.tables)
    return replace(
        last,
        tables=tables,
        crosswalk=_added([p.crosswalk for p in earlier], last.crosswalk),
        handed_over=sum(p.handed_over for p in packages),
        receivers=tuple(sorted({c for p in packages for c in p.receivers})),
        overwritten=sum(p.overwritten for p in packages),
        in_ledger=any(p.in_ledger for p in packages),
    )


def _added(earlier: Sequence[TableResult], last: TableResult) -> TableResult:
    inserted = sum(t.inserted for t in earlier)
    return replace(last, inserted=last.inserted + inserted, unchanged=last.unchanged - inserted)
