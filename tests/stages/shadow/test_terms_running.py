"""The period in which T is: where the old rules say which, and where they say none."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from terms_world import (
    CONTRACT,
    Row,
    World,
    after,
    at,
    compared,
    new,
    old,
    together,
)

# Contracts in which T lies in no ordinary period: the old system's terms, and its period as local days.
RUNS: dict[str, tuple[Row, tuple[date, date]]] = {
    "on trial": (
        {"status": "trial", "first_day": date(2026, 6, 20), "anchor": date(2026, 7, 4), "last_day": None},
        (date(2026, 6, 20), date(2026, 7, 4)),
    ),
    "paused: as it was printed": (
        {"status": "paused", "paused_on": date(2026, 6, 30), "last_day": None},
        (date(2026, 6, 30), date(2026, 7, 31)),
    ),
    "back from a pause: until its days are used up": (
        {"paused_on": date(2026, 6, 10), "resumes_on": date(2026, 6, 25), "last_day": None},
        (date(2026, 5, 31), date(2026, 7, 15)),
    ),
    "after a pause: counted from there": (
        {"paused_on": date(2026, 3, 10), "resumes_on": date(2026, 3, 20), "last_day": None},
        (date(2026, 6, 10), date(2026, 7, 10)),
    ),
}


def test_the_running_period_follows_from_the_old_rules() -> None:
    worlds = [_running(*run) for run in RUNS.values()]
    assert compared(together(worlds)).differences == []
    for told in worlds:
        told.rows["subscription"][0]["current_period_ends_at"] += timedelta(hours=1)
    assert [d[2] for d in compared(together(worlds)).differences] == ["period_ends_at"] * len(RUNS)


def _running(terms: Row, period: tuple[date, date]) -> World:
    told = after(old("contracts", **terms))
    days = {"current_period_starts_at": period[0], "current_period_ends_at": period[1]}
    days |= {"starts_at": terms.get("first_day", CONTRACT["first_day"])}
    zone = ZoneInfo("Europe/Berlin")
    new("subscription", **{n: datetime(d.year, d.month, d.day, tzinfo=zone) for n, d in days.items()})(told)
    status = {"trial": "trialing"}.get(terms.get("status", "active"), terms.get("status", "active"))
    new("subscription", status=status, ends_at=None)(told)
    return told


# Contracts of which the rules do not say in which period T is: what the target holds of it is nobody's mistake.
UNTOLD: dict[str, Row] = {
    "over": {"status": "over"},
    "not begun": {"first_day": date(2026, 7, 1), "anchor": date(2026, 7, 1)},
    "ends within the period": {"last_day": date(2026, 7, 4)},
    "a trial that should be over": {"status": "trial"},
    "a pause longer than the period": {"status": "paused", "paused_on": date(2026, 3, 10), "last_day": None},
}


def test_where_the_rules_say_no_period_none_is_compared() -> None:
    worlds = [after(old("contracts", **terms)) for terms in UNTOLD.values()]
    for side in (None, at(2020, 1, 1)):
        for told in worlds:
            new("subscription", current_period_starts_at=side, current_period_ends_at=side)(told)
        assert not [d for d in compared(together(worlds)).differences if d[2].startswith("period")]
