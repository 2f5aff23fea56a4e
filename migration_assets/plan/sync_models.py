"""What plan.yaml says of keeping the target in step after the load: how often, and when not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, StrictBool, StrictInt

from migration_assets.plan.frozen import Model

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _a_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is no time zone of IANA, such as Europe/Berlin")
    return name


def _a_time(text: str) -> str:
    # 24:00 is the end of a day, which no clock shows.
    if text != "24:00":
        time.fromisoformat(text)
    return text


TimeOfDay = Annotated[str, Field(pattern=r"^[0-2][0-9]:[0-5][0-9]$"), AfterValidator(_a_time)]


class Window(Model):
    """Hours in which ticks may run, by the clock of a place: from `opens`, up to `closes`, on these days.

    A window that closes at or before the time at which it opens goes over midnight; the days are those on which it
    opens.
    """

    days: Annotated[tuple[Day, ...], Field(min_length=1)] = _DAYS
    opens: TimeOfDay
    closes: TimeOfDay
    time_zone: Annotated[str, AfterValidator(_a_zone)] = "UTC"

    def holds(self, now: datetime) -> bool:
        """Whether the window is open at an instant."""
        there = now.astimezone(ZoneInfo(self.time_zone))
        clock, today = f"{there:%H:%M}", _DAYS[there.weekday()]
        yesterday = _DAYS[(there - timedelta(days=1)).weekday()]
        if self.opens < self.closes:
            return today in self.days and self.opens <= clock < self.closes
        return (today in self.days and clock >= self.opens) or (yesterday in self.days and clock < self.closes)


class Sync(Model):
    """Keeping the target in step. `follow`: the sensor is on from the start; it can be switched in the UI either way.

    `every_seconds`: how often it looks. `windows`: when ticks may run, from 0 to all of them; none is always.
    `reconcile_at`: when all that was loaded is compared again each night, UTC. `at_once`: how many cohorts of a wave a
    tick of the sensor moves side by side, each in a process of its own, as `--at-once` says for `cutover delta`.
    """

    follow: StrictBool = True
    every_seconds: Annotated[StrictInt, Field(ge=5, le=86_400)] = 60
    windows: tuple[Window, ...] = ()
    reconcile_at: TimeOfDay = "02:00"
    at_once: Annotated[StrictInt, Field(ge=1, le=16)] = 2

    @property
    def nightly(self) -> str:
        """The hour of the night as a schedule is written."""
        hour, minute = self.reconcile_at.split(":")
        return f"{int(minute)} {int(hour) % 24} * * *"


def may_run(windows: Sequence[Window], now: datetime) -> bool:
    """Whether a tick may run at an instant."""
    return not windows or any(w.holds(now) for w in windows)
