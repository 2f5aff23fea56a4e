"""When a drill has passed, and what it says of itself."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from migration_assets.drill.report import Drill, MutantOutcome, print_drill
from migration_assets.drill.run import Ending, Outcome
from migration_assets.drill.traps import TRAPS, WAITING

TRAP = TRAPS[0]


def outcome(ending: Ending) -> Outcome:
    return Outcome(TRAP.id, TRAP.place, ending, "stage/check" if ending == "caught" else None, 1.2, "")


def drill(ending: Ending = "caught", alarms: tuple[str, ...] = (), *mutants: MutantOutcome) -> Drill:
    return Drill(3, alarms, ((TRAP, outcome(ending)),), WAITING, mutants, 2700, 12.0)


def test_a_drill_passes_when_every_trap_is_caught_and_nothing_else_makes_noise() -> None:
    assert drill().ok


@pytest.mark.parametrize("ending", ["survived", "crashed", "not_planted"])
def test_anything_but_a_catch_fails_it(ending: Ending) -> None:
    assert not drill(ending).ok


def test_a_false_alarm_fails_it() -> None:
    found = drill("caught", ("golden_copy/exports_once",)).to_json()
    assert (found["ok"], found["false_alarms"], found["alarms"]) == (False, 1, ["golden_copy/exports_once"])


def test_the_shape_that_scripts_depend_on() -> None:
    caught = MutantOutcome(Outcome("a", "mapping", "caught", "x/y", 1.0))
    lives = MutantOutcome(Outcome("b", "codes", "survived", None, 1.0), "no row of the company changes by it")
    found = json.loads(json.dumps(drill("caught", (), caught, lives).to_json()))
    assert found["ok"] and found["traps"][0] | {"id": TRAP.id, "caught_by": "stage/check"} == found["traps"][0]
    assert {"id", "place", "caught_by", "seconds"} <= set(found["traps"][0])
    mutants = found["mutants"]
    assert (mutants["total"], mutants["caught"], mutants["there_are"]) == (2, 1, 2700)
    assert mutants["survivors"] == [
        {"id": "b", "place": "codes", "ending": "survived", "reason": "no row of the company changes by it"}
    ]
    assert mutants["by_place"] == {"mapping": {"total": 1, "caught": 1}, "codes": {"total": 1, "caught": 0}}
    assert {w["id"] for w in found["waits_for"]} == {w.id for w in WAITING}


def test_people_read_who_got_away_and_why() -> None:
    lives = MutantOutcome(Outcome("codes/x.csv:A:drop", "codes", "survived", None, 1.0), "nobody looks at it")
    text = io.StringIO()
    print_drill(Console(file=text, width=400, emoji=False), drill("survived", (), lives))
    assert all(
        words in text.getvalue() for words in ("not caught", "codes/x.csv:A:drop", "nobody looks at it", "failed")
    )
