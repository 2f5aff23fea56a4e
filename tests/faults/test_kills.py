"""kill -9 anywhere, from the golden copy to the verified bills: nothing is lost, doubled or half there, and the next
run ends as if nothing had happened.

A history is one migration that is killed in every one of its stages, at a moment drawn from its seed, and goes on each
time. Between two kills lies one fork, so that a history costs little more than a migration.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping

import pytest
from faulty_world import COHORT, STEPS, State, Undisturbed, World, differences
from forked import KILLED, forked
from steps import Kill, resume, run_steps

from migration_assets.domain.errors import GoldenCopyAltered

pytestmark = pytest.mark.pipeline
FIRST = 4_100
HISTORIES = [pytest.param(FIRST, id="seed 4100")] + [
    pytest.param(seed, id=f"seed {seed}", marks=pytest.mark.faults) for seed in range(FIRST + 1, FIRST + 25)
]


def drawn(dice: random.Random, asset: str, took: Mapping[str, tuple[float, int]]) -> Kill:
    """A moment in a stage: most often by what it does, sometimes by the clock, which also strikes amid a statement."""
    seconds, effects = took[asset]
    if dice.random() < 0.7:
        return Kill(asset, effect=dice.randint(1, effects))
    return Kill(asset, seconds=dice.random() * seconds)


@pytest.mark.parametrize("seed", HISTORIES)
def test_a_migration_that_is_killed_in_every_stage_ends_as_an_undisturbed_one(
    faulty: World, undisturbed: Undisturbed, seed: int
) -> None:
    faulty.reset()
    dice, begun, took = random.Random(seed), 0, dict(undisturbed.took)
    names = [asset for asset, _ in STEPS]
    while begun < len(STEPS):
        kill = drawn(dice, names[begun], took)
        # The stage that was killed is done again, and the next one killed.
        from_here = max(begun - 1, 0)
        ended = forked(run_steps, faulty.environment, STEPS[from_here:], kill)
        if ended.code != KILLED and kill.effect is not None:
            # It did less than usual, as a spot check of other customers does: again, within what it did.
            (word, asset, seconds, effects) = ended.said[-1]
            assert (word, asset) == ("done", kill.asset) and 0 < effects < kill.effect, (kill, ended.said[-2:])
            took[asset] = (seconds, effects)
            continue
        assert not [said for said in ended.said if said[0] == "failed"], (kill, ended.said)
        assert_nothing_is_half_there(faulty, undisturbed, kill)
        # By the clock it may have come further than was meant.
        begun = names.index([said[1] for said in ended.said if said[0] == "began"][-1]) + 1
    answer = forked(resume, faulty.environment, COHORT).answer
    assert answer["ok"], answer
    assert differences(faulty.state(besides=1), undisturbed.state) == []
    assert faulty.left_over() == []
    assert faulty.control.verify_audit_log().intact


def assert_nothing_is_half_there(faulty: World, usual: Undisturbed, fault: object) -> None:
    """What a reader sees right after a fault: the target as it is between two stages, and whole files alone."""
    assert faulty.rows() in usual.rows, fault
    seen = faulty.files()
    assert [name for name in seen if name in usual.state and seen[name] != usual.state[name]] == [], fault
    faulty.assert_copies_are_whole()


@pytest.mark.parametrize("seed", [pytest.param(s, id=f"seed {s}", marks=pytest.mark.faults) for s in range(8)])
def test_a_run_that_is_killed_again_and_again_is_finished_by_resume(
    faulty: World, undisturbed: Undisturbed, seed: int
) -> None:
    faulty.reset()
    dice, whole = random.Random(seed), sum(seconds for seconds, _ in undisturbed.took.values())
    for _ in range(3):
        ended = forked(resume, faulty.environment, COHORT, dice.random() * whole)
        assert_nothing_is_half_there(faulty, undisturbed, Kill("run", seconds=whole))
        if ended.code != KILLED:
            assert ended.answer["ok"], ended.answer
    answer = forked(resume, faulty.environment, COHORT).answer
    assert answer["ok"], answer
    assert differences(faulty.state(besides=3), undisturbed.state) == []
    assert faulty.left_over() == []


def test_a_state_that_differs_is_seen(faulty: World, undisturbed: Undisturbed) -> None:
    faulty.reset()
    changed: State = {**undisturbed.state, "rows telecom.accounts": "29 of 30"}
    assert differences(changed, undisturbed.state) == ["rows telecom.accounts"]
    assert differences({}, undisturbed.state) == sorted(undisturbed.state)


def test_a_golden_copy_too_many_or_too_few_is_seen(faulty: World, undisturbed: Undisturbed) -> None:
    faulty.reset()
    assert forked(run_steps, faulty.environment, STEPS[:1]).said[-1][0] == "done"
    alone, store = faulty.state(), faulty.store
    assert [n for n in alone if n not in undisturbed.state] == []
    first = str(store.current_snapshot())
    (store.root / "golden_copy/current").unlink()
    assert forked(run_steps, faulty.environment, STEPS[:1]).said[-1][0] == "done"
    with pytest.raises(AssertionError, match=f"{first}.* besides the current copy"):
        faulty.state()
    assert faulty.state(besides=1) == alone
    next(store.golden(first).glob("*.parquet")).unlink()
    with pytest.raises(GoldenCopyAltered):
        faulty.state(besides=1)
    shutil.rmtree(store.golden(first))
    assert faulty.state() == alone
    shutil.rmtree(store.golden(str(store.current_snapshot())))
    with pytest.raises(AssertionError, match="is current, and not there"):
        faulty.state()
