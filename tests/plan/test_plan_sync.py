"""When ticks may run, as plan.yaml says it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from migration_assets.plan.sync_models import Sync, Window, may_run

NIGHT = {"opens": "20:00", "closes": "06:00", "time_zone": "Europe/Berlin", "days": ["fri"]}
DAY = {"opens": "09:00", "closes": "17:30"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("window", "instant", "is_open"),
    [
        (DAY, "2026-06-30T09:00Z", True),
        (DAY, "2026-06-30T08:59:59Z", False),
        (DAY, "2026-06-30T17:29:59Z", True),
        (DAY, "2026-06-30T17:30Z", False),
        # The same clock in Berlin is two hours ahead in summer and one in winter. 3 July 2026 is a Friday.
        (NIGHT, "2026-07-03T18:00Z", True),
        (NIGHT, "2026-07-03T17:59Z", False),
        (NIGHT, "2026-01-02T18:59Z", False),
        (NIGHT, "2026-01-02T19:00Z", True),
        # The night of Friday goes on on Saturday; that of Thursday is none.
        (NIGHT, "2026-07-04T03:59Z", True),
        (NIGHT, "2026-07-04T04:00Z", False),
        (NIGHT, "2026-07-03T01:00Z", False),
        ({"opens": "00:00", "closes": "24:00", "days": ["tue"]}, "2026-06-30T23:59:59Z", True),
        ({"opens": "00:00", "closes": "24:00", "days": ["tue"]}, "2026-07-01T00:00Z", False),
    ],
)
def test_a_window_is_open_by_its_own_clock(window: dict[str, Any], instant: str, is_open: bool) -> None:
    assert Window.model_validate(window).holds(at(instant)) is is_open


def test_without_windows_ticks_may_always_run_and_with_several_in_any() -> None:
    both = [Window.model_validate(DAY), Window.model_validate(NIGHT)]
    assert may_run((), at("2026-06-30T03:00Z"))
    assert may_run(both, at("2026-06-30T10:00Z")) and may_run(both, at("2026-07-03T20:00Z"))
    assert not may_run(both, at("2026-06-30T03:00Z"))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"windows": [{**DAY, "time_zone": "Berlin"}]}, "no time zone of IANA"),
        ({"windows": [{**DAY, "opens": "9:00"}]}, "match pattern"),
        ({"windows": [{**DAY, "opens": "25:00"}]}, "hour must be in"),
        ({"windows": [{**DAY, "days": []}]}, "at least 1"),
        ({"every_seconds": 1}, "greater than or equal to 5"),
        ({"every": 60}, "Extra inputs"),
    ],
)
def test_what_is_no_rhythm_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Sync.model_validate(given)


def test_the_hour_of_the_night_is_a_schedule() -> None:
    assert [Sync(reconcile_at=t).nightly for t in ("02:00", "23:05", "24:00")] == [
        "0 2 * * *", "5 23 * * *", "0 0 * * *",
    ]  # fmt: skip
