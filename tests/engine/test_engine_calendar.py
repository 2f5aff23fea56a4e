"""Columns of days and times get the same answers as the readable calendar gives for one."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from migration_assets.domain import calendar as readable
from migration_assets.engine.calendar import (
    add_months,
    boundaries,
    cycles_begun,
    days_30e_360,
    local_times,
    midnights,
)
from migration_assets.engine.duckdb import DuckDBEngine

SEED = 20261126
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Sao_Paulo")


def days(count: int) -> list[date]:
    rng = random.Random(SEED)
    picked = [date(2015, 1, 1) + timedelta(days=rng.randrange(6000)) for _ in range(count)]
    # Ends of months are where calendars part.
    return picked + [date(y, m, d) for y in (2024, 2025) for m, d in ((1, 31), (2, 28), (3, 30), (4, 30), (12, 31))]


def test_months_cycles_and_30_360_days() -> None:
    first = days(3000)
    rng = random.Random(SEED + 1)
    until = [rng.choice(first) for _ in first]
    months = [rng.choice((1, 3, 12)) for _ in first]
    with DuckDBEngine() as engine:
        table = engine.table(
            pa.table({"i": range(len(first)), "a": first, "b": until, "m": pa.array(months, pa.int64())})
        )
        asked = table.select(
            "i",
            later=add_months(table.a, table.m * 7),
            local=add_months(table.a.cast("timestamp"), table.m),
            begun=cycles_begun(table.a, table.m, table.b),
            days=days_30e_360(table.a, table.b),
        ).order_by("i")
        found = engine.arrow(asked).to_pylist()
    for row, a, b, m in zip(found, first, until, months, strict=True):
        assert row["later"] == readable.add_months(a, m * 7), f"seed {SEED}: {a} + {m * 7}"
        assert row["local"] == readable.add_months(datetime(a.year, a.month, a.day), m), f"seed {SEED}: {a} + {m}"  # noqa: DTZ001 -- a local time
        assert row["begun"] == readable.cycles_begun(a, m, b), f"seed {SEED}: {a} every {m} by {b}"
        assert row["days"] == readable.days_30e_360(a, b), f"seed {SEED}: {a} to {b}"


@pytest.mark.parametrize("zone", ZONES)
def test_zones_are_asked_once_for_each_pair_and_answer_alike(zone: str) -> None:
    asked = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)] * 2
    instants = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=7 * n) for n in range(1200)]
    with DuckDBEngine() as engine:
        told = engine.table(pa.table({"zone": [zone] * len(asked), "day": asked}))
        begins = engine.arrow(midnights(engine, told)).to_pylist()
        clocks = engine.table(pa.table({"zone": [zone] * len(instants), "instant": instants}))
        shown = local_times(engine, clocks)
        back = boundaries(engine, shown)
        locals_ = engine.arrow(shown).to_pylist()
        there = {r["local"]: r["instant"] for r in engine.arrow(back).to_pylist()}
    assert len(begins) == 365
    assert all(r["instant"] == readable.midnight(r["day"], zone) for r in begins)
    assert {r["instant"] for r in locals_} == set(instants)
    for row in locals_:
        assert row["local"] == row["instant"].astimezone(readable.zone_of(zone)).replace(tzinfo=None)
        assert there[row["local"]] == readable.boundary(row["local"], zone)


def test_a_missing_zone_or_day_is_left_out() -> None:
    with DuckDBEngine() as engine:
        told = engine.table(pa.table({"zone": ["UTC", None], "day": pa.array([None, date(2026, 1, 1)], pa.date32())}))
        assert engine.count(midnights(engine, told)) == 0
