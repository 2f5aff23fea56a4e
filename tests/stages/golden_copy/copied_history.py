"""A source that lives on, and the golden copies taken of it, each from the one before: what tests of deltas share."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from migration_assets.connectors.golden_parquet import ROW
from migration_assets.connectors.source import Source
from migration_assets.plan.models import Plan
from migration_assets.stages.golden_copy.delta import Delta, Earlier, earlier_copy, first_look, take_delta
from migration_assets.stages.golden_copy.export import open_sources, take_golden_copy
from migration_assets.stages.golden_copy.manifest import Manifest, snapshot_id, verify_golden_copy

# By table, the number of the row with each key.
Numbers = dict[str, dict[tuple[object, ...], int]]
BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class History:
    """A source and the copies taken of it, each from the one before."""

    plan: Plan
    url: str
    folder: Path
    thorough: bool = False
    taken: int = 0
    manifest: Manifest = field(init=False)

    def __post_init__(self) -> None:
        self.manifest = take_golden_copy(
            self.plan, self.sources(), self.folder, *self.next(), marks=self.marks(self.last())
        )

    def sources(self) -> Mapping[str, Source]:
        return open_sources(self.plan, lambda *_: self.url)

    def next(self) -> tuple[str, datetime]:
        self.taken += 1
        at = BEGIN + timedelta(minutes=self.taken)
        return self.last(), at

    def last(self) -> str:
        return snapshot_id(BEGIN + timedelta(minutes=self.taken), f"{self.taken:06x}")

    def marks(self, snapshot: str) -> Path:
        return self.folder.parent / "marks" / f"{snapshot}.json"

    def earlier(self) -> Earlier:
        name = self.manifest.snapshot
        return earlier_copy(self.folder / name, self.manifest, self.marks(name), self.plan, thorough=self.thorough)

    def look(self) -> dict[str, int | None]:
        return {s.table: s.changed for s in first_look(self.plan, self.sources(), self.earlier())}

    def falls_quiet(self) -> bool:
        """Whether a look finds nothing but what nobody can tell of, sooner or later: while other transactions are open
        anywhere on the server, as those of tests beside this one, it believes less."""
        for _ in range(100):
            if self.look() == {"crm.shown": None}:
                return True
            time.sleep(0.2)
            assert self.tick() is None
        return False

    def tick(self) -> Delta | None:
        delta = take_delta(self.plan, self.sources(), self.earlier(), *self.next(), self.marks)
        if delta is not None:
            self.manifest = delta.manifest
            verify_golden_copy(self.folder / delta.manifest.snapshot, digest=delta.manifest.digest)
        return delta

    def rows(self) -> dict[str, pa.Table]:
        """The rows of every table as the last copy has them, in order, without their numbers."""
        return _rows(self.folder / self.manifest.snapshot, self.manifest)

    def whole(self) -> Manifest:
        """A whole new copy of the source as it is, in the folder `whole`."""
        return take_golden_copy(self.plan, self.sources(), self.folder.parent / "whole", *self.next())

    def rows_of_whole(self) -> dict[str, pa.Table]:
        """The rows of a whole new copy, as `rows` gives those of the last one."""
        manifest = self.whole()
        return _rows(self.folder.parent / "whole" / manifest.snapshot, manifest)

    def numbers(self) -> Numbers:
        """The number of every row, of tables whose keys tell rows apart."""
        found: Numbers = {}
        for name, entry in self.manifest.tables.items():
            rows = pq.read_table(self.folder / self.manifest.snapshot / entry.file).to_pylist()
            keys = [tuple(row[k] for k in entry.key) for row in rows]
            if len(set(keys)) == len(keys) and not any(None in key for key in keys):
                found[name] = {key: row[ROW] for key, row in zip(keys, rows, strict=True)}
        return found

    def run(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(statement, values)


def _rows(folder: Path, manifest: Manifest) -> dict[str, pa.Table]:
    """Floats as text: zero and minus zero are equal, and are not the same."""
    found = {}
    for name, entry in manifest.tables.items():
        rows = pq.read_table(folder / entry.file).drop_columns([ROW])
        told = [pa.field(f.name, pa.string() if pa.types.is_floating(f.type) else f.type) for f in rows.schema]
        found[name] = rows.cast(pa.schema(told))
    return found
