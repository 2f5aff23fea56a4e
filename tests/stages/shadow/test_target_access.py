"""What the target lets customers do, found for all of them at once, is what the readable rules say, row for row."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_entitlements import SINCE, UNTIL, Entitled, canonical, random_entitled

from migration_assets.domain.target import access as readable
from migration_assets.domain.target.access import Entitlement, State
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.spans import SPAN
from migration_assets.stages.shadow.target.access import target_access

Row = tuple[Any, ...]
SEED = 20261128


def found(customers: Sequence[Entitled]) -> list[Row]:
    with DuckDBEngine() as engine:
        made = target_access(engine, *canonical(engine, customers), SINCE, UNTIL)
        assert made.columns == SPAN
        spans = [tuple(r.values()) for r in engine.arrow(made).to_pylist()]
    told = [(*s[:6], None if s[6] is None else Fraction(s[6]), s[7]) for s in spans]
    return sorted(told, key=lambda s: s[:4])


def expected(one: Entitled) -> list[Row]:
    return [
        (one.customer, s.feature, s.region, s.starts_at, s.ends_at, s.answer.allowed, s.answer.limit, s.answer.overage)
        for s in readable.access(one.entitlements, one.states, SINCE, UNTIL)
    ]


def agree(customers: Sequence[Entitled]) -> list[Row]:
    """Holds every span of both against each other."""
    spans = found(customers)
    mine: dict[str, list[Row]] = {c.customer: [] for c in customers}
    for span in spans:
        mine[span[0]].append(span)
    for one in customers:
        assert mine[one.customer] == expected(one), one
    return spans


RANDOMS = st.randoms(use_true_random=False)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(RANDOMS, min_size=1, max_size=8))
def test_access_of_any_customers_is_that_of_the_readable_rules(rngs: list[Random]) -> None:
    agree([random_entitled(rng, n) for n, rng in enumerate(rngs)])


@pytest.mark.parametrize("seed", range(SEED, SEED + 2))
def test_access_of_random_customers_is_that_of_the_readable_rules(seed: int) -> None:
    print(f"seed {seed}")
    rng = Random(seed)
    agree([random_entitled(rng, n) for n in range(300)])


@pytest.mark.slow
def test_access_of_twenty_thousand_random_subscriptions_is_that_of_the_readable_rules() -> None:
    seed = int(os.environ.get("CUTOVER_TEST_SEED", SEED))
    print(f"CUTOVER_TEST_SEED={seed}")
    rng, subscriptions, spans = Random(seed), 0, list[Row]()
    for _ in range(7):
        customers = [random_entitled(rng, n) for n in range(3_000)]
        subscriptions += sum(len(c.states) for c in customers)
        spans += agree(customers)
    assert subscriptions > 20_000
    # Every kind of answer was among them, many times.
    kinds = [(allowed, limit is None, overage, region) for *_, region, _, _, allowed, limit, overage in spans]
    for n, some in enumerate(((True, False), (True, False), ("block", "bill", "grace", "none"), ("DE", "FR", "*"))):
        assert all(sum(kind[n] == one for kind in kinds) > 2_000 for one in some), n


def seats(**told: Any) -> Entitlement:
    """Ten seats of a plan in Germany, unless something else is told."""
    known: dict[str, Any] = {
        "entitlement_id": "k/1",
        "subscription_id": "k-0",
        "feature": "seats",
        "region": "DE",
        "starts_at": SINCE - timedelta(days=100),
        "ends_at": None,
        "allowed": True,
        "limit_kind": "limited",
        "limit_units": Fraction(10),
        "overage": "bill",
        "granted_by": "plan",
    }
    return Entitlement(**{**known, **told})


def holder(*rows: Entitlement, state: State | None = None, lapsed: datetime | None = None) -> Entitled:
    return Entitled("k", rows, {"k-0": state or State()}, {} if lapsed is None else {"k-0": lapsed})


def limits(one: Entitled) -> list[tuple[datetime, datetime, Fraction | None]]:
    return [(s[3], s[4], s[6]) for s in agree([one])]


def test_an_upgrade_told_as_two_rows_that_touch_is_two_spans_and_a_renewal_is_one() -> None:
    at = SINCE + timedelta(days=30)
    old, new = seats(ends_at=at), seats(entitlement_id="k/2", starts_at=at, limit_units=Fraction(25))
    assert limits(holder(old, new)) == [(SINCE, at, 10), (at, UNTIL, 25)]
    assert limits(holder(old, replace(new, limit_units=Fraction(10)))) == [(SINCE, UNTIL, 10)]


def test_a_pause_and_the_end_of_grace_suspend_what_the_subscription_grants_and_no_override() -> None:
    paused, back, last = (SINCE + timedelta(days=n) for n in (10, 20, 30))
    state = State(paused, back, last)
    assert limits(holder(seats(), state=state)) == [(SINCE, paused, 10), (back, last, 10)]
    override = seats(entitlement_id="o", subscription_id=None, granted_by="override", limit_units=Fraction(1))
    assert limits(holder(seats(), override, state=state)) == [(SINCE, UNTIL, 1)]


def test_an_end_of_grace_that_stands_at_a_subscription_that_has_paid_means_nothing() -> None:
    assert limits(holder(seats(), lapsed=SINCE + timedelta(days=3))) == [(SINCE, UNTIL, 10)]


def test_ten_seats_of_the_plan_and_five_of_an_add_on_are_fifteen_by_the_policy_of_the_plan() -> None:
    more = seats(entitlement_id="a", granted_by="add_on", limit_units=Fraction(5), overage="block")
    (span,) = agree([holder(seats(), more)])
    assert span[5:] == (True, 15, "bill")


def test_what_is_forbidden_has_no_say_in_what_happens_past_the_limit_of_what_is_allowed() -> None:
    add_on = seats(entitlement_id="a", granted_by="add_on", limit_units=Fraction(5), overage="grace")
    for forbidden in (seats(allowed=False), seats(limit_kind="zero", limit_units=None)):
        (span,) = agree([holder(forbidden, add_on)])
        assert span[5:] == (True, 5, "grace")


def test_limits_larger_than_64_bits_add_up_exactly() -> None:
    large = Fraction("12345678901234567890.00000001")
    rows = [seats(entitlement_id=f"k/{n}", limit_units=large) for n in range(3)]
    assert limits(holder(*rows)) == [(SINCE, UNTIL, 3 * large)]


def test_the_ends_of_the_window_are_those_that_are_asked_for() -> None:
    row = seats(starts_at=SINCE, ends_at=UNTIL)
    assert limits(holder(row)) == [(SINCE, UNTIL, 10)]
    for outside in (
        replace(row, ends_at=SINCE),
        replace(row, starts_at=UNTIL),
        replace(row, starts_at=UNTIL, ends_at=None),
    ):
        assert limits(holder(outside)) == []
