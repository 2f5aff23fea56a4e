"""Whether a snapshot of the golden copy is still what was taken, by the digest that the audit log has of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migration_assets.domain.errors import GoldenCopyAltered
from migration_assets.stages.golden_copy.manifest import Manifest, verify_golden_copy

if TYPE_CHECKING:
    from migration_assets.wiring.workspace import Workspace

TAKEN = "golden_copy_taken"


def verified_copy(workspace: Workspace, snapshot: str) -> Manifest:
    """The manifest of a snapshot whose every file was read. GoldenCopyAltered when anything differs: whoever alters
    files and manifest alike would have to alter the audit log too."""
    entry = workspace.control.last_audit(TAKEN, snapshot)
    if entry is None:
        raise GoldenCopyAltered(
            f"the audit log knows no snapshot {snapshot}", "Take a new golden copy: `cutover run --new-snapshot`."
        )
    return verify_golden_copy(workspace.store.golden(snapshot), digest=str(entry.detail["manifest_digest"]))
