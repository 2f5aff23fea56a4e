"""A disk that is full, fails or takes half of what it is given, at any file a stage writes: it is said, nothing is in
place half-done, and the next run ends as if nothing had happened."""

from __future__ import annotations

import errno
import random

import pytest
from disk_faults import SHORT, missing
from faulty_world import COHORT, STEPS, Undisturbed, World, differences
from forked import forked
from small_disk import small_disk
from steps import BadDisk, resume, run_steps
from test_kills import assert_nothing_is_half_there

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.skipif(missing(), reason="no C compiler to put a faulty layer in front of writes with"),
]
# Which files of a stage are hit, by what is in their paths: rows of the store, files on their way, pages for people.
PLACES = tuple(f"/{folder}/" for folder in ("store", "work", "reports"))
ERRORS = (errno.ENOSPC, errno.EIO, SHORT)


def drawn(dice: random.Random, asset: str) -> BadDisk:
    after = dice.choice((0, dice.randint(1, 400), dice.randint(400, 20_000)))
    place = dice.choice(PLACES) if asset in ("loaded_target", "reconciliation", "shadow_billing") else "/store/"
    return BadDisk(asset, place, after, dice.choice(ERRORS))


@pytest.mark.parametrize("seed", [pytest.param(s, marks=() if s == 0 else pytest.mark.faults) for s in range(4)])
def test_a_bad_disk_in_every_stage_is_told_and_the_next_run_ends_as_an_undisturbed_one(
    faulty: World, undisturbed: Undisturbed, seed: int
) -> None:
    faulty.reset()
    dice, struck = random.Random(seed), 0
    for number, (asset, _) in enumerate(STEPS):
        disk = drawn(dice, asset)
        for tried in (disk, BadDisk(asset, "/store/", 0, disk.error)):
            # Where that stage wrote less than was drawn: once more, at the first byte that it keeps.
            disk = tried
            ended = forked(run_steps, faulty.environment, STEPS[max(number - 1, 0) : number + 1], None, disk)
            hit, result = ended.said[-1], ended.said[-2]
            assert ended.code == 0 and hit[0] == "struck", (disk, ended)
            if hit[1]:
                break
        struck += hit[1]
        if result[0] == "failed":
            _, stopped_at, exit_code, why = result
            assert stopped_at == asset and hit[1], (disk, result)
            assert exit_code == 2 and "disk" in why and "->" in why, (disk, why)
        else:
            # One short write is nothing special: whoever writes goes on where it ended.
            assert disk.error == SHORT or not hit[1], (disk, result)
        assert_nothing_is_half_there(faulty, undisturbed, disk)
    assert struck >= 10, "forty disks failed in the four histories"
    answer = forked(resume, faulty.environment, COHORT).answer
    assert answer["ok"], answer
    assert differences(faulty.state(besides=1), undisturbed.state) == []
    assert faulty.left_over() == []


@pytest.mark.faults
def test_a_disk_that_is_really_full_is_told_and_the_run_goes_on_when_there_is_room(
    faulty: World, undisturbed: Undisturbed
) -> None:
    faulty.reset()
    with small_disk(faulty.environment.store, 96) as disk:
        answer = forked(resume, faulty.environment, COHORT).answer
        reason = answer["global"]["reason"] or answer["cohorts"][0]["reason"]
        assert answer["exit_code"] == 2 and "the disk is full" in reason and "Make room" in reason, answer
        assert_nothing_is_half_there(faulty, undisturbed, "96 KB")
        disk.resize(64_000)
        answer = forked(resume, faulty.environment, COHORT).answer
        assert answer["ok"], answer
        assert differences(faulty.state(besides=1), undisturbed.state) == []
        assert faulty.left_over() == []
