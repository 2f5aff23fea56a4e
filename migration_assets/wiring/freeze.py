"""Freezing the old systems: the script for each, to be handed to its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migration_assets.connectors.freeze_script import freeze_script
from migration_assets.domain.errors import BadInput
from migration_assets.plan.wording import nearest, shown

if TYPE_CHECKING:
    from migration_assets.wiring.workspace import Workspace


@dataclass(frozen=True)
class FreezeScript:
    """The script of one legacy system. `sql` is empty where there is nothing to freeze, and `told` says why."""

    system: str
    tables: tuple[str, ...]
    sql: str
    told: str = ""


def freeze_scripts(
    workspace: Workspace, *, system: str | None = None, writer: str | None = None, undo: bool = False
) -> list[FreezeScript]:
    """A script for each system of the plan, or for one. BadInput for a system that there is none of."""
    systems = workspace.plan.file.sources
    if system is not None and system not in systems:
        raise BadInput(f"the plan has no system {shown(system)}", nearest(system, systems, "name one of plan.yaml"))
    found = []
    for name, declared in systems.items():
        if system not in (None, name):
            continue
        tables = tuple(dict.fromkeys(t.read_from for t in declared.tables.values() if t.split is None))
        if declared.kind != "sql":
            told = "is read from files, which nobody writes to: agree that no new delivery comes before the end"
            found.append(FreezeScript(name, tables, "", told))
            continue
        sql = freeze_script(
            workspace.location(declared), tables, name=f"cutover_freeze_{name}", writer=writer, undo=undo
        )
        found.append(FreezeScript(name, tables, sql))
    return found
