"""What there is to copy: every planned table that its source has, with its columns, or all that is missing at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from migration_assets.connectors.golden_parquet import ROW
from migration_assets.connectors.source import Column, Snapshot, Source
from migration_assets.domain.errors import Fault, PlanFaults, SourceUnreadable
from migration_assets.plan.models import Plan
from migration_assets.plan.source_models import SourceTable

Columns = Mapping[str, Mapping[str, str]]
FaultsOf = Callable[[Columns], Sequence[Fault]]


@dataclass(frozen=True)
class Task:
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


def tasks_of(plan: Plan, snapshots: Mapping[str, Snapshot], faults_of: FaultsOf) -> list[Task]:
    """Every table of the plan: first those that are read, then those cut from a text of another one.

    `faults_of` looks at the columns found, of all tables. Raises SourceUnreadable with everything that is missing, or
    PlanFaults with all that `faults_of` finds.
    """
    return [*_read_tasks(plan, snapshots, faults_of), *_entry_tasks(plan)]


def snapshots_of(sources: Mapping[str, Source], held: ExitStack) -> dict[str, Snapshot]:
    """One snapshot per source, all opened before anything is read, so that systems differ by as little as can be."""
    opened: dict[int, Snapshot] = {}
    for source in sources.values():
        if id(source) not in opened:
            opened[id(source)] = held.enter_context(source.snapshot())
    return {name: opened[id(source)] for name, source in sources.items()}


def _read_tasks(plan: Plan, snapshots: Mapping[str, Snapshot], faults_of: FaultsOf) -> list[Task]:
    tasks: list[Task] = []
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
            tasks.append(Task(system, table, wanted, columns))
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


def _entry_tasks(plan: Plan) -> list[Task]:
    """Tables made of what others hold, which are there by then; their columns are known when the text is cut."""
    made = ((name.partition("."), t) for name, t in plan.source_tables.items() if t.split is not None)
    return [Task(system, table, declared, ()) for (system, _, table), declared in made]


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
