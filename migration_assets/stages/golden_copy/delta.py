"""The next golden copy out of the one before: what did not change is shared with it, what changed is brought over.

The copy is what a whole new one of the same state of the sources would be, row for row in the same order, but that rows
keep the numbers they had (`numbers`). Only rows that may have changed are read where a source can tell them
(`connectors`); whatever it cannot tell for sure is read whole and compared. Deletions are never told by a time stamp.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from migration_assets.connectors.golden_parquet import ROW
from migration_assets.connectors.source import UNKNOWN, Look, Report, Snapshot, Source, Trail, no_report
from migration_assets.domain.errors import DeltaUnbalanced
from migration_assets.plan.entries import read_from, whose_text
from migration_assets.plan.models import Plan
from migration_assets.stages.golden_copy.changes import TableChanges, counted, unchanged
from migration_assets.stages.golden_copy.export import entry_of, marks_of, read_whole, refuse_empty, resealed, sealed
from migration_assets.stages.golden_copy.folder import new_folder
from migration_assets.stages.golden_copy.follow import follow
from migration_assets.stages.golden_copy.manifest import Manifest, TableEntry, verify_golden_copy
from migration_assets.stages.golden_copy.marks import read_marks, write_marks
from migration_assets.stages.golden_copy.numbers import keep_numbers
from migration_assets.stages.golden_copy.tasks import FaultsOf, Task, snapshots_of, tasks_of

# Where more than this part of a table may have changed, reading it whole is no dearer.
_MUCH = 0.3


@dataclass(frozen=True)
class Earlier:
    """The copy that the next one is made from: its folder, its manifest, and the marks left with it.

    Without marks everything is read, which is also the check of the marks themselves.
    """

    folder: Path
    manifest: Manifest
    marks: Mapping[str, str]

    def entry(self, plan: Plan, task: Task) -> TableEntry | None:
        """The table as it was copied, if it was declared as it is now."""
        entry = self.manifest.tables.get(task.qualified)
        alike = entry is not None and (entry.read_from, entry.key, entry.secret_left_out) == (
            read_from(plan, task.qualified),
            task.declared.key,
            task.declared.secret,
        )
        return entry if alike else None


@dataclass(frozen=True)
class Seen:
    """What a first look tells of one table. `changed`: rows that may be new or changed, or have gone, at most; None
    where only reading the table will tell."""

    table: str
    changed: int | None


@dataclass(frozen=True)
class Delta:
    """A new copy, and how it differs from the one before."""

    manifest: Manifest
    changes: tuple[TableChanges, ...]


class _SameAsBefore(Exception):
    """Everything was read, and nothing was different: the new folder is not kept."""


def earlier_copy(folder: Path, manifest: Manifest, marks: Path, plan: Plan, *, thorough: bool = False) -> Earlier:
    """The current copy with its marks, which are not asked if the look is to be `thorough`."""
    return Earlier(folder, manifest, {} if thorough else read_marks(marks, manifest.digest, plan.digest))


def first_look(plan: Plan, sources: Mapping[str, Source], earlier: Earlier) -> tuple[Seen, ...]:
    """The tables that are not surely as they were. No row is read of a table that has a trail."""
    with ExitStack() as held:
        snapshots = snapshots_of(sources, held)
        tasks = _read(tasks_of(plan, snapshots, lambda _: ()))
        looks = [(task, _look(plan, task, snapshots[task.system], earlier)) for task in tasks]
        return tuple(_seen(earlier, task, look) for task, look in looks if not _is_same(plan, task, look, earlier))


def take_delta(
    plan: Plan,
    sources: Mapping[str, Source],
    earlier: Earlier,
    snapshot_id: str,
    taken_at: datetime,
    marks_of_snapshot: Callable[[str], Path],
    report: Report = no_report,
    faults_of: FaultsOf = lambda _: (),
) -> Delta | None:
    """The next copy beside the earlier one; None where nothing changed, which leaves no copy and new marks behind.

    `marks_of_snapshot` gives the file for a snapshot's marks. Raises what `take_golden_copy` raises, and
    DeltaUnbalanced when the changes found are not all that changed; nothing is left behind then.
    """
    with ExitStack() as held:
        snapshots = snapshots_of(sources, held)
        tasks = tasks_of(plan, snapshots, faults_of)
        looks = _looks(plan, tasks, snapshots, earlier)
        marks, old = marks_of(tasks, snapshots), earlier.manifest
        if _all_same(plan, tasks, looks, earlier):
            write_marks(marks_of_snapshot(old.snapshot), old.digest, plan.digest, marks)
            return None
        # What is shared goes into a new manifest: it has to be what the earlier one says, and still is.
        verify_golden_copy(earlier.folder, digest=old.digest)
        try:
            with new_folder(earlier.folder.parent, snapshot_id) as part:
                making = _Making(plan, earlier, part, taken_at, report)
                entries, changes = making.all(tasks, looks, snapshots)
                refuse_empty(tasks, entries)
                manifest = sealed(plan, snapshot_id, taken_at, entries, part)
        except _SameAsBefore:
            write_marks(marks_of_snapshot(old.snapshot), old.digest, plan.digest, marks)
            return None
        write_marks(marks_of_snapshot(snapshot_id), manifest.digest, plan.digest, marks)
    return Delta(manifest, changes)


def differences(
    plan: Plan, sources: Mapping[str, Source], earlier: Earlier, now: datetime, work: Path, report: Report = no_report
) -> tuple[TableChanges, ...]:
    """How the sources differ from a copy, table by table, for those that do. Nothing is kept: `work` is an empty folder
    that the caller removes. GoldenCopyAltered when the copy is not what was taken."""
    with ExitStack() as held:
        snapshots = snapshots_of(sources, held)
        tasks = tasks_of(plan, snapshots, lambda _: ())
        looks = _looks(plan, tasks, snapshots, earlier)
        if _all_same(plan, tasks, looks, earlier):
            return ()
        verify_golden_copy(earlier.folder, digest=earlier.manifest.digest)
        with suppress(_SameAsBefore):
            _, changes = _Making(plan, earlier, work, now, report).all(tasks, looks, snapshots)
            return tuple(c for c in changes if c.changed)
    return ()


def _looks(plan: Plan, tasks: Sequence[Task], snapshots: Mapping[str, Snapshot], earlier: Earlier) -> dict[str, Look]:
    return {t.qualified: _look(plan, t, snapshots[t.system], earlier) for t in _read(tasks)}


def _all_same(plan: Plan, tasks: Sequence[Task], looks: Mapping[str, Look], earlier: Earlier) -> bool:
    """The same tables, each surely as it was."""
    known = {t.qualified for t in tasks} == set(earlier.manifest.tables)
    return known and all(_is_same(plan, t, looks[t.qualified], earlier) for t in _read(tasks))


def _read(tasks: Sequence[Task]) -> list[Task]:
    """Those that a source has; the others are cut from their text."""
    return [t for t in tasks if t.declared.split is None]


def _look(plan: Plan, task: Task, snapshot: Snapshot, earlier: Earlier) -> Look:
    mark = earlier.marks.get(task.qualified)
    if mark is None or earlier.entry(plan, task) is None:
        return UNKNOWN
    return snapshot.look(task.declared.read_from, task.declared.key, mark)


def _is_same(plan: Plan, task: Task, look: Look, earlier: Earlier) -> bool:
    """No version of a row is new, and there are as many as before: they are the very same."""
    entry = earlier.entry(plan, task)
    if entry is None:
        return False
    return look.same or (look.trail is not None and not look.trail.candidates and look.trail.rows == entry.rows)


def _seen(earlier: Earlier, task: Task, look: Look) -> Seen:
    if look.trail is None:
        return Seen(task.qualified, None)
    before = earlier.manifest.tables[task.qualified].rows
    return Seen(task.qualified, look.trail.candidates + max(0, before - look.trail.rows))


@dataclass(frozen=True)
class _Making:
    """One new copy in the making, in the folder `part`."""

    plan: Plan
    earlier: Earlier
    part: Path
    taken_at: datetime
    report: Report

    def all(
        self, tasks: Sequence[Task], looks: Mapping[str, Look], snapshots: Mapping[str, Snapshot]
    ) -> tuple[dict[str, TableEntry], tuple[TableChanges, ...]]:
        """Every table, shared or new; raises _SameAsBefore when all are shared."""
        entries: dict[str, TableEntry] = {}
        changes = []
        for number, task in enumerate(tasks, start=1):
            entry, found = self._table(task, looks.get(task.qualified, UNKNOWN), snapshots[task.system], entries)
            entries[task.qualified] = entry
            changes.append(found)
            if found.changed:
                self.report(f"{task.qualified}: {found.changed} rows changed ({number} of {len(tasks)})")
        old = self.earlier.manifest.tables
        if {n: e.sha256 for n, e in entries.items()} == {n: e.sha256 for n, e in old.items()}:
            raise _SameAsBefore
        return entries, tuple(changes)

    def _table(
        self, task: Task, look: Look, snapshot: Snapshot, made: Mapping[str, TableEntry]
    ) -> tuple[TableEntry, TableChanges]:
        old = self.earlier.entry(self.plan, task)
        if old is not None and (self._text_is_same(task, made) or _is_same(self.plan, task, look, self.earlier)):
            return self._shared(old), unchanged(task.qualified, old.rows)
        followed = self._followed(task, look.trail, old) if old is not None and look.trail is not None else None
        if followed is not None:
            return followed
        entry = read_whole(self.plan, task, snapshot, self.part, self.taken_at)
        before = self.earlier.manifest.tables.get(task.qualified)
        if before is None:
            return entry, TableChanges(task.qualified, 0, entry.rows, entry.rows, 0, 0, 0, 0)
        with _work(self.part / f".{task.qualified}.work") as work:
            return self._compared(task, before, entry, work)

    def _text_is_same(self, task: Task, made: Mapping[str, TableEntry]) -> bool:
        """Whether a table that is cut from another one's text would be cut from the same text in the same way."""
        if task.declared.split is None or self.earlier.manifest.plan_digest != self.plan.digest:
            return False
        text = whose_text(task.qualified, task.declared)
        return made[text].sha256 == self.earlier.manifest.tables[text].sha256

    def _shared(self, entry: TableEntry) -> TableEntry:
        """The earlier copy's file under this one too: linked, or copied where the file system has no links."""
        here, there = self.part / entry.file, self.earlier.folder / entry.file
        try:
            os.link(there, here)
        except OSError:
            shutil.copyfile(there, here)
            here.chmod(0o400)
        return entry.model_copy(update={"taken_at": self.taken_at})

    def _followed(self, task: Task, trail: Trail, old: TableEntry) -> tuple[TableEntry, TableChanges] | None:
        """The table out of its earlier copy; None where it has to be read whole."""
        columns = {c.name: c.type for c in task.kept} == {n: t for n, t in old.columns.items() if n != ROW}
        if not (trail.by_key and columns and trail.candidates <= _MUCH * max(old.rows, 1)):
            return None
        path, before = self.part / old.file, self.earlier.folder / old.file
        with _work(self.part / f".{task.qualified}.work") as work:
            found = follow(trail, before, old.rows, task.declared.key, path, work)
            if found.rows != trail.rows or old.rows + found.inserted - found.deleted != trail.rows:
                raise DeltaUnbalanced(
                    f"{task.qualified}: {old.rows} rows before, {found.inserted} new ones and {found.deleted} deleted "
                    f"ones make {found.rows}, and the source has {trail.rows}",
                    "Take a whole new copy: `cutover run --new-snapshot`; and report this as a defect.",
                )
            entry = entry_of(self.plan, task, task.kept, found.rows, path, self.taken_at)
            return self._compared(task, old, entry, work, found.touched)

    def _compared(
        self, task: Task, before: TableEntry, entry: TableEntry, work: Path, touched: Path | None = None
    ) -> tuple[TableEntry, TableChanges]:
        """The new file and how it differs from the earlier one, whose place it takes only if it does."""
        if before.sha256 == entry.sha256:
            (self.part / entry.file).unlink()
            return self._shared(entry), unchanged(task.qualified, entry.rows)
        key, path = task.declared.key, self.part / entry.file
        both = self.earlier.folder / before.file, path
        found = counted(task.qualified, *both, key, task.declared.updated_at, work, touched=touched)
        if touched is None and keep_numbers(*both, key, work):
            if not found.changed and (before.key, before.columns) == (entry.key, entry.columns):
                path.unlink()
                return self._shared(before), found
            entry = resealed(entry, path)
        return entry, found


@contextmanager
def _work(folder: Path) -> Iterator[Path]:
    """A folder of the copy's own that is gone before the copy is sealed."""
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
