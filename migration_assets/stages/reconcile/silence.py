"""Controls that saw no row anywhere: such a control ties in every cohort, and would tie whatever the mapping did."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migration_assets.plan.models import Control


def silent_controls(
    controls: Iterable[Control], may_be_empty: Collection[str], reports: Iterable[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """Controls whose filters matched no source row and no target row over all cohorts: measure, source, target.

    `reports`: the report of every cohort (report.cohort_json), for in one cohort alone there may well be none of a
    kind. `may_be_empty`: source tables (`system.table`) that the plan lets be empty; nothing can be asked of theirs.
    """
    heard = {
        row["measure"].partition(".")[0]
        for report in reports
        for row in report.get("controls", ())
        if row["source_rows"] or row["target_rows"]
    }
    return [
        {"measure": c.measure, "source": c.source, "target": c.target}
        for c in controls
        if c.measure not in heard and c.source not in may_be_empty
    ]
