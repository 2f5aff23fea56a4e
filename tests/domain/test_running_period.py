"""The period that contains T, as the old system writes it down: by the readable rule, and for whole cohorts."""

from __future__ import annotations

import os
from datetime import date, timedelta
from random import Random

import pyarrow as pa
import pytest

from migration_assets.domain.legacy.periods import running
from migration_assets.domain.legacy.terms import Contract, Rules
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.terms.running import running as running_of_all

# How long pauses last, in days; some old records say that they end before they begin.
_PAUSES = (*range(91), *range(-60, 0))
EXTENDS, SKIPS = Rules(pause="extends"), Rules(pause="skips")
SEED = 20_262


def contract(
    anchor: date,
    *,
    months: int = 1,
    first: date | None = None,
    last: date | None = None,
    paused: date | None = None,
    resumes: date | None = None,
) -> Contract:
    return Contract(
        contract_id="k", currency="EUR", exponent=2, zone="UTC", months=months, anchor=anchor,
        first_day=first or anchor, last_day=last, service_country="DE", paused_on=paused, resumes_on=resumes,
    )  # fmt: skip


def test_periods_are_counted_from_the_anchor_and_never_from_a_clamped_day() -> None:
    from_31st = contract(date(2026, 1, 31))
    assert running(from_31st, EXTENDS, date(2026, 2, 27)) == (date(2026, 1, 31), date(2026, 2, 28))
    assert running(from_31st, EXTENDS, date(2026, 2, 28)) == (date(2026, 2, 28), date(2026, 3, 31))
    assert running(from_31st, EXTENDS, date(2026, 3, 31)) == (date(2026, 3, 31), date(2026, 4, 30))


def test_before_the_first_period_it_is_the_trial() -> None:
    trial = contract(date(2026, 2, 1), first=date(2026, 1, 18))
    assert running(trial, EXTENDS, date(2026, 1, 17)) is None
    assert running(trial, EXTENDS, date(2026, 1, 31)) == (date(2026, 1, 18), date(2026, 2, 1))


def test_a_pause_holds_the_period_up_where_the_old_system_says_so() -> None:
    paused = contract(date(2026, 1, 1), paused=date(2026, 1, 11), resumes=date(2026, 2, 11))
    printed = (date(2026, 1, 1), date(2026, 2, 1))
    assert running(paused, EXTENDS, date(2026, 1, 31)) == printed
    # The invoice says it is over, and the pause says it is not.
    assert running(paused, EXTENDS, date(2026, 2, 1)) is None
    # 21 days were left of it.
    assert running(paused, EXTENDS, date(2026, 2, 11)) == (date(2026, 1, 1), date(2026, 3, 4))
    assert running(paused, EXTENDS, date(2026, 3, 4)) == (date(2026, 3, 4), date(2026, 4, 4))
    assert running(paused, SKIPS, date(2026, 2, 11)) == (date(2026, 2, 1), date(2026, 3, 1))


def test_a_pause_that_ends_before_it_begins_says_nothing_once_it_has_begun() -> None:
    inverted = contract(date(2026, 1, 1), paused=date(2026, 3, 11), resumes=date(2026, 2, 11))
    assert running(inverted, EXTENDS, date(2026, 3, 10)) == (date(2026, 3, 1), date(2026, 4, 1))
    assert running(inverted, EXTENDS, date(2026, 3, 11)) is None
    assert running(inverted, EXTENDS, date(2026, 12, 1)) is None
    # Where a pause holds nothing up, it does not matter what it says.
    assert running(inverted, SKIPS, date(2026, 3, 11)) == (date(2026, 3, 1), date(2026, 4, 1))
    # Back on the day it began is no pause, and no contradiction.
    nought = contract(date(2026, 1, 1), paused=date(2026, 3, 11), resumes=date(2026, 3, 11))
    assert running(nought, EXTENDS, date(2026, 3, 11)) == (date(2026, 3, 1), date(2026, 4, 1))


def test_a_contract_that_ends_with_the_period_is_in_it_and_one_that_ends_within_is_in_none() -> None:
    assert running(contract(date(2026, 1, 1), last=date(2026, 1, 31)), EXTENDS, date(2026, 1, 31)) is not None
    assert running(contract(date(2026, 1, 1), last=date(2026, 1, 30)), EXTENDS, date(2026, 1, 15)) is None
    assert running(contract(date(2026, 1, 1), last=date(2026, 1, 31)), EXTENDS, date(2026, 2, 1)) is None


@pytest.mark.parametrize("rules", [EXTENDS, SKIPS], ids=["extends", "skips"])
@pytest.mark.parametrize("seed", [SEED, int(os.environ.get("CUTOVER_TEST_SEED", SEED + 1))])
def test_of_whole_cohorts_it_is_what_the_readable_rule_says(rules: Rules, seed: int) -> None:
    print(f"CUTOVER_TEST_SEED={seed}")
    rng = Random(seed)
    facts = [_random(rng) for _ in range(3_000)]
    expected = [running(c, rules, today) for c, today in facts]
    assert min(expected.count(None), len([e for e in expected if e])) > 500
    assert len([c for c, _ in facts if c.paused_on and c.resumes_on and c.resumes_on < c.paused_on]) > 200
    columns = {
        "n": pa.array(range(len(facts)), pa.int64()),
        "status": pa.array(["active"] * len(facts), pa.string()),
        "months": pa.array([c.months for c, _ in facts], pa.int64()),
        "today": pa.array([today for _, today in facts], pa.date32()),
        **{
            name: pa.array([getattr(c, name) for c, _ in facts], pa.date32())
            for name in ("anchor", "first_day", "last_day", "paused_on", "resumes_on")
        },
    }
    with DuckDBEngine() as engine:
        rows = engine.arrow(running_of_all(engine, engine.table(pa.table(columns)), rules).order_by("n")).to_pylist()
    told = [(r["period_first"], r["period_until"]) if r["period_first"] else None for r in rows]
    # A trial is over when its status says so; here every contract counts as one that is paid for.
    assert told == expected


def _random(rng: Random) -> tuple[Contract, date]:
    today = date(2026, rng.randint(1, 12), rng.randint(1, 28))
    anchor = today - timedelta(days=rng.choice((rng.randint(-20, 0), rng.randint(0, 40), rng.randint(0, 900))))
    anchor = rng.choice((anchor, date(2024, 2, 29), date(2025, 8, 31)))
    first = anchor - timedelta(days=rng.choice((0, 14)))
    last = rng.choice((None, None, today + timedelta(days=rng.randint(-3, 60))))
    paused = rng.choice(
        (None, anchor + timedelta(days=rng.randint(-5, 500)), today - timedelta(days=rng.randint(0, 9)))
    )
    resumes = None if paused is None else rng.choice((None, paused + timedelta(days=rng.choice(_PAUSES))))
    made = contract(anchor, months=rng.choice((1, 3, 12)), first=first, last=last, paused=paused, resumes=resumes)
    return made, today
