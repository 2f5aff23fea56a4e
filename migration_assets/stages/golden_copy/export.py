"""Taking a golden copy: every planned table of every source, from one consistent snapshot for each database.

Secret columns are never read. The copy appears whole or not at all. How a source is read is the connectors' work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from migration_assets.connectors.golden_parquet import ROW
from migration_assets.connectors.opening import open_source
from migration_assets.connectors.source import Column, Report, Snapshot, Source, no_report
from migration_assets.domain.errors import SourceUnreadable
from migration_assets.plan.entries import read_from
from migration_assets.plan.models import Plan
from migration_assets.plan.source_models import SourceSystem
from migration_assets.stages.golden_copy.entries import write_entries
from migration_assets.stages.golden_copy.folder import new_folder, write_durably
from migration_assets.stages.golden_copy.manifest import MANIFEST, Manifest, TableEntry, file_digest
from migration_assets.stages.golden_copy.marks import write_marks
from migration_assets.stages.golden_copy.tasks import FaultsOf, Task, snapshots_of, tasks_of

LocationOf = Callable[[str, SourceSystem], str]


def open_sources(plan: Plan, location_of: LocationOf, *, report: Report = no_report) -> dict[str, Source]:
    """A source for each system of the plan. `location_of` gives the URL or path, with variables filled in.

    Systems in the same place with the same options share one source, and so one snapshot.
    """
    opened: dict[tuple[str, str, str], Source] = {}
    sources: dict[str, Source] = {}
    for name, system in plan.file.sources.items():
        location = location_of(name, system)
        place = (system.kind, location, repr(sorted(system.options.items())))
        if place not in opened:
            opened[place] = open_source(system.kind, location, system.options, report=report)
        sources[name] = opened[place]
    return sources


def take_golden_copy(
    plan: Plan,
    sources: Mapping[str, Source],
    folder: Path,
    snapshot_id: str,
    taken_at: datetime,
    report: Report = no_report,
    faults_of: FaultsOf = lambda _: (),
    marks: Path | None = None,
) -> Manifest:
    """Export every planned table to `folder/snapshot_id` and return the manifest.

    `faults_of` looks at the columns found, of all tables, before the first row is read. `marks`: a file for what a
    later look at the sources needs.

    Raises SourceUnreadable with all missing tables and columns at once, with the first table that cannot be held
    exactly, or with all tables that are empty and may not be; PlanFaults with all that `faults_of` finds. Nothing is
    left behind then.
    """
    with ExitStack() as held, new_folder(folder, snapshot_id) as part:
        snapshots = snapshots_of(sources, held)
        tasks = tasks_of(plan, snapshots, faults_of)
        entries: dict[str, TableEntry] = {}
        for number, task in enumerate(tasks, start=1):
            entry = read_whole(plan, task, snapshots[task.system], part, taken_at)
            entries[task.qualified] = entry
            report(f"{task.qualified}: {entry.rows} rows ({number} of {len(tasks)})")
        refuse_empty(tasks, entries)
        manifest = sealed(plan, snapshot_id, taken_at, entries, part)
        found = {} if marks is None else marks_of(tasks, snapshots)
    if marks is not None:
        write_marks(marks, manifest.digest, plan.digest, found)
    return manifest


def sealed(plan: Plan, snapshot_id: str, taken_at: datetime, entries: dict[str, TableEntry], part: Path) -> Manifest:
    """The manifest of these files, written beside them."""
    manifest = Manifest(
        snapshot=snapshot_id, plan=plan.name, plan_digest=plan.digest, taken_at=taken_at, tables=entries
    ).sealed()
    write_durably(part / MANIFEST, manifest.to_json())
    return manifest


def marks_of(tasks: Sequence[Task], snapshots: Mapping[str, Snapshot]) -> dict[str, str]:
    """The mark of every table that is read and has one, by `system.table`."""
    read = [t for t in tasks if t.declared.split is None]
    found = {t.qualified: snapshots[t.system].mark(t.declared.read_from) for t in read}
    return {name: mark for name, mark in found.items() if mark is not None}


def read_whole(plan: Plan, task: Task, snapshot: Snapshot, part: Path, taken_at: datetime) -> TableEntry:
    """One table, all of it, from the source or cut from the copy of another table."""
    path = part / f"{task.qualified}.parquet"
    kept = task.kept
    if task.declared.split is None:
        names = [column.name for column in kept]
        rows = snapshot.export(task.declared.read_from, names, task.declared.key, path, table=task.qualified)
    else:
        kept, rows = write_entries(plan, task.qualified, part, path)
    return entry_of(plan, task, kept, rows, path, taken_at)


def entry_of(plan: Plan, task: Task, kept: Sequence[Column], rows: int, path: Path, taken_at: datetime) -> TableEntry:
    """What the manifest says of a file, which nobody may write to from now on."""
    path.chmod(0o400)
    return TableEntry(
        system=task.system,
        table=task.table,
        read_from=read_from(plan, task.qualified),
        file=path.name,
        rows=rows,
        bytes=path.stat().st_size,
        sha256=file_digest(path),
        key=task.declared.key,
        columns={ROW: "int64", **{c.name: c.type for c in kept}},
        declared={c.name: c.declared for c in kept},
        secret_left_out=task.declared.secret,
        taken_at=taken_at,
    )


def resealed(entry: TableEntry, path: Path) -> TableEntry:
    """The entry of a file that was written anew with the same columns and as many rows."""
    path.chmod(0o400)
    return entry.model_copy(update={"bytes": path.stat().st_size, "sha256": file_digest(path)})


def refuse_empty(tasks: Sequence[Task], entries: Mapping[str, TableEntry]) -> None:
    """SourceUnreadable with all tables that are empty and may not be."""
    empty = [t.qualified for t in tasks if entries[t.qualified].rows == 0 and not t.declared.may_be_empty]
    if empty:
        raise SourceUnreadable(
            f"no rows in {', '.join(empty)}", "have the export completed, or set may_be_empty: true for the table"
        )
