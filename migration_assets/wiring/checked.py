"""A plan checked as far as it can be without touching data: its files, the variables it names, and its expectations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from migration_assets.domain.errors import PlanFaults
from migration_assets.plan.check import variable_faults
from migration_assets.plan.models import Plan
from migration_assets.wiring.environment import variables
from migration_assets.wiring.own_plan import signed_ahead
from migration_assets.wiring.source_columns import KnownColumns, load_against_source
from migration_assets.wiring.suites import check_suites


class Checked(NamedTuple):
    """A plan that holds, what is known of its source's columns, and how many rules its expectations have."""

    plan: Plan
    known: KnownColumns
    rules: int


def checked(root: Path, name: str, env: Mapping[str, str], *, here: bool) -> Checked:
    """The plan of that name, if it holds; PlanFaults with every fault otherwise, but for those of expectations: they
    follow from the plan and come after.

    `here`: whether this is where the plan is to run, so that what it names as `${NAME}` has to be set, and files that
    it names are looked into for their columns.
    """
    unset = variable_faults(root / "plans" / name, variables(root, env)) if here else ()
    try:
        plan, columns = load_against_source(root, name, env, more=signed_ahead, at_files=here)
        rules = check_suites(root, plan)
    except PlanFaults as found:
        raise PlanFaults((*found.faults, *unset), found.remedy) from None
    if unset:
        raise PlanFaults(unset)
    return Checked(plan, columns, rules)
