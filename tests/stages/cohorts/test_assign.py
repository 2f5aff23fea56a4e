from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from migration_assets.plan.models import CohortRule
from migration_assets.stages.cohorts.assign import assign_families, bucket, names_of, planned_cohorts

PILOT = CohortRule(name="pilot", wave=0, customers=("A",), limit=2)
BIG = CohortRule(name="enterprise", wave=2, customers=("B",))
REST = CohortRule(name="base", wave=1, buckets=3)


def test_cohorts_move_by_wave_then_as_written() -> None:
    assert [c.name for c in planned_cohorts((PILOT, BIG, REST))] == [
        "pilot", "base_01", "base_02", "base_03", "enterprise",
    ]  # fmt: skip


def test_the_first_rule_that_takes_a_family_keeps_it_and_a_limit_counts_families() -> None:
    taken = {"pilot": [4, 4, 2, 1], "enterprise": [1, 2]}
    cohorts = assign_families((PILOT, BIG, REST), [f"f{i}" for i in range(5)], taken)
    assert cohorts[4] == cohorts[2] == "pilot"
    assert cohorts[1] == "enterprise"
    assert {cohorts[0], cohorts[3]} <= set(names_of(REST))


def test_families_no_rule_takes_have_no_cohort() -> None:
    assert assign_families((PILOT,), ["a", "b"], {"pilot": [0]}) == ["pilot", None]


@given(st.text(), st.integers(1, 500))
def test_a_bucket_depends_on_the_key_alone(key, buckets) -> None:
    assert bucket(key, buckets) == bucket(key, buckets) < buckets


def test_buckets_are_the_same_on_every_machine() -> None:
    assert [bucket(k, 10) for k in ("crm.accounts:A-1", "crm.accounts:A-2", "é")] == [2, 5, 1]


@given(st.lists(st.text(min_size=1), unique=True, max_size=50))
def test_every_family_is_assigned_when_the_last_rule_takes_the_rest(keys) -> None:
    assert all(assign_families((REST,), keys, {}))
