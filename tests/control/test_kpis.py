"""Key figures: rates of what there was, and time that passed only once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from migration_assets.control.kpis import Measured, covered, kpis

BEGUN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def between(start: int, end: int) -> tuple[datetime, datetime]:
    """Minutes after noon."""
    return BEGUN + timedelta(minutes=start), BEGUN + timedelta(minutes=end)


PILOT = Measured(
    rows_read=200, rows_loaded=180, rows_rejected=5, checks_run=40, checks_passed=39, runs=(between(0, 2),)
)


def test_the_figures_of_one_cohort() -> None:
    assert kpis([PILOT]).to_json() == {
        "rows_read": 200, "rows_loaded": 180, "rows_rejected": 5, "records_per_minute": 90.0,
        "error_rate_percent": 2.5, "checks_run": 40, "checks_passed": 39, "validation_success_percent": 97.5,
        "duration_seconds": 120.0, "counted_from": None, "counted_until": None,
    }  # fmt: skip


def test_cohorts_side_by_side_do_not_take_twice_the_time() -> None:
    both = kpis([PILOT, Measured(rows_read=100, rows_loaded=100, runs=(between(1, 4),))])
    assert (both.rows_loaded, both.duration_seconds, both.records_per_minute) == (280, 240.0, 70.0)
    assert both.error_rate_percent == 1.667


def test_a_rate_of_nothing_is_not_known() -> None:
    nothing = kpis([Measured()])
    assert (nothing.rows_read, nothing.rows_loaded, nothing.checks_run) == (None, None, 0)
    assert nothing.records_per_minute is nothing.error_rate_percent is nothing.duration_seconds is None
    assert nothing.validation_success_percent is None and kpis([]) == nothing


def test_rows_that_nobody_has_counted_yet_are_not_none_and_their_time_is_no_time_of_others() -> None:
    waiting = Measured(checks_run=10, checks_passed=10, runs=(between(5, 65),))
    assert kpis([waiting]).rows_loaded is None
    both = kpis([PILOT, waiting])
    assert (both.rows_loaded, both.records_per_minute, both.error_rate_percent) == (180, 90.0, 2.5)
    assert (both.checks_run, both.duration_seconds) == (50, 3720.0)


def test_time_between_runs_is_no_time_of_theirs() -> None:
    assert covered([between(10, 12), between(0, 3), between(1, 2), between(2, 4)]) == timedelta(minutes=6)
    assert covered([]) == timedelta()


def test_figures_say_from_when_to_when_they_were_counted() -> None:
    earlier = Measured(rows_at=BEGUN, checks_at=BEGUN + timedelta(hours=3))
    found = kpis([earlier, Measured(rows_at=BEGUN + timedelta(hours=1)), Measured()]).to_json()
    assert found["counted_from"] == "2026-01-01T12:00:00+00:00"
    assert found["counted_until"] == "2026-01-01T15:00:00+00:00"
