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


LIVES = MutantOutcome(Outcome("b", "codes", "survived", None, 1.0), "invoice changes, and nothing minds")
SAME = MutantOutcome(Outcome("c", "codes", "survived", None, 1.0), "no row changes", equivalent=True)
CAUGHT = MutantOutcome(Outcome("a", "mapping", "caught", "x/y", 1.0, severity="blocking"))


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
    found = json.loads(json.dumps(drill("caught", (), CAUGHT, LIVES, SAME).to_json()))
    assert found["ok"] and found["traps"][0] | {"id": TRAP.id, "caught_by": "stage/check"} == found["traps"][0]
    assert {"id", "place", "caught_by", "severity", "seconds"} <= set(found["traps"][0])
    mutants = found["mutants"]
    counts = {"total": 3, "equivalent": 1, "caught": 1, "percent": "50.0", "there_are": 2700}
    assert mutants | counts == mutants
    assert mutants["survivors"] == [
        {"id": "b", "place": "codes", "ending": "survived", "reason": "invoice changes, and nothing minds"}
    ]
    assert [m["id"] for m in mutants["equivalents"]] == ["c"]
    assert mutants["by_place"] == {
        "mapping": {"total": 1, "equivalent": 0, "caught": 1},
        "codes": {"total": 2, "equivalent": 1, "caught": 0},
    }
    assert {w["id"] for w in found["waits_for"]} == {w.id for w in WAITING}


@pytest.mark.parametrize(
    ("caught", "lives", "same", "ok"),
    [
        (95, 5, 0, True),
        (94, 6, 0, False),
        (57, 3, 40, True),
        (56, 4, 40, False),
        (0, 0, 100, True),
        (0, 99, 0, True),
    ],
)
def test_of_a_hundred_mutants_that_change_something_ninety_five_are_caught(
    caught: int, lives: int, same: int, ok: bool
) -> None:
    """Those that change nothing are in no share, and of a few tried nothing is asked."""
    found = drill("caught", (), *[CAUGHT] * caught, *[LIVES] * lives, *[SAME] * same)
    assert found.ok == ok
    text = io.StringIO()
    print_drill(Console(file=text, width=400, emoji=False), found)
    assert ("95 % are asked" in text.getvalue()) != ok


def test_a_mutant_that_the_plan_has_no_place_for_fails_the_drill_however_few_were_tried() -> None:
    strange = MutantOutcome(Outcome("catalog.yaml:x", "catalog", "not_planted", None, 0.1), "it stays as it is")
    assert drill("caught", (), CAUGHT).ok
    found = drill("caught", (), CAUGHT, strange)
    assert not found.ok and not found.to_json()["ok"]
    text = io.StringIO()
    print_drill(Console(file=text, width=400, emoji=False), found)
    assert "the drill's own fault: catalog.yaml:x was never planted: it stays as it is" in text.getvalue()
    # Of the target, where no row is fit for it, there is nothing to find.
    nowhere = MutantOutcome(Outcome("t.c:drop", "target", "not_planted", None, 0.1), "no row", equivalent=True)
    assert drill("caught", (), CAUGHT, nowhere).ok


def test_a_mutant_that_crashes_is_none_that_was_caught() -> None:
    crashed = MutantOutcome(Outcome("b", "codes", "crashed", None, 1.0, "KeyError at x.py:1"))
    mutants = drill("caught", (), *[CAUGHT] * 94, *[crashed] * 6).to_json()["mutants"]
    assert (mutants["percent"], mutants["survivors"][0]["reason"]) == ("94.0", "KeyError at x.py:1")


def test_people_read_who_got_away_and_why() -> None:
    lives = MutantOutcome(Outcome("codes/x.csv:A:drop", "codes", "survived", None, 1.0), "nobody looks at it")
    text = io.StringIO()
    print_drill(Console(file=text, width=400, emoji=False), drill("survived", (), lives))
    assert all(
        words in text.getvalue() for words in ("not caught", "codes/x.csv:A:drop", "nobody looks at it", "failed")
    )
