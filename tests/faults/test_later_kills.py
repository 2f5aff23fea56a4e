"""kill -9 in what is done once everything was loaded: a delta tick, a rollback, a repair. The next one ends as if
nothing had happened.

A migration of two cohorts and of what belongs to nobody is made once and kept; each case begins with a copy of it. The
whole of each work is cut into as many parts as it has cases, and killed at an effect drawn from its part.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from faulty_world import TWO_COHORTS, State, World, differences, opened_world
from forked import KILLED, Ended, forked
from steps import again, again_without_entry, command, delta, migrate, repair, rollback, rollback_without_entry
from telco_rows import Row, telco_rows, write_telco

pytestmark = pytest.mark.pipeline
TICKS, ROLLBACKS, REPAIRS = 6, 4, 4


def cases(count: int) -> list[Any]:
    return [pytest.param(n, id=f"part {n} of {count}", marks=pytest.mark.faults) for n in range(1, count + 1)]


def done(world: World, work: Callable[[Any], Any], last: int | None = None) -> Ended:
    """The work in a process of its own, killed at effect number `last`. Whole runs are silent for minutes where a
    machine is busy."""
    return forked(command, world.environment, work, last, seconds=1_800)


@pytest.fixture(scope="module")
def loaded(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    name = f"later_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    cohorts = ("pilot", "base_01", "unassigned")
    with opened_world(tmp_path_factory.mktemp("later"), server, name, TWO_COHORTS, cohorts) as world:
        assert done(world, migrate).answer[0] is True
        world.keep()
        yield world


@dataclass(frozen=True)
class Undisturbed:
    """A work done once without a fault: what it began with and ended with, how many effects it had."""

    before: State
    after: State
    effects: int


def undisturbed(
    world: World, prepare: Callable[[World], None], work: Callable[[Any], Any], expected: Any
) -> Undisturbed:
    world.back()
    prepare(world)
    before = world.rows()
    found, effects = done(world, work).answer
    assert found == expected and effects > 100
    return Undisturbed(before, world.state(besides=1), effects)


def moved_rows(state: State) -> State:
    """Rows of the target and of the record. How far a cohort is said to be goes on after its load: `applied` first."""
    return {n: digest for n, digest in state.items() if n.startswith("rows ") and n != "rows cutover.cohort_state"}


def killed(world: World, work: Callable[[Any], Any], usual: Undisturbed, part: int, parts: int) -> None:
    """Do the work and die in that part of it; nothing is half there."""
    least = usual.effects * (part - 1) // parts
    number = least + random.Random(part).randint(1, max(1, usual.effects * 95 // 100 // parts))
    ended = done(world, work, number)
    assert ended.code == KILLED, f"effect {number} of {usual.effects} did not come"
    assert moved_rows(world.rows()) in (moved_rows(usual.before), moved_rows(usual.after)), f"killed at {number}"
    world.assert_copies_are_whole()


# --- a tick ------------------------------------------------------------------------------------------------------


def change_the_source(world: World) -> None:
    """Somebody of `base_01` changes; the pilot is as it was, and carried."""
    rows: list[Row] = telco_rows(30)
    rows[5]["PaymentMethod"] = "Mailed check" if rows[5]["PaymentMethod"] != "Mailed check" else "Electronic check"
    write_telco(world.source, rows)


@pytest.fixture(scope="module")
def ticked(loaded: World) -> Iterator[Undisturbed]:
    yield undisturbed(loaded, change_the_source, delta, (True, ["base_01", "unassigned"], ["pilot"]))
    write_telco(loaded.source, telco_rows(30))


@pytest.mark.parametrize("part", cases(TICKS))
def test_a_tick_that_is_killed_is_finished_by_the_next_one(loaded: World, ticked: Undisturbed, part: int) -> None:
    loaded.back()
    change_the_source(loaded)
    killed(loaded, delta, ticked, part, TICKS)
    (ok, ran, _), _ = done(loaded, delta).answer
    assert ok, ran
    # The copy of before, and one that was there before anybody stood on it.
    assert differences(loaded.state(besides=2), ticked.after) == []
    assert loaded.left_over() == []
    assert loaded.control.verify_audit_log().intact


# --- a rollback --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def taken_back(loaded: World) -> Undisturbed:
    return undisturbed(loaded, lambda _: None, rollback, ["base_01"])


@pytest.mark.parametrize("part", cases(ROLLBACKS))
def test_a_rollback_that_is_killed_was_done_or_is_done_again(loaded: World, taken_back: Undisturbed, part: int) -> None:
    loaded.back()
    killed(loaded, rollback, taken_back, part, ROLLBACKS)
    there = loaded.rows() == taken_back.before
    found, _ = done(loaded, rollback).answer
    assert found == ["base_01"] if there else "there is no load of base_01 to take back" in found[1]
    assert differences(loaded.state(), taken_back.after) == []
    assert loaded.left_over() == []


# --- a repair ----------------------------------------------------------------------------------------------------


def change_the_target(world: World) -> None:
    """Three rows of one cohort, so that one transaction puts all of them right."""
    with psycopg.connect(world.environment.database("target").replace("+psycopg", "")) as connection:
        changed = connection.execute(
            "UPDATE telecom.accounts SET name = name || ' II' WHERE account_id IN (SELECT target_id FROM "
            "cutover.crosswalk WHERE entity = 'customer' AND cohort = 'base_01' ORDER BY source_id LIMIT 3)"
        )
        assert changed.rowcount == 3


@pytest.fixture(scope="module")
def mended(loaded: World) -> Undisturbed:
    return undisturbed(loaded, change_the_target, repair, True)


@pytest.mark.parametrize("part", cases(REPAIRS))
def test_a_repair_that_is_killed_is_finished_by_the_next_one(loaded: World, mended: Undisturbed, part: int) -> None:
    loaded.back()
    change_the_target(loaded)
    killed(loaded, repair, mended, part, REPAIRS)
    assert done(loaded, repair).answer[0] is True
    assert differences(loaded.state(), mended.after) == []
    assert loaded.left_over() == []


# --- the entry in the audit log ----------------------------------------------------------------------------------


def entries(world: World, action: str) -> list[dict[str, Any]]:
    """What the audit log has of `base_01`, oldest first."""
    found = world.control.audit_entries(limit=10_000)
    return [{"actor": e.actor, **e.detail} for e in found if (e.action, e.subject) == (action, "base_01")]


@pytest.mark.faults
def test_an_entry_that_a_kill_kept_from_the_audit_log_is_written_by_the_next_one(loaded: World) -> None:
    """Of a rollback, then of a load: killed after the COMMIT and before the entry. Once, and not again."""
    loaded.back()
    before = entries(loaded, "loaded")
    assert done(loaded, rollback_without_entry).code == KILLED
    assert entries(loaded, "rolled_back") == []
    for _ in range(2):
        assert "no load of base_01 to take back" in done(loaded, rollback).answer[0][1]
        (entry,) = entries(loaded, "rolled_back")
        assert entry["actor"] == "tester" and entry["told_by"] == "record of the target" and entry["rows_deleted"] > 20

    assert done(loaded, again_without_entry).code == KILLED
    assert entries(loaded, "loaded") == before and len(before) == 1
    assert done(loaded, again).answer[0] is True
    assert done(loaded, rollback).answer[0] == ["base_01"]
    first, made_good, second = entries(loaded, "loaded")
    assert first == before[0] and made_good["told_by"] == "record of the target" and "told_by" not in second
    same = ("rows_written", "rows_removed", "plan_digest", "snapshot")
    assert {k: made_good[k] for k in same} == {k: first[k] for k in same} and second["rows_written"] == 0
    assert made_good["run_id"] not in (first["run_id"], second["run_id"])
    assert [e.get("told_by") for e in entries(loaded, "rolled_back")] == ["record of the target", None]
    assert loaded.control.verify_audit_log().intact
