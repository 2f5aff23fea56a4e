"""Jobs and schedules: the global phase, one run per cohort, and a nightly look at what was loaded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from migration_assets.domain.errors import CutoverError
from migration_assets.plan.sync_models import Sync
from migration_assets.wiring.partitions import COHORTS
from migration_assets.wiring.stage_names import STAGES_OF

if TYPE_CHECKING:
    from migration_assets.wiring.workspace import Workspace


def global_phase() -> UnresolvedAssetJobDefinition:
    """Golden copy to cohort plan: what has to be done once, over all customers."""
    return dg.define_asset_job(
        "global_phase",
        selection=dg.AssetSelection.assets(*STAGES_OF["global_phase"]),
        description="Golden copy, parties, identities, target schema, reference data and the cohort plan.",
    )


def cohort_phase() -> UnresolvedAssetJobDefinition:
    """Profile to verified bills for one cohort."""
    return dg.define_asset_job(
        "cohort_phase",
        selection=dg.AssetSelection.assets(*STAGES_OF["cohort_phase"]),
        description="One cohort from its profile to its verified bills; backfill it to move many.",
    )


def cohort_preparation() -> UnresolvedAssetJobDefinition:
    """First half of a big bang: nothing is loaded yet."""
    return dg.define_asset_job(
        "cohort_preparation",
        selection=dg.AssetSelection.assets(*STAGES_OF["cohort_preparation"]),
        description="One cohort up to the point where it could be loaded; in a big bang every cohort gets here first.",
    )


def cohort_arrival() -> UnresolvedAssetJobDefinition:
    """Second half of a big bang."""
    return dg.define_asset_job(
        "cohort_arrival",
        selection=dg.AssetSelection.assets(*STAGES_OF["cohort_arrival"]),
        description="One prepared cohort into the target, and what looks at it there.",
    )


def cohort_dry_run() -> UnresolvedAssetJobDefinition:
    """What a dry run does for one cohort: nothing arrives, so there is nothing to look at."""
    return dg.define_asset_job(
        "cohort_dry_run",
        selection=dg.AssetSelection.assets(*STAGES_OF["cohort_dry_run"]),
        description="One cohort from its profile to a load that is rolled back (run with tag cutover/dry_run: true).",
    )


def nightly_reconciliation(workspace: Workspace) -> dg.ScheduleDefinition:
    """Compares every loaded cohort with the target again each night (off until switched on)."""
    job = dg.define_asset_job(
        "reconcile_again",
        selection=dg.AssetSelection.assets(*STAGES_OF["reconcile_again"]),
        description="Source and target compared again, now: rows, totals, bills and access.",
    )

    sync = workspace.plan.file.sync or Sync()

    @dg.schedule(job=job, cron_schedule=sync.nightly, name="nightly_reconciliation", execution_timezone="UTC")
    def nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        """One run for each cohort that has been loaded."""
        try:
            loaded = loaded_cohorts(workspace, context.instance, datetime.now(UTC))
        except CutoverError as e:
            return dg.SkipReason(str(e))
        return [dg.RunRequest(partition_key=c) for c in loaded] or dg.SkipReason("the load of no cohort stands")

    return nightly


def loaded_cohorts(workspace: Workspace, instance: dg.DagsterInstance, now: datetime) -> list[str]:
    """Cohorts there are whose load stands. Dagster's history also has those of earlier cohort plans, whose partition
    key is gone and would stop the schedule, and dry runs, which loaded nothing."""
    basis, present = workspace.frozen_basis(), instance.get_dynamic_partitions(str(COHORTS.name))
    standing = workspace.control.standing
    return sorted(c for c in present if standing(c, "loaded_target", basis, now).passed)
