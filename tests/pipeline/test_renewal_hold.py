"""The hold before renewals, on the telco plan with 60 customers, who all renew at T: it keeps them from moving, and
nobody who has moved already."""

from __future__ import annotations

import pytest
from world import World

from migration_assets.wiring.results import PhaseResult

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def moved(small: World, days: int) -> PhaseResult:
    """The run of the pilot under a plan that holds so many days."""
    file = small.workspace.root / "plans" / "small" / "plan.yaml"
    text = file.read_text(encoding="utf-8").partition("hold_before_renewal_days")[0]
    file.write_text(f"{text.rstrip()}\nhold_before_renewal_days: {days}\n", encoding="utf-8")
    return small.reopened().migrate("pilot").cohorts["pilot"]


def accounts(small: World) -> int:
    return int(small.target("select count(*) from telecom.accounts")[0][0])


def test_who_renews_soon_does_not_move_and_who_has_moved_is_not_held(small: World) -> None:
    held = moved(small, 1)
    assert held.stopped_at == "shadow_billing" and held.exit_code == 1
    assert held.failed_checks == ("shadow_billing.no_renewal_during_the_hold",)
    assert accounts(small) == 0

    assert moved(small, 0).ok and accounts(small) == 10

    again = moved(small, 1)
    assert again.ok and again.rows_written == 0, "loaded already: it renews in the new system"
