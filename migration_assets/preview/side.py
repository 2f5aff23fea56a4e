"""One state of the plan at work: its stages from the mapping to the comparison with the old system, on a copy of what
the last run has written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from migration_assets.domain.errors import BadInput, PlanFaults
from migration_assets.plan.check import check_plan, load_checked_plan
from migration_assets.stages.cohorts.assets import lay_out_parties
from migration_assets.stages.cohorts.layout import Layout
from migration_assets.stages.golden_copy.columns import raw_columns
from migration_assets.stages.golden_copy.manifest import read_manifest
from migration_assets.stages.owners import Owners
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.bench import Bench
from migration_assets.wiring.scratch import scratch
from migration_assets.wiring.tags import DRY_RUN
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    from migration_assets.control import MigrationRecord
    from migration_assets.plan.models import Plan
    from migration_assets.quality.results import CheckResult

# What follows from mapping, codes, catalog and billing.yaml, in their order. Who is who and who moves when stay.
_ONCE = ("standardized_parties", "reference_data")
_EACH = ("cleansed_customers", "transformed_entitlements", "transformed_billing", "shadow_billing")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Side:
    """A state of the plan in a copy of the store. `name`: what people call it."""

    name: str
    bench: Bench

    @property
    def workspace(self) -> Workspace:
        return self.bench.workspace

    def made_once(self, cohorts: Sequence[str], say: Say) -> tuple[CheckResult, ...]:
        """What belongs to no cohort, made by this plan; what its checks say. `cohorts`: all there are; each gets its
        parties as this plan writes them."""
        found = self._made(_ONCE, GLOBAL, say)
        with self.workspace.engine() as engine:
            call = self.bench.call(engine, GLOBAL)
            owners = Owners(engine, call.plan, call.golden())
            layout = Layout(engine, call.golden(), owners, call.rows("cohort_plan", "members"))
            lay_out_parties(call, layout, cohorts)
        return found

    def made(self, cohort: str, say: Say) -> tuple[CheckResult, ...]:
        """What becomes of a cohort by this plan; what its checks say."""
        return self._made(_EACH, cohort, say)

    def _made(self, assets: tuple[str, ...], partition: str, say: Say) -> tuple[CheckResult, ...]:
        found: tuple[CheckResult, ...] = ()
        for asset in assets:
            say(f"{self.name}: {asset}")
            found += self.bench.look(asset, partition, {DRY_RUN: "true"}).results
        return found


def side_of(workspace: Workspace, record: MigrationRecord, name: str, plan_folder: Path, folder: Path) -> Side:
    """The plan of `plan_folder` where a copy of the workspace's store lies, which takes no room until it is written to.

    `record`: of the last run, on whose snapshot and instant T both sides stand. PlanFaults, with the side's name, when
    the plan does not hold, also against the golden copy's columns; BadInput when it is another plan.
    """
    own = scratch(workspace.environment, plan_folder, folder)
    return Side(name, _bench(Workspace(_held(workspace, record, name, own.plan_folder), own)))


def _held(workspace: Workspace, record: MigrationRecord, name: str, folder: Path) -> Plan:
    """The plan, as the one that the last run's record is about: whether it has changed is not the question here."""
    try:
        plan = load_checked_plan(folder)
        manifest = read_manifest(workspace.store.golden(record.snapshot))
        faults = check_plan(plan, columns=raw_columns(manifest, plan))
    except PlanFaults as found:
        faults = found.faults
    if faults:
        raise PlanFaults(
            faults, f"These are faults of the plan `{name}`; `cutover check` looks at the one in its folder."
        )
    if (plan.name, plan.file.uuid) != (workspace.plan.name, workspace.plan.file.uuid):
        raise BadInput(
            "what --against names is another plan: its name or its uuid differs",
            "Only two states of one plan can be held against each other.",
        )
    return plan.model_copy(update={"digest": record.plan_digest})


def _bench(workspace: Workspace) -> Bench:
    from migration_assets.definitions import stage_specs

    return Bench(workspace, {s.name: s for s in stage_specs(workspace)})
