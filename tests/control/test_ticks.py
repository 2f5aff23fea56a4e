"""What is kept of looks at the sources, and verdicts that go on standing, on a real server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa

from migration_assets.control import CARRIED, Basis, ControlDatabase, TickLog, Verdict, carry_verdicts, migrate
from migration_assets.domain.errors import StageRefused

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BEFORE = Basis("S1", "plan", NOW, {"loaded_target": "rules"})
AFTER = replace(BEFORE, snapshot="S2")


@dataclass(frozen=True)
class Found:
    table: str = "crm.accounts"
    rows_before: int = 10
    rows_after: int = 11
    inserted: int = 1
    updated: int = 2
    deleted: int = 1
    late_inserted: int = 1
    late_updated: int = 1


@pytest.fixture
def control(database: str) -> ControlDatabase:
    migrate(database)
    return ControlDatabase(database)


def test_lag_is_from_the_state_that_was_seen_last_to_the_end(control: ControlDatabase) -> None:
    log = TickLog(control, "acme")
    assert (log.last(), log.last_seen()) == ((), None)
    first = log.end(log.begin("S1", thorough=False, now=NOW), "quiet", now=NOW + MINUTE, snapshot="S1")
    assert (first.state, first.lag_seconds, log.last_seen()) == ("quiet", None, NOW)
    failed = log.end(log.begin("S1", thorough=False, now=NOW + 2 * MINUTE), "failed", now=NOW + 3 * MINUTE)
    assert (failed.lag_seconds, log.last_seen()) == (180, NOW), "what failed brought nothing over"
    number = log.begin("S1", thorough=True, now=NOW + 4 * MINUTE)
    done = log.end(number, "done", now=NOW + 5 * MINUTE, snapshot="S2", changes=[Found()], detail={"ran": ["pilot"]})
    assert (done.lag_seconds, done.snapshot_after, done.detail) == (300, "S2", {"ran": ["pilot"]})
    assert log.last(2) == (done, failed)
    [table] = log.tables(number)
    assert (table["table"], table["late_updated"]) == ("crm.accounts", 1)
    assert TickLog(control, "telco").last() == ()


def test_changes_that_do_not_add_up_are_refused_by_the_database(control: ControlDatabase) -> None:
    log = TickLog(control, "acme")
    number = log.begin("S1", thorough=False, now=NOW)
    with pytest.raises(sa.exc.IntegrityError, match="delta_table_balances"):
        log.end(number, "done", now=NOW, changes=[replace(Found(), rows_after=12)])
    assert log.last()[0].state == "running", "and the tick does not count as ended"


def test_a_tick_that_was_broken_off_is_told_as_failed(control: ControlDatabase) -> None:
    log = TickLog(control, "acme")
    log.begin("S1", thorough=False, now=NOW)
    log.begin("S1", thorough=False, now=NOW + MINUTE)
    assert [(t.state, t.reason) for t in log.last(2)] == [("running", ""), ("failed", "broken off")]


def test_one_tick_at_a_time(control: ControlDatabase) -> None:
    with control.delta_lock(), pytest.raises(StageRefused, match="a delta tick or a rollback"), control.delta_lock():
        raise AssertionError("the second one has to be refused")
    with control.delta_lock():
        pass


def verdict(asset: str, check: str, basis: Basis = BEFORE) -> Verdict:
    return Verdict(
        "pilot", asset, basis.snapshot, basis.plan_digest, basis.as_of, basis.suites.get(asset, ""), check, "critical",
        True, True, 7, 0, ("crm.accounts#1",), "", {"EUR": 5}, "run", NOW,
    )  # fmt: skip


def test_carried_verdicts_stand_on_the_next_snapshot_and_the_log_says_why(
    control: ControlDatabase, database: str
) -> None:
    control.save_verdicts([verdict("loaded_target", "a"), verdict("loaded_target", "b")])
    control.save_verdicts([verdict("reconciliation", "c")])
    assert not control.standing("pilot", "loaded_target", AFTER, NOW).passed
    carried = carry_verdicts(control, "pilot", ["loaded_target"], BEFORE, AFTER, "d" * 64, "tester", NOW)
    assert carried == 2
    assert control.standing("pilot", "loaded_target", AFTER, NOW).passed
    assert not control.standing("pilot", "loaded_target", BEFORE, NOW).passed
    assert control.standing("pilot", "reconciliation", BEFORE, NOW).passed, "nobody asked for that"
    assert control.verdicts("pilot", "loaded_target") == (
        replace(verdict("loaded_target", "a"), snapshot="S2"),
        replace(verdict("loaded_target", "b"), snapshot="S2"),
    )
    entry = control.last_audit(CARRIED, "pilot")
    assert entry is not None and entry.actor == "tester"
    assert dict(entry.detail) == {
        "from": "S1", "to": "S2", "digest": "d" * 64, "why": "rows unchanged", "verdicts": 2,
    }  # fmt: skip
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        kept = connection.execute("select count(*) from verdict where not current and snapshot = 'S1'").fetchone()
    assert kept == (2,), "what was found stays as history"


def test_a_verdict_of_another_basis_is_not_carried(control: ControlDatabase) -> None:
    control.save_verdicts([verdict("loaded_target", "a", replace(BEFORE, plan_digest="older"))])
    with pytest.raises(StageRefused, match="another version of the plan"):
        carry_verdicts(control, "pilot", ["loaded_target"], BEFORE, AFTER, "d", "tester", NOW)
    assert control.last_audit(CARRIED, "pilot") is None


def test_who_was_ever_loaded(control: ControlDatabase) -> None:
    assert control.ever_checked("loaded_target") == frozenset()
    control.save_verdicts([verdict("loaded_target", "a")])
    control.withdraw_verdicts(["loaded_target"])
    assert control.ever_checked("loaded_target") == {"pilot"}
