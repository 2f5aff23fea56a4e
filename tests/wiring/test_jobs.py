"""The nightly comparison asks for cohorts that are there and have been loaded, and for no other."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from migration_assets.domain.errors import StageRefused
from migration_assets.wiring.jobs import nightly_reconciliation
from migration_assets.wiring.partitions import COHORTS

# Dagster reads this property of its own schedules.
pytestmark = pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")


def workspace(loaded: Collection[str], refused: bool = False) -> Any:
    """A plan in which the load of these cohorts stands."""

    def record() -> Any:
        if refused:
            raise StageRefused("no migration record yet", "Materialize the global assets.")
        return SimpleNamespace(snapshot="snap", plan_digest="d")

    def standing(cohort: str, asset: str, basis: object, now: object) -> Any:
        assert asset == "loaded_target"
        return SimpleNamespace(passed=cohort in loaded)

    plan = SimpleNamespace(file=SimpleNamespace(sync=None))
    return SimpleNamespace(plan=plan, frozen_basis=record, control=SimpleNamespace(standing=standing))


def asked(found: Any, *partitions: str) -> Any:
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions(str(COHORTS.name), list(partitions))
        with dg.build_schedule_context(instance=instance) as context:
            return nightly_reconciliation(found)(context)


def test_cohorts_that_are_there_and_loaded_are_asked_for() -> None:
    requests = asked(workspace({"pilot", "rest"}), "rest", "pilot")
    assert [r.partition_key for r in requests] == ["pilot", "rest"]


def test_a_cohort_that_is_gone_is_not_asked_for() -> None:
    assert [r.partition_key for r in asked(workspace({"pilot", "gone"}), "pilot")] == ["pilot"]


def test_a_cohort_whose_load_does_not_stand_is_not_asked_for() -> None:
    """A dry run leaves a materialization and no verdict."""
    assert [r.partition_key for r in asked(workspace({"pilot"}), "pilot", "dry")] == ["pilot"]


def test_without_a_cohort_or_a_record_the_night_is_skipped_with_the_reason() -> None:
    assert "of no cohort stands" in asked(workspace(()), "pilot").skip_message
    assert "no migration record" in asked(workspace((), refused=True), "pilot").skip_message
