"""Golden copies as the audit log knows them: which were taken, with which digest, and how the next one is taken."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migration_assets.domain.errors import GoldenCopyAltered
from migration_assets.engine.held_folder import HeldFolder
from migration_assets.plan.check import check_plan
from migration_assets.stages.golden_copy.delta import (
    Delta,
    Earlier,
    Seen,
    differences,
    earlier_copy,
    first_look,
    take_delta,
)
from migration_assets.stages.golden_copy.export import open_sources, take_golden_copy
from migration_assets.stages.golden_copy.manifest import read_manifest, snapshot_id, verify_golden_copy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration_assets.connectors.source import Source
    from migration_assets.stages.golden_copy.changes import TableChanges
    from migration_assets.stages.golden_copy.manifest import Manifest
    from migration_assets.wiring.workspace import Workspace

TAKEN = "golden_copy_taken"
Say = Callable[[str], None]


def recorded_digest(workspace: Workspace, snapshot: str) -> str:
    """What the audit log says of the copy: whoever alters files and manifest alike would have to alter that too."""
    entry = workspace.control.last_audit(TAKEN, snapshot)
    if entry is None:
        raise GoldenCopyAltered(
            f"the audit log knows no snapshot {snapshot}", "Take a new golden copy: `cutover run --new-snapshot`."
        )
    return str(entry.detail["manifest_digest"])


def verified_copy(workspace: Workspace, snapshot: str) -> Manifest:
    """The manifest of a snapshot whose every file was read. GoldenCopyAltered when anything differs."""
    return verify_golden_copy(workspace.store.golden(snapshot), digest=recorded_digest(workspace, snapshot))


def take_whole(workspace: Workspace, actor: str, say: Say) -> Manifest:
    """A copy of everything."""
    now, snapshot = _named()
    plan, store = workspace.plan, workspace.store
    manifest = take_golden_copy(
        plan,
        _sources(workspace, say),
        store.root / "golden_copy",
        snapshot,
        now,
        report=say,
        faults_of=lambda columns: check_plan(plan, columns=columns),
        marks=store.marks(snapshot),
    )
    detail = {"manifest_digest": manifest.digest, "plan_digest": plan.digest}
    workspace.control.audit(actor, TAKEN, snapshot, detail, now=now)
    return manifest


def take_changes(workspace: Workspace, earlier: Earlier, actor: str, say: Say) -> Delta | None:
    """A copy that shares with the earlier one what has not changed since; None where that is everything."""
    now, snapshot = _named()
    plan, store = workspace.plan, workspace.store
    delta = take_delta(
        plan,
        _sources(workspace, say),
        earlier,
        snapshot,
        now,
        store.marks,
        report=say,
        faults_of=lambda columns: check_plan(plan, columns=columns),
    )
    if delta is not None:
        detail = {
            "manifest_digest": delta.manifest.digest,
            "plan_digest": plan.digest,
            "made_from": earlier.manifest.snapshot,
        }
        workspace.control.audit(actor, TAKEN, snapshot, detail, now=now)
    return delta


def look(workspace: Workspace, snapshot: str) -> tuple[Seen, ...]:
    """The tables that are not surely as they are in a copy."""
    return first_look(workspace.plan, _sources(workspace, lambda _: None), copy_to_compare(workspace, snapshot))


def written_since(workspace: Workspace, snapshot: str, say: Say, *, thorough: bool = False) -> tuple[TableChanges, ...]:
    """Tables of the sources that are not as they are in a copy."""
    earlier = copy_to_compare(workspace, snapshot, thorough=thorough)
    with HeldFolder(workspace.work_folder) as folder:
        work = folder / "compared"
        work.mkdir(mode=0o700)
        return differences(workspace.plan, _sources(workspace, say), earlier, datetime.now(UTC), work, say)


def copy_to_compare(workspace: Workspace, snapshot: str, *, thorough: bool = False) -> Earlier:
    """A copy as the next one is made from it. GoldenCopyAltered when its manifest is not the one that was recorded."""
    store = workspace.store
    manifest = read_manifest(store.golden(snapshot))
    if manifest.digest != recorded_digest(workspace, snapshot):
        raise GoldenCopyAltered(
            f"the manifest of snapshot {snapshot} is not the one that was recorded when it was taken",
            "Put the original back from your backup, or take a new golden copy: `cutover run --new-snapshot`.",
        )
    return earlier_copy(store.golden(snapshot), manifest, store.marks(snapshot), workspace.plan, thorough=thorough)


def _sources(workspace: Workspace, say: Say) -> Mapping[str, Source]:
    return open_sources(workspace.plan, lambda _, system: workspace.location(system), report=say)


def _named() -> tuple[datetime, str]:
    now = datetime.now(UTC).replace(microsecond=0)
    return now, snapshot_id(now, secrets.token_hex(3))
