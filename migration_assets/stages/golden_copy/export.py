"""Taking a golden copy: every planned table of every source, from one consistent snapshot for each database.

Secret columns are never read. The copy appears whole or not at all. How a source is read is the connectors' work.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from migration_assets.connectors.golden_parquet import ROW
from migration_assets.connectors.opening import open_source
from migration_assets.connectors.private_files import is_running
from migration_assets.connectors.source import Column, Report, Snapshot, Source, no_report
from migration_assets.domain.errors import Fault, Misconfigured, PlanFaults, SourceUnreadable
from migration_assets.plan.entries import read_from
from migration_assets.plan.models import Plan
from migration_assets.plan.source_models import SourceSystem, SourceTable
from migration_assets.stages.golden_copy.entries import write_entries
from migration_assets.stages.golden_copy.manifest import MANIFEST, SNAPSHOT_ID, Manifest, TableEntry, file_digest

_PART = re.compile(rf"\.{SNAPSHOT_ID.pattern}\.(?P<process>\d+)\.part")
LocationOf = Callable[[str, SourceSystem], str]
Columns = Mapping[str, Mapping[str, str]]
FaultsOf = Callable[[Columns], Sequence[Fault]]


@dataclass(frozen=True)
class _Task:
    """One table to export, with the columns found for it."""

    system: str
    table: str
    declared: SourceTable
    columns: tuple[Column, ...]

    @property
    def qualified(self) -> str:
        return f"{self.system}.{self.table}"

    @property
    def kept(self) -> tuple[Column, ...]:
        """The columns that are read: all but secret ones."""
        return tuple(column for column in self.columns if column.name not in self.declared.secret)


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
) -> Manifest:
    """Export every planned table to `folder/snapshot_id` and return the manifest.

    `faults_of` looks at the columns found, of all tables, before the first row is read.

    Raises SourceUnreadable with all missing tables and columns at once, with the first table that cannot be held
    exactly, or with all tables that are empty and may not be; PlanFaults with all that `faults_of` finds. Nothing is
    left behind then.
    """
    with ExitStack() as held, _new_folder(folder, snapshot_id) as part:
        snapshots = _snapshots(sources, held)
        tasks = [*_tasks(plan, snapshots, faults_of), *_entry_tasks(plan)]
        entries: dict[str, TableEntry] = {}
        for number, task in enumerate(tasks, start=1):
            entry = _exported(plan, task, snapshots[task.system], part, taken_at)
            entries[task.qualified] = entry
            report(f"{task.qualified}: {entry.rows} rows ({number} of {len(tasks)})")
        _refuse_empty(tasks, entries)
        manifest = Manifest(
            snapshot=snapshot_id, plan=plan.name, plan_digest=plan.digest, taken_at=taken_at, tables=entries
        ).sealed()
        _write_durably(part / MANIFEST, manifest.to_json())
    return manifest


def _snapshots(sources: Mapping[str, Source], held: ExitStack) -> dict[str, Snapshot]:
    """One snapshot per source, all opened before anything is read, so that systems differ by as little as can be."""
    opened: dict[int, Snapshot] = {}
    for source in sources.values():
        if id(source) not in opened:
            opened[id(source)] = held.enter_context(source.snapshot())
    return {name: opened[id(source)] for name, source in sources.items()}


def _tasks(plan: Plan, snapshots: Mapping[str, Snapshot], faults_of: FaultsOf) -> list[_Task]:
    tasks: list[_Task] = []
    problems: list[str] = []
    for system, declared in plan.file.sources.items():
        for table, wanted in declared.tables.items():
            if wanted.split is not None:
                continue
            try:
                columns = snapshots[system].columns(wanted.read_from)
            except SourceUnreadable as fault:
                problems.append(f"{system}.{table}: {fault.message} ({fault.remedy})")
                continue
            problems += _column_problems(f"{system}.{table}", wanted, columns)
            tasks.append(_Task(system, table, wanted, columns))
    faults = faults_of({task.qualified: {c.name: c.type for c in task.kept} for task in tasks})
    if problems:
        # What plan.yaml says of tables is among the problems already.
        problems += [str(f) for f in faults if not f.field.startswith("sources.")]
        raise SourceUnreadable(
            f"{len(problems)} thing(s) planned are not in the sources:\n" + "\n".join(f"  {p}" for p in problems),
            "correct the plan where names are wrong (they are case-sensitive), or have the export completed",
        )
    if faults:
        raise PlanFaults(faults)
    return tasks


def _entry_tasks(plan: Plan) -> list[_Task]:
    """Tables made of what others hold, which are there by then; their columns are known when the text is cut."""
    made = ((name.partition("."), t) for name, t in plan.source_tables.items() if t.split is not None)
    return [_Task(system, table, declared, ()) for (system, _, table), declared in made]


def _column_problems(qualified: str, wanted: SourceTable, columns: Sequence[Column]) -> list[str]:
    there = {column.name for column in columns}
    uses = {
        "key": wanted.key,
        "references": tuple(wanted.references),
        "updated_at": (wanted.updated_at,) if wanted.updated_at else (),
        "secret": wanted.secret,
        "personal": wanted.personal,
    }
    problems = [
        f"{qualified}: there is no column {name!r}, which plan.yaml names under {use}"
        for use, names in uses.items()
        for name in names
        if name not in there
    ]
    used = {*wanted.key, *wanted.references, wanted.updated_at}
    problems += [f"{qualified}: {n!r} is secret, and needed to read the table" for n in wanted.secret if n in used]
    return problems + _name_problems(qualified, columns)


def _name_problems(qualified: str, columns: Sequence[Column]) -> list[str]:
    """Names that the golden copy cannot keep apart: engines do not tell capital from small letters."""
    seen: dict[str, str] = {ROW: ROW}
    problems = []
    for column in columns:
        folded = column.name.casefold()
        if folded in seen:
            problems.append(f"{qualified}: columns {seen[folded]!r} and {column.name!r} cannot be told apart")
        seen[folded] = column.name
    return problems


def _exported(plan: Plan, task: _Task, snapshot: Snapshot, part: Path, taken_at: datetime) -> TableEntry:
    path = part / f"{task.qualified}.parquet"
    if task.declared.split is None:
        kept, names = task.kept, [column.name for column in task.kept]
        rows = snapshot.export(task.declared.read_from, names, task.declared.key, path, table=task.qualified)
    else:
        kept, rows = write_entries(plan, task.qualified, part, path)
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


def _refuse_empty(tasks: Sequence[_Task], entries: Mapping[str, TableEntry]) -> None:
    empty = [t.qualified for t in tasks if entries[t.qualified].rows == 0 and not t.declared.may_be_empty]
    if empty:
        raise SourceUnreadable(
            f"no rows in {', '.join(empty)}", "have the export completed, or set may_be_empty: true for the table"
        )


@contextmanager
def _new_folder(folder: Path, snapshot_id: str) -> Iterator[Path]:
    """A hidden folder that becomes `folder/snapshot_id` at the end, or disappears when something fails."""
    if not SNAPSHOT_ID.fullmatch(snapshot_id):
        raise Misconfigured(f"{snapshot_id!r} is no snapshot id", "it is YYYYMMDDTHHMMSSZ and six hex digits")
    final = folder / snapshot_id
    if final.exists():
        raise Misconfigured(f"snapshot {snapshot_id} exists, and a golden copy is never overwritten", "take a new one")
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    part = folder / f".{snapshot_id}.{os.getpid()}.part"
    part.mkdir(mode=0o700)
    try:
        yield part
        part.rename(final)
        _sync(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _remove_abandoned(folder: Path) -> None:
    """Parts of a process that was killed hold personal data, and nobody would look for them."""
    for part in folder.glob(".*.part"):
        named = _PART.fullmatch(part.name)
        if named and not is_running(int(named["process"])):
            shutil.rmtree(part, ignore_errors=True)


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    """Make the rename last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
