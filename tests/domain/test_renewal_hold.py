"""Who waits for their renewal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from migration_assets.domain.renewal_hold import held_period

T = datetime(2026, 6, 30, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_the_hold_begins_with_the_move_and_ends_before_its_last_instant() -> None:
    held = held_period(T, 2)
    assert held is not None
    assert held.contains(T) and held.contains(T + timedelta(days=2) - SECOND)
    assert not held.contains(T - SECOND) and not held.contains(T + timedelta(days=2))


def test_without_days_nobody_is_held() -> None:
    assert held_period(T, 0) is None
