"""Whether the files of a plan fit each other, the canonical model and the rules: all faults at once, without data.

What single files must look like is `plan.load`; each concern has its module in `plan.checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.plan.checks.access import access_faults
from migration_assets.plan.checks.balances import balance_faults
from migration_assets.plan.checks.billing import billing_faults
from migration_assets.plan.checks.billing_signed import signed_ahead
from migration_assets.plan.checks.catalog import catalog_faults
from migration_assets.plan.checks.codes import code_faults
from migration_assets.plan.checks.cohorts import cohort_faults
from migration_assets.plan.checks.controls import control_faults
from migration_assets.plan.checks.enrichment import enrichment_faults
from migration_assets.plan.checks.entries import entry_faults
from migration_assets.plan.checks.exclusions import exclusion_faults
from migration_assets.plan.checks.feed_columns import feed_column_faults
from migration_assets.plan.checks.feeds import feed_faults
from migration_assets.plan.checks.geo import geo_faults
from migration_assets.plan.checks.identity import identity_faults
from migration_assets.plan.checks.left_behind import left_behind_faults
from migration_assets.plan.checks.left_empty import left_empty_faults
from migration_assets.plan.checks.owned_by import owned_by_faults
from migration_assets.plan.checks.references import reference_faults
from migration_assets.plan.checks.rows import row_faults
from migration_assets.plan.checks.sources import source_faults
from migration_assets.plan.checks.survivorship import survivorship_faults
from migration_assets.plan.checks.target import target_faults
from migration_assets.plan.checks.tax import tax_faults
from migration_assets.plan.checks.terms import term_faults
from migration_assets.plan.checks.variables import unset_variables
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.entries import with_entries
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan

CHECKS: tuple[Callable[[PlanView], Iterator[Fault]], ...] = (
    source_faults,
    entry_faults,
    feed_faults,
    feed_column_faults,
    row_faults,
    reference_faults,
    code_faults,
    catalog_faults,
    geo_faults,
    cohort_faults,
    control_faults,
    identity_faults,
    survivorship_faults,
    exclusion_faults,
    left_behind_faults,
    enrichment_faults,
    billing_faults,
    access_faults,
    balance_faults,
    term_faults,
    tax_faults,
    target_faults,
    left_empty_faults,
    owned_by_faults,
)


def check_plan(plan: Plan, *, columns: Mapping[str, Mapping[str, str]] | None = None) -> tuple[Fault, ...]:
    """Every fault of a loaded plan, sorted by place; none means it can run.

    `columns` is column -> type for each `system.table`, from the golden copy's manifest or the live source. Where it
    says nothing of a table, the names of raw columns are taken on trust, and everything else is still checked.
    """
    view = PlanView(plan, with_entries(plan, columns))
    return tuple(sorted({fault for check in CHECKS for fault in check(view)}))


def variable_faults(folder: Path, env: Mapping[str, str]) -> tuple[Fault, ...]:
    """Places of a plan, be it right or wrong, that name variables which are not set on this machine. Not among the
    others, since a plan can be right where none of it is set."""
    return tuple(unset_variables(folder, env))


def signed_ahead_faults(plan: Plan, latest: date) -> tuple[Fault, ...]:
    """Signatures of a later day than `latest`, which is today. Not among the others, since no day is part of a plan."""
    return tuple(signed_ahead(PlanView(plan), latest))


def load_checked_plan(folder: Path) -> Plan:
    """The plan of a folder, if it holds without looking at a source; PlanFaults otherwise.

    `golden_copy` checks it against the source's columns before any other stage runs.
    """
    plan = load_plan(folder)
    if faults := check_plan(plan):
        raise PlanFaults(faults)
    return plan
