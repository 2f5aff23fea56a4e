"""Key figures of a migration: how much was moved, how fast, how cleanly. Pure: counts and instants in, figures out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

Interval = tuple[datetime, datetime]


@dataclass(frozen=True)
class Measured:
    """What was counted of one cohort in its latest runs. Rows are source rows, None until they were reconciled; `runs`
    are from start to end.

    `rows_at`, `checks_at`: when the run ended that counted the rows, and the last that checked anything. Rows are older
    where the last run did not come to its reconciliation.
    """

    rows_read: int | None = None
    rows_loaded: int | None = None
    rows_rejected: int | None = None
    checks_run: int = 0
    checks_passed: int = 0
    runs: tuple[Interval, ...] = ()
    rows_at: datetime | None = None
    checks_at: datetime | None = None


@dataclass(frozen=True)
class Kpis:
    """Figures of one cohort or of several. A rate of nothing is None: it is not zero, nobody knows it. So are rows that
    were not reconciled: they may well be in the target.

    `records_per_minute`: rows loaded by the minute; `error_rate_percent`: rejected of the rows read;
    `validation_success_percent`: passed of the checks run; `counted_from`, `counted_until`: the earliest and the latest
    instant at which any of it was counted.
    """

    rows_read: int | None
    rows_loaded: int | None
    rows_rejected: int | None
    records_per_minute: float | None
    error_rate_percent: float | None
    checks_run: int
    checks_passed: int
    validation_success_percent: float | None
    duration_seconds: float | None
    counted_from: datetime | None
    counted_until: datetime | None

    def to_json(self) -> dict[str, Any]:
        """Plain data; instants as ISO 8601 text."""
        return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(self).items()}


def kpis(cohorts: Iterable[Measured]) -> Kpis:
    """The figures of these cohorts taken together; cohorts that ran side by side do not take twice the time."""
    each = list(cohorts)
    read, loaded, rejected = (_sum(getattr(m, f"rows_{n}") for m in each) for n in ("read", "loaded", "rejected"))
    run, passed = sum(m.checks_run for m in each), sum(m.checks_passed for m in each)
    counted = [at for m in each for at in (m.rows_at, m.checks_at) if at is not None]
    seconds = covered([interval for m in each for interval in m.runs]).total_seconds()
    # What moved rows that nobody has counted yet is no time of those that were.
    counting = covered([interval for m in each if m.rows_loaded is not None for interval in m.runs]).total_seconds()
    return Kpis(
        rows_read=read,
        rows_loaded=loaded,
        rows_rejected=rejected,
        records_per_minute=_rate(loaded, counting / 60, 1),
        error_rate_percent=_rate(rejected, (read or 0) / 100, 3),
        checks_run=run,
        checks_passed=passed,
        validation_success_percent=_rate(passed, run / 100, 3),
        duration_seconds=round(seconds, 1) if seconds else None,
        counted_from=min(counted, default=None),
        counted_until=max(counted, default=None),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    """Of what was counted; None where nothing was."""
    known = [n for n in counts if n is not None]
    return sum(known) if known else None


def _rate(part: int | None, whole: float, digits: int) -> float | None:
    return round(part / whole, digits) if part is not None and whole else None


def covered(intervals: Sequence[Interval]) -> timedelta:
    """How much time these intervals cover; what several of them share counts once, what lies between them not."""
    total, until = timedelta(), None
    for start, end in sorted(intervals):
        begun = start if until is None else max(start, until)
        total += max(end - begun, timedelta())
        until = end if until is None else max(until, end)
    return total
