"""What the headers of CSV files say of a source's columns: for checking a plan before there is a golden copy.

Belongs here: which files are looked into without touching a row. Not here: what the plan may say of the columns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from migration_assets.connectors.file_source import find_files
from migration_assets.connectors.opening import open_source
from migration_assets.domain.errors import Fault, Misconfigured, SourceUnreadable
from migration_assets.plan.entries import whose_text, with_entries
from migration_assets.plan.environment import resolve
from migration_assets.plan.place import line_of

if TYPE_CHECKING:
    from migration_assets.plan.models import Plan
    from migration_assets.plan.source_models import SourceSystem, SourceTable

# Where nobody declared an encoding, a file is read to its end to tell it. Larger ones wait for the golden copy.
_AT_ONCE = 256 * 1024 * 1024


@dataclass(frozen=True)
class Headers:
    """`columns`: column -> type of tables whose files were looked into, by `system.table`, without secret columns.
    `faults`: files that the plan names and that are not there, or have no proper header."""

    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


def headers_of(plan: Plan, env: Mapping[str, str], tables: Collection[str]) -> Headers:
    """Of these tables, those that lie in a folder of CSV files, or in one, which can be reached from here. A place that
    is not there, or is named by a variable that is not set, says nothing: it may be another machine's."""
    columns: dict[str, Mapping[str, str]] = {}
    faults: list[Fault] = []
    for name, system in plan.file.sources.items():
        place = _reachable(system, env)
        for table, declared in system.tables.items():
            qualified = f"{name}.{table}"
            if place is None or qualified not in tables or declared.split is not None:
                continue
            try:
                found = _header(system, place, declared)
            except SourceUnreadable as wrong:
                faults.append(_fault(plan, ("sources", name, "tables", table, "read_from"), wrong))
            else:
                columns |= {} if found is None else {qualified: found}
    return Headers({**columns, **_cut_from(plan, columns)}, tuple(faults))


def _cut_from(plan: Plan, columns: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """Tables of entries that are cut from a text of these files: the plan says what they have."""
    known = with_entries(plan, columns)
    tables = plan.source_tables.items()
    return {t: known[t] for t, declared in tables if declared.split is not None and whose_text(t, declared) in columns}


def _fault(plan: Plan, path: tuple[str, ...], wrong: SourceUnreadable) -> Fault:
    line = line_of(plan.lines.get("plan.yaml", {}), path)
    return Fault("plan.yaml", line, ".".join(path), wrong.message, wrong.remedy)


def _reachable(system: SourceSystem, env: Mapping[str, str]) -> Path | None:
    if system.kind != "csv" or system.path is None:
        return None
    try:
        place = Path(resolve(system.path, env))
        return place if place.exists() else None
    except (Misconfigured, OSError, ValueError):
        return None


def _header(system: SourceSystem, place: Path, declared: SourceTable) -> Mapping[str, str] | None:
    """Column -> type; None of files that are too large to be looked into in passing."""
    if sum(f.path.stat().st_size for f in find_files(place, declared.read_from)) > _AT_ONCE:
        return None
    with open_source(system.kind, str(place), system.options).snapshot() as snapshot:
        columns = snapshot.columns(declared.read_from)
    return {c.name: c.type for c in columns if c.name not in declared.secret}
