"""The plan of a folder as commands and Dagster open it: its files hold, it is its folder's own, and what is signed has
been signed by now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.plan.check import load_checked_plan, signed_ahead_faults
from migration_assets.plan.models import Plan
from migration_assets.plan.own import require_own

# Nowhere is it later than in the zone UTC+14.
_FIRST = timedelta(hours=14)


def load_own_plan(folder: Path) -> Plan:
    """The plan of a folder; PlanFaults when it does not hold without looking at a source."""
    plan = load_checked_plan(folder)
    require_own(plan)
    if faults := tuple(signed_ahead(plan)):
        raise PlanFaults(faults)
    return plan


def signed_ahead(plan: Plan) -> Iterable[Fault]:
    """Signatures of a day that has not come anywhere on earth."""
    return signed_ahead_faults(plan, (datetime.now(UTC) + _FIRST).date())
