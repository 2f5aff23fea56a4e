"""Months are counted from the original anchor, periods tile, and local times become instants without a guess."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration_assets.domain.calendar import (
    CalendarError,
    Period,
    add_months,
    billing_period,
    boundary,
    day_after,
    half_open,
    is_zone,
    local_spans,
    local_to_utc,
    zone_names,
)


def local(*parts: int) -> datetime:
    """A time on a wall clock, which has no zone."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - that is the point


ANCHOR = st.datetimes(min_value=local(1990, 1, 1), max_value=local(2060, 1, 1)).map(
    lambda d: d.replace(tzinfo=UTC, microsecond=0)
)
ZONE = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe",
     "Africa/Casablanca", "America/Havana", "Pacific/Apia"]
)  # fmt: skip


def test_the_31st_comes_back_after_february() -> None:
    assert [add_months(date(2024, 1, 31), k) for k in range(4)] == [
        date(2024, 1, 31),
        date(2024, 2, 29),
        date(2024, 3, 31),
        date(2024, 4, 30),
    ]


def test_chaining_from_a_clamped_date_is_something_else() -> None:
    chained = add_months(add_months(date(2023, 1, 31), 1), 1)
    assert chained == date(2023, 3, 28)
    assert chained != add_months(date(2023, 1, 31), 2)


@given(ANCHOR, st.integers(-300, 300))
def test_months_count_months(anchor: datetime, months: int) -> None:
    later = add_months(anchor, months)
    assert (later.year * 12 + later.month) - (anchor.year * 12 + anchor.month) == months
    assert later.day == anchor.day or (later.day < anchor.day and (later + timedelta(days=1)).day == 1)
    assert later.timetz() == anchor.timetz()


def test_months_outside_the_calendar_are_refused() -> None:
    for anchor, months in ((date(9999, 12, 1), 1), (date(1, 1, 1), -1)):
        with pytest.raises(CalendarError, match="years 1 to 9999"):
            add_months(anchor, months)


@given(ANCHOR, st.sampled_from([1, 3, 12]), ZONE)
def test_billing_periods_tile_exactly(anchor: datetime, months: int, zone: str) -> None:
    periods = [billing_period(anchor, months, k, zone) for k in range(30)]
    assert all(a.ends_at == b.starts_at for a, b in pairwise(periods))
    assert all(p.starts_at < p.ends_at for p in periods)


@given(ANCHOR, ZONE)
def test_a_period_begins_at_the_same_local_time(anchor: datetime, zone: str) -> None:
    info = ZoneInfo(zone)
    begun = anchor.astimezone(info)
    third = billing_period(anchor, 1, 3, zone).starts_at.astimezone(info)
    wanted = add_months(begun.replace(tzinfo=None), 3)
    exists = wanted.replace(tzinfo=info).astimezone(UTC).astimezone(info).replace(tzinfo=None) == wanted
    assert third.replace(tzinfo=None) == wanted if exists else third.replace(tzinfo=None) > wanted


def test_a_boundary_in_a_gap_is_the_first_instant_after_it() -> None:
    assert boundary(local(2024, 3, 31, 2, 30), "Europe/Berlin") == datetime(2024, 3, 31, 1, 0, tzinfo=UTC)
    assert boundary(local(2018, 11, 4, 0, 0), "America/Sao_Paulo") == datetime(2018, 11, 4, 3, 0, tzinfo=UTC)


def test_a_whole_day_can_be_a_gap() -> None:
    # Samoa left out 30 December 2011.
    assert boundary(local(2011, 12, 30, 12, 0), "Pacific/Apia") == datetime(2011, 12, 30, 10, 0, tzinfo=UTC)


def test_a_given_local_time_in_a_gap_is_an_error() -> None:
    with pytest.raises(CalendarError) as refused:
        local_to_utc(local(2024, 3, 31, 2, 30), "Europe/Berlin")
    assert refused.value.reason == "local_time_in_gap"


def test_a_local_time_shown_twice_needs_to_be_told_which() -> None:
    twice = local(2024, 10, 27, 2, 30)
    with pytest.raises(CalendarError) as refused:
        local_to_utc(twice, "Europe/Berlin")
    assert refused.value.reason == "local_time_ambiguous"
    assert local_to_utc(twice, "Europe/Berlin", "earlier") == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    assert local_to_utc(twice, "Europe/Berlin", "later") == datetime(2024, 10, 27, 1, 30, tzinfo=UTC)


