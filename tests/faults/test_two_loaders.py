"""Two that load at once: each waits for the other or is told so, and the target has the rows of both, once."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import pytest
from faulty_world import COHORT, Undisturbed, World, differences
from forked import Forked
from loads import Case, cases, load, state_of
from steps import resume
from target_world import copy_of

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.errors import TargetRefused

pytestmark = pytest.mark.postgres
SEEDS = [pytest.param(s, marks=() if s < 2 else pytest.mark.faults) for s in range(50)]


@pytest.fixture(scope="module")
def made(server: str) -> Iterator[dict[str, Case]]:
    with cases(server) as found:
        yield found


def at_once(target: PostgresTarget, case: Case, waits: int, pause: float) -> list[int | str]:
    """Two loads of the same rows, the second a moment later: rows written, or what was said instead."""
    found: list[int | str] = []

    def one(run: str) -> None:
        try:
            found.append(load(target, case.rows(), run, lock_seconds=waits).rows_written)
        except TargetRefused as refused:
            found.append(str(refused))

    threads = [threading.Thread(target=one, args=(f"run-{n}",)) for n in (1, 2)]
    threads[0].start()
    threading.Event().wait(pause)
    threads[1].start()
    for t in threads:
        t.join()
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_of_two_loads_of_one_cohort_one_writes_and_the_other_finds_it_done(
    server: str, made: dict[str, Case], seed: int
) -> None:
    dice = random.Random(seed)
    case = made[dice.choice(("first", "second"))]
    with copy_of(server, case.database) as target:
        found = at_once(target, case, waits=60, pause=dice.random() * 0.5)
        assert state_of(target) == case.after
    assert 0 in found and len(found) == 2 and all(isinstance(n, int) for n in found), found


@pytest.mark.parametrize("kind", ["first", "second"])
def test_who_does_not_wait_is_told_who_holds_the_target(server: str, made: dict[str, Case], kind: str) -> None:
    case = made[kind]
    with copy_of(server, case.database) as target, target.transaction() as other:
        other.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            ["cutover load 6f1d9c1a-0f8e-4f5e-9a3b-1c2d3e4f5a6b"],
        )
        with pytest.raises(
            TargetRefused, match=r"another load of this plan has held .* nothing was written\n  -> Wait"
        ):
            load(target, case.rows(), lock_seconds=1)
        assert state_of(target) == case.before


@pytest.mark.faults
@pytest.mark.parametrize("pause", [0.0, 3.0, 12.0])
def test_two_runs_at_once_move_everybody_once(faulty: World, undisturbed: Undisturbed, pause: float) -> None:
    faulty.reset()
    one = Forked(resume, faulty.environment, COHORT)
    threading.Event().wait(pause)
    other = Forked(resume, faulty.environment, COHORT)
    answers = [one.ended(600).answer, other.ended(600).answer]
    assert any(a["ok"] for a in answers), answers
    told = [c["reason"] for a in answers for c in a["cohorts"] if not c["ok"]]
    assert all("another run is working on cohort" in str(reason) for reason in told), answers
    final = Forked(resume, faulty.environment, COHORT).ended(600).answer
    assert final["ok"], final
    assert differences(faulty.state(), undisturbed.state) == []
