"""Where a clock is set back, and where T or a pause falls on a cycle's start, cycles at once are those of the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest
import told_twice
from held_rows import apart
from test_target_bills import differing
from told_twice import Sold

from migration_assets.domain.calendar import billing_period
from migration_assets.domain.target.terms import MeteredUsage, Price, Rules, Subscription, SubscriptionItem

# 02:30 in Berlin, which clocks show twice on 25 October 2026: at 00:30 and at 01:30 UTC. The cycle starts at the first.
ANCHOR = datetime(2026, 3, 25, 1, 30, tzinfo=UTC)
TWICE = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
SECOND_TIME = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
ON_A_START = billing_period(ANCHOR, 1, 6, "Europe/Berlin").starts_at
PAUSES = (
    (None, None),
    (SECOND_TIME, datetime(2026, 12, 1, tzinfo=UTC)),
    (datetime(2026, 8, 10, tzinfo=UTC), ON_A_START),
    (ON_A_START, datetime(2026, 11, 3, tzinfo=UTC)),
    (datetime(2026, 8, 10, tzinfo=UTC), SECOND_TIME),
)


def subscription(paused_at: datetime | None, resumes_at: datetime | None) -> Subscription:
    """With usage in every cycle, so that it matters which one came before."""
    plain = told_twice.subscription(Sold(ANCHOR.date()))
    meter = SubscriptionItem("calls", "usage", 1, Price("flat", Fraction("0.5")))
    starts = [billing_period(ANCHOR, 1, k, "Europe/Berlin").starts_at for k in range(12)]
    usage = tuple(MeteredUsage("calls", s, Fraction(k + 1), Fraction(0), "bill") for k, s in enumerate(starts))
    paused = {"paused_at": paused_at, "resumes_at": resumes_at}
    return replace(plain, anchor_at=ANCHOR, items=(*plain.items, meter), usage=usage, **paused)


@pytest.mark.parametrize("pause", ["extend", "skip"])
@pytest.mark.parametrize("as_of", [TWICE, SECOND_TIME, datetime(2026, 10, 1, tzinfo=UTC), ON_A_START])
def test_cycles_about_a_clock_that_is_set_back(as_of: datetime, pause: str) -> None:
    made = apart(subscription(*p) for p in PAUSES)
    assert differing(made, Rules(pause=pause), as_of) == []  # type: ignore[arg-type]