@given(st.datetimes(min_value=local(1971, 1, 1), max_value=local(2090, 1, 1)), ZONE)
def test_an_instant_shown_by_a_clock_is_found_again(utc: datetime, zone: str) -> None:
    instant = utc.replace(tzinfo=UTC)
    shown = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert instant in {local_to_utc(shown, zone, "earlier"), local_to_utc(shown, zone, "later")}


@given(st.datetimes(), ZONE)
def test_any_local_time_is_an_instant_or_a_calendar_error(moment: datetime, zone: str) -> None:
    try:
        assert local_to_utc(moment, zone).tzinfo is UTC
    except CalendarError as error:
        assert error.reason in ("local_time_in_gap", "local_time_ambiguous", "out_of_range")


def test_three_ways_to_write_a_last_moment_have_one_half_open_end() -> None:
    end = datetime(2024, 4, 1, tzinfo=UTC)
    assert half_open(datetime(2024, 3, 31, tzinfo=UTC), "inclusive_day") == end
    assert half_open(datetime(2024, 3, 31, 23, 59, 59, tzinfo=UTC), "inclusive_second") == end
    assert half_open(datetime(2024, 3, 31, 23, 59, 59, 999000, tzinfo=UTC), "inclusive_millisecond") == end
    assert half_open(end, "exclusive") == end


def test_the_day_after_is_the_local_one() -> None:
    end = datetime(2024, 3, 31, 22, 0, tzinfo=UTC)
    assert day_after(local(2024, 3, 31, 17, 5), "Europe/Berlin") == end
    assert day_after(datetime(2024, 3, 31, 21, 59, 59, tzinfo=UTC), "Europe/Berlin") == end
    assert day_after(datetime(2024, 3, 31, 23, tzinfo=timezone(timedelta(hours=2))), "Europe/Berlin") == end


def test_an_end_past_the_calendar_is_refused() -> None:
    for kind in ("inclusive_day", "inclusive_second", "inclusive_millisecond"):
        with pytest.raises(CalendarError, match="9999"):
            half_open(local(9999, 12, 31, 23, 59, 59, 999999), kind)  # type: ignore[arg-type]


def test_a_period_holds_its_start_and_not_its_end() -> None:
    period = Period(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC))
    after = Period(period.ends_at, datetime(2024, 3, 1, tzinfo=UTC))
    assert period.contains(period.starts_at)
    assert not period.contains(period.ends_at)
    assert not period.overlaps(after)
    assert period.overlaps(Period(period.starts_at, after.ends_at))
    assert not Period(period.starts_at, period.starts_at).overlaps(period)


def test_a_period_cannot_be_inverted_or_naive() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        Period(datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="zone"):
        Period(local(2024, 1, 1), local(2024, 2, 1))


def test_zones_are_iana_names() -> None:
    assert is_zone("Europe/Berlin")
    assert not is_zone("europe/berlin")
    assert not is_zone("../../etc/passwd")
    assert not is_zone("W. Europe Standard Time")
    assert "localtime" not in zone_names()


@given(st.datetimes(min_value=local(1970, 1, 1), max_value=local(2069, 1, 1)), ZONE, st.data())
def test_spans_agree_with_each_local_time(first: datetime, zone: str, data: st.DataObject) -> None:
    last = first + timedelta(days=400)
    spans = local_spans(zone, first, last)
    assert spans[0].starts_at <= first
    assert list(spans) == sorted(spans, key=lambda s: s.starts_at)
    edges = [s.starts_at + timedelta(microseconds=d) for s in spans for d in (-1, 0, 1)]
    times = [t for t in edges if first <= t <= last] + [data.draw(st.datetimes(first, last))]
    for time in times:
        offset = [s for s in spans if s.starts_at <= time][-1].offset
        try:
            wanted: datetime | None = local_to_utc(time, zone)
        except CalendarError:
            wanted = None
        assert wanted == (None if offset is None else (time - offset).replace(tzinfo=UTC))
