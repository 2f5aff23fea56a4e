"""What is known of the source's columns without reading a row: the manifest of the current golden copy, if any, and
the headers of CSV files that can be reached.

Nothing is started or written here, so that `cutover check` and `cutover document` can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
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
from migration_assets.wiring.environment import store_folder, variables
from migration_assets.wiring.file_headers import Headers, headers_of

NEXT_COPY = "`cutover run --new-snapshot` reads them, and checks them before anything else runs"
FIRST_COPY = "`cutover run` takes the first golden copy and checks them before anything else runs"


@dataclass(frozen=True)
class KnownColumns:
    """Columns by `system.table`: `types` as the golden copy or the file has them, `declared` as the source calls them.

    `unknown`: tables of the plan whose columns nobody has looked at. `at_files`: those that no golden copy has, and
    whose files' headers say what they have.
    """

    snapshot: str | None
    unknown: tuple[str, ...]
    at_files: tuple[str, ...] = ()
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
        return {
            "snapshot": self.snapshot,
            "from_headers": list(self.at_files),
            "not_checked": list(self.unknown),
            "remedy": self.remedy,
        }

    def sentence(self) -> str:
        """For people: against what source columns were checked, and which were not."""
        if self.snapshot is None and not self.at_files:
            return f"Source columns were not checked, there is no golden copy yet: {self.remedy}."
        copied = "" if self.snapshot is None else f"of snapshot {self.snapshot}"
        headed = f"of the headers of the files of {listing(self.at_files)}" if self.at_files else ""
        checked = f"Source columns are those {' and '.join(filter(None, (copied, headed)))}"
        return f"{checked}; not checked in {listing(self.unknown)}: {self.remedy}." if self.unknown else f"{checked}."

    def with_headers(self, headers: Headers) -> KnownColumns:
        """With what files say of tables that the golden copy does not know."""
        if not headers.columns:
            return self
        return replace(
            self,
            unknown=tuple(t for t in self.unknown if t not in headers.columns),
            at_files=tuple(headers.columns),
            types={**(self.types or {}), **headers.columns},
        )


def known_columns(root: Path, plan: Plan, env: Mapping[str, str]) -> KnownColumns:
    """What the plan's current golden copy tells; GoldenCopyAltered when its manifest is damaged."""
    store = Store(store_folder(root, plan.name, env))
    snapshot = store.current_snapshot()
    if snapshot is None:
        return KnownColumns(None, tuple(plan.source_tables))
    manifest = read_manifest(store.golden(snapshot))
    return KnownColumns(
        snapshot,
        unread_tables(manifest, plan),
        types=raw_columns(manifest, plan),
        declared=declared_types(manifest, plan),
    )


def load_against_source(
    root: Path,
    name: str,
    env: Mapping[str, str],
    more: Callable[[Plan], Iterable[Fault]] = lambda _: (),
    *,
    at_files: bool = False,
) -> tuple[Plan, KnownColumns]:
    """The plan, checked against the columns of its golden copy as well; PlanFaults with every fault otherwise. `more`:
    gives faults that are to be told with the others. `at_files`: also against the headers of files that no golden copy
    has yet, where they can be reached.
    """
    plan = load_plan(root / "plans" / name)
    require_own(plan)
    copied = known_columns(root, plan, env)
    headers = headers_of(plan, variables(root, env), copied.unknown) if at_files else Headers()
    known = copied.with_headers(headers)
    if faults := (*check_plan(plan, columns=known.types), *headers.faults, *more(plan)):
        seen = "" if known.types is None else f"Mend them. {known.sentence()}"
        raise PlanFaults(faults, seen if known.snapshot is None else f"{seen} {_HAS_CHANGED}")
    return plan, known


_HAS_CHANGED = "If the source has changed since, `cutover run --new-snapshot` checks against what it holds now."
