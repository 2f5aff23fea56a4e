"""The report that a cohort's reconciliation leaves in the store, read back. What is made of it belongs elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migration_assets.stages.store import Store


def stored_report(store: Store, cohort: str) -> dict[str, Any]:
    """What the last reconciliation of a cohort wrote, whichever run that was; empty when there was none."""
    path = store.folder("reconciliation", cohort) / "report.json"
    if not path.exists():
        return {}
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report
