"""The whole graph, assembled in one function that takes overrides, so that tests can swap parts.

`definitions` is what Dagster loads: the plan named by CUTOVER_PLAN (default `acme`) and no other.
"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from migration_assets.stages.billing import assets as billing
from migration_assets.stages.cleanse import assets as cleanse
from migration_assets.stages.cohorts import assets as cohorts
from migration_assets.stages.entitlements import assets as entitlements
from migration_assets.stages.golden_copy import assets as golden_copy
from migration_assets.stages.identities import assets as identities
from migration_assets.stages.load import assets as load
from migration_assets.stages.profile import assets as profile
from migration_assets.stages.reconcile import assets as reconcile
from migration_assets.stages.reference import assets as reference
from migration_assets.stages.shadow import assets as shadow
from migration_assets.wiring.environment import current
from migration_assets.wiring.garbage import collect_less
from migration_assets.wiring.jobs import (
    cohort_arrival,
    cohort_dry_run,
    cohort_phase,
    cohort_preparation,
    global_phase,
    nightly_reconciliation,
)
from migration_assets.wiring.lineage import legacy_tables
from migration_assets.wiring.stage import StageSpec, stage_asset, with_all_gates
from migration_assets.wiring.sync import delta_job, delta_sensor
from migration_assets.wiring.workspace import Workspace, open_workspace

# Not resolved: a root whose package is a link is a root of its own.
ROOT = Path(__file__).absolute().parent.parent

# In pipeline order.
STAGES = (golden_copy, identities, load, reference, cohorts, profile, cleanse, entitlements, billing, shadow,
          reconcile)  # fmt: skip


def stage_specs(workspace: Workspace) -> list[StageSpec]:
    """Every stage of one plan, in pipeline order."""
    return [spec for module in STAGES for spec in module.specs(workspace)]


def build_definitions(workspace: Workspace) -> dg.Definitions:
    """Every asset, check, job, sensor and schedule of one plan."""
    stages = [stage_asset(spec) for spec in with_all_gates(stage_specs(workspace))]
    tick = delta_job(workspace, build_definitions)
    return dg.Definitions(
        assets=[*legacy_tables(workspace.plan), *stages],
        jobs=[global_phase(), cohort_phase(), cohort_preparation(), cohort_arrival(), cohort_dry_run(), tick],
        sensors=[delta_sensor(workspace, tick)],
        schedules=[nightly_reconciliation(workspace)],
        resources={"workspace": dg.ResourceDefinition.hardcoded_resource(workspace)},
        executor=dg.in_process_executor,
    )


@dg.definitions
def definitions() -> dg.Definitions:
    """What `workspace.yaml` points at."""
    made = build_definitions(open_workspace(current(ROOT, dict(os.environ))))
    collect_less()
    return made
