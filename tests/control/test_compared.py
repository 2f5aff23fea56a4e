"""Whether a cohort was looked at before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migration_assets.control import ControlDatabase, Verdict, compared_before, migrate

pytestmark = pytest.mark.postgres

AT = datetime(2026, 3, 4, tzinfo=UTC)
VERDICT = Verdict(
    "pilot", "verified_billing", "s", "d", AT, "u", "some_check", "critical", True, True, 1, 0, (), "", {}, "first", AT
)


def test_only_another_run_of_the_same_cohort_and_stage_since_then_counts(database: str) -> None:
    migrate(database)
    control = ControlDatabase(database)
    asked = ("pilot", "verified_billing", "second")
    assert not compared_before(control, *asked, None)
    control.save_verdicts([VERDICT, replace(VERDICT, check="another")])
    control.save_verdicts([replace(VERDICT, cohort="rest", run_id="other", at=AT + timedelta(days=1))])
    assert compared_before(control, *asked, None)
    assert not compared_before(control, "pilot", "verified_billing", "first", None), "the run that asks"
    assert not compared_before(control, "pilot", "reconciliation", "second", None)
    assert compared_before(control, *asked, AT - timedelta(seconds=1))
    assert not compared_before(control, *asked, AT), "it was taken back since"
    control.withdraw_verdicts(["verified_billing"])
    assert compared_before(control, *asked, None), "history stays"
