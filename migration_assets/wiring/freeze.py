"""Freezing the old systems: the script for each, to be handed to its owner, and what was written all the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from migration_assets.connectors.freeze_script import freeze_script
from migration_assets.domain.errors import BadInput
from migration_assets.plan.wording import listing, nearest, shown
from migration_assets.stages.golden_copy.changes import changes_json
from migration_assets.stages.golden_copy.manifest import read_manifest
from migration_assets.wiring.copies import Say, written_since

if TYPE_CHECKING:
    from migration_assets.stages.golden_copy.changes import TableChanges
    from migration_assets.wiring.workspace import Workspace


@dataclass(frozen=True)
class FreezeScript:
    """The script of one legacy system. `sql` is empty where there is nothing to freeze, and `told` says why."""

    system: str
    tables: tuple[str, ...]
    sql: str
    told: str = ""


@dataclass(frozen=True)
class FreezeCheck:
    """What was written to the sources since the copy that cohorts stand on. `taken_at`: when that copy was taken."""

    snapshot: str
    taken_at: datetime
    tables: tuple[TableChanges, ...]

    @property
    def ok(self) -> bool:
        return not self.tables

    def to_json(self, plan: str) -> dict[str, Any]:
        """The shape that `cutover freeze check --json` promises: the tables as `cutover delta --json` has them."""
        return {
            "ok": self.ok,
            "plan": plan,
            "snapshot": self.snapshot,
            "taken_at": self.taken_at.isoformat(),
            "tables": [changes_json(vars(t)) for t in self.tables],
        }


def check_freeze(workspace: Workspace, actor: str, say: Say, *, thorough: bool = False) -> FreezeCheck:
    """Compare the sources with the golden copy of the migration record; the audit log keeps what was found.

    With `thorough` every table is read whole, also where a source can tell without. StageRefused before the first run;
    GoldenCopyAltered when the copy is not what was taken.
    """
    snapshot = workspace.record().snapshot
    taken_at = read_manifest(workspace.store.golden(snapshot)).taken_at
    found = FreezeCheck(snapshot, taken_at, written_since(workspace, snapshot, say, thorough=thorough))
    detail = {"written": {t.table: t.changed for t in found.tables}, "thorough": thorough}
    workspace.control.audit(actor, "freeze_checked", snapshot, detail, now=datetime.now(UTC))
    return found


def freeze_scripts(
    workspace: Workspace, *, system: str | None = None, writer: str | None = None, undo: bool = False
) -> list[FreezeScript]:
    """A script for each system of the plan, or for one. BadInput for a system that there is none of."""
    systems = workspace.plan.file.sources
    if system is not None and system not in systems:
        raise BadInput(
            f"the plan has no system {shown(system)}", nearest(system, systems, f"it has {listing(systems)}")
        )
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
