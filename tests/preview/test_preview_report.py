"""What a preview says of checks, and how cohorts are put together for people."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console

from migration_assets.preview.effect import Effect
from migration_assets.preview.report import OfCohort, Preview, newly_failing, print_preview
from migration_assets.quality.results import CheckResult

PASSED = CheckResult("access_kept", "access_differences", "critical", True, True, 10, 0, (), "")
FAILED = replace(PASSED, passed=False, unexpected=3, amount_minor={"EUR": 123456, "JPY": 500})
NOTHING = Effect((), (), (), ())
SAME = Effect(
    rows=({"entity": "entitlement", "before": 5, "after": 5, "changed": 0},
          {"entity": "contact", "before": 7, "after": 7, "changed": 0}),
    access=(),
    bills=({"currency": "EUR", "contracts": 0, "bills": 0, "more": 0, "less": 0, "before": 8800, "after": 8800},),
    unbillable=(),
)  # fmt: skip
LESS = Effect(
    rows=({"entity": "entitlement", "before": 8, "after": 6, "changed": 1},),
    access=({"feature": "storage", "kind": "loss", "customers": 2, "yearly": {"EUR": 100000, "JPY": 300}},),
    bills=({"currency": "EUR", "contracts": 1, "bills": 12, "more": 0, "less": 1200, "before": 9900, "after": 8700},),
    unbillable=({"reason": "no_tax_rate", "before": 0, "after": 4},),
)


def previewed(*cohorts: OfCohort) -> Preview:
    return Preview("own", "HEAD", "s1", datetime(2026, 6, 30, tzinfo=UTC), cohorts)


def shown(preview: Preview) -> str:
    out = io.StringIO()
    print_preview(Console(file=out, width=140), preview, {})
    return out.getvalue()


def test_a_check_counts_that_did_not_fail_before_or_finds_more_now() -> None:
    assert newly_failing([PASSED], [FAILED]) == (FAILED,)
    assert newly_failing([FAILED], [FAILED]) == ()
    assert newly_failing([FAILED], [PASSED]) == ()
    worse = replace(FAILED, unexpected=4)
    assert newly_failing([FAILED], [worse]) == (worse,)
    not_evaluated = replace(FAILED, severity="warning", unexpected=0, evaluated=False)
    assert newly_failing([PASSED], [not_evaluated]) == (not_evaluated,)
    warned = replace(FAILED, severity="warning")
    assert newly_failing([warned], [not_evaluated]) == (not_evaluated,)
    dearer = replace(FAILED, amount_minor={"EUR": 123457, "JPY": 500})
    assert newly_failing([FAILED], [dearer]) == (dearer,)


def test_only_what_blocks_stops_a_run() -> None:
    warned = replace(FAILED, severity="warning")
    assert previewed(OfCohort("c1", NOTHING, (warned,))).ok
    assert not previewed(OfCohort("c1", NOTHING, ()), OfCohort("c2", NOTHING, (FAILED,))).ok


def test_people_see_the_cohorts_together_in_major_units() -> None:
    told = shown(previewed(OfCohort("c1", LESS, (FAILED,)), OfCohort("c2", LESS, ())))
    assert "storage" in told and "2,000.00 EUR, 600 JPY" in told
    assert "24.00 EUR" in told and "198.00 EUR" in told and "174.00 EUR" in told
    assert "c1" in told and "1,234.56 EUR, 500 JPY" in told and "would be stopped" in told


def test_a_plan_that_changes_nothing_says_so() -> None:
    told = shown(previewed(OfCohort("c1", SAME, ())))
    assert "No row, no entitlement and no bill of the target changes." in told and "would pass as before" in told
    told = shown(replace(previewed(OfCohort("c1", SAME, ())), stopped=True, against="../a[/b]"))
    assert "stopped as by the other plan" in told and "../a[/b]" in told


def test_sums_are_those_of_all_cohorts_also_where_one_has_no_difference() -> None:
    told = shown(previewed(OfCohort("c1", LESS, ()), OfCohort("c2", SAME, ())))
    assert "187.00 EUR" in told and "175.00 EUR" in told
    assert " 13 " in told and " 11 " in told and "contact" not in told


def test_json_keeps_the_cohorts_apart() -> None:
    said = previewed(OfCohort("c1", LESS, (FAILED,))).to_json()
    assert said["ok"] is False and said["cohorts"][0]["access"] == list(LESS.access)
    assert said["cohorts"][0]["checks"] == [
        {"check": "access_kept", "table": "access_differences", "blocks": True, "rows": 3,
         "amount_minor": {"EUR": 123456, "JPY": 500}}
    ]  # fmt: skip
