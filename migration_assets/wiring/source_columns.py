"""What is known of the source's columns without asking a source: the manifest of the current golden copy, if any.

Nothing is started or written here, so that `cutover check` and `cutover document` can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.plan.check import check_plan
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan
from migration_assets.plan.own import require_own
from migration_assets.plan.wording import listing
from migration_assets.stages.golden_copy.columns import declared_types, raw_columns, unread_tables
from migration_assets.stages.golden_copy.manifest import read_manifest
from migration_assets.stages.store import Store
from migration_assets.wiring.environment import store_folder

NEXT_COPY = "`cutover run --new-snapshot` reads them, and checks them before anything else runs"
FIRST_COPY = "`cutover run` takes the first golden copy and checks them before anything else runs"


@dataclass(frozen=True)
class KnownColumns:
    """Columns by `system.table`: `types` as the golden copy has them, `declared` as the source calls them.

    `unknown`: tables of the plan whose columns nobody has looked at. Without a snapshot that is all of them.
    """

    snapshot: str | None
    unknown: tuple[str, ...]
    types: Mapping[str, Mapping[str, str]] | None = field(default=None, repr=False)
    declared: Mapping[str, Mapping[str, str]] | None = field(default=None, repr=False)

    @property
    def remedy(self) -> str:
        """What would check the tables that are not known; empty when all are."""
        if not self.unknown:
            return ""
        return FIRST_COPY if self.snapshot is None else NEXT_COPY

    def to_json(self) -> dict[str, object]:
        """For `cutover check --json`."""
        return {"snapshot": self.snapshot, "not_checked": list(self.unknown), "remedy": self.remedy}

    def sentence(self) -> str:
        """For people: against what source columns were checked, and which were not."""
        if self.snapshot is None:
            return f"Source columns were not checked, there is no golden copy yet: {self.remedy}."
        checked = f"Source columns are those of snapshot {self.snapshot}"
        return f"{checked}; not checked in {listing(self.unknown)}: {self.remedy}." if self.unknown else f"{checked}."


def known_columns(root: Path, plan: Plan, env: Mapping[str, str]) -> KnownColumns:
    """What the plan's current golden copy tells; GoldenCopyAltered when its manifest is damaged."""
    store = Store(store_folder(root, plan.name, env))
    snapshot = store.current_snapshot()
    if snapshot is None:
        return KnownColumns(None, tuple(plan.source_tables))
    manifest = read_manifest(store.golden(snapshot))
    return KnownColumns(
        snapshot, unread_tables(manifest, plan), raw_columns(manifest, plan), declared_types(manifest, plan)
    )


def load_against_source(
    root: Path, name: str, env: Mapping[str, str], more: Callable[[Plan], Iterable[Fault]] = lambda _: ()
) -> tuple[Plan, KnownColumns]:
    """The plan, checked against the columns of its golden copy as well; PlanFaults with every fault otherwise. `more`:
    gives faults that are to be told with the others."""
    plan = load_plan(root / "plans" / name)
    require_own(plan)
    known = known_columns(root, plan, env)
    if faults := (*check_plan(plan, columns=known.types), *more(plan)):
        seen = "" if known.snapshot is None else f"Mend them. {known.sentence()} {_HAS_CHANGED}"
        raise PlanFaults(faults, seen)
    return plan, known


_HAS_CHANGED = "If the source has changed since, `cutover run --new-snapshot` checks against what it holds now."
