"""The one partition dimension: the customer cohort. `cohort_plan` fills it, and runs add what it has lost."""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg

COHORTS = dg.DynamicPartitionsDefinition(name="cohort")
_NAME = str(COHORTS.name)


def set_cohorts(instance: dg.DagsterInstance, names: Collection[str]) -> None:
    """Make exactly these cohorts known as Dagster partitions."""
    add_cohorts(instance, names)
    for gone in set(instance.get_dynamic_partitions(_NAME)) - set(names):
        instance.delete_dynamic_partition(_NAME, gone)


def add_cohorts(instance: dg.DagsterInstance, names: Collection[str]) -> None:
    """Make these cohorts known too. The migration record has them even where Dagster's own storage was lost."""
    present = set(instance.get_dynamic_partitions(_NAME))
    if missing := [n for n in names if n not in present]:
        instance.add_dynamic_partitions(_NAME, missing)
