"""A load over a network that resets, stalls, crawls or loses the answer that matters: all or nothing, and it ends."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from cutting_proxy import Trouble, troubled
from loads import Case, assert_all_or_nothing, cases, load
from target_world import copy_of

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.patience import PATIENCE, Patience

pytestmark = pytest.mark.postgres
KINDS = ("first", "second")
# As the program has it, but in seconds where it has hours: nobody waits here for a large cohort.
SHORT = Patience(connect=5, gone=1, statement=2)
# From this byte on, so that a connection is there, and up to this part of what an undisturbed load has: which may be a
# little more the one time than the other.
FROM, PART = 500, 0.95


@pytest.fixture(scope="module")
def made(server: str) -> Iterator[dict[str, Case]]:
    with cases(server) as found:
        yield found


@pytest.fixture(scope="module")
def traffic(server: str, made: dict[str, Case]) -> dict[tuple[str, bool], int]:
    """Bytes of each of the two undisturbed loads, from the client and (True) towards it."""
    found = {}
    for kind in KINDS:
        with copy_of(server, made[kind].database) as target, troubled(target.url, Trouble("none")) as proxy:
            load(PostgresTarget(proxy.url), made[kind].rows())
            found |= {(kind, down): proxy.passed(towards_client=down) for down in (False, True)}
            assert not proxy.happened.is_set()
    return found


def _try(server: str, case: Case, trouble: Trouble) -> tuple[bool, bool]:
    """Whether the load was applied, and whether the trouble came at all."""
    with copy_of(server, case.database) as target, troubled(target.url, trouble) as proxy:
        began, patience = time.monotonic(), PATIENCE if trouble.kind == "slow" else SHORT
        applied = assert_all_or_nothing(case, target, PostgresTarget(proxy.url, patience))
        assert time.monotonic() - began < 120, "it ends"
        return applied, proxy.happened.is_set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_commit_that_arrived_without_an_answer_is_found_in_the_ledger(
    server: str, made: dict[str, Case], kind: str
) -> None:
    assert _try(server, made[kind], Trouble("answer")) == (True, True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_commit_that_never_arrived_is_not_in_the_ledger(server: str, made: dict[str, Case], kind: str) -> None:
    assert _try(server, made[kind], Trouble("commit")) == (False, True)


@pytest.mark.parametrize("seed", [pytest.param(s, marks=() if s < 3 else pytest.mark.faults) for s in range(60)])
def test_a_network_that_fails_at_any_byte_leaves_all_or_nothing(
    server: str, made: dict[str, Case], traffic: dict[tuple[str, bool], int], seed: int
) -> None:
    dice = random.Random(seed)
    kind, down = dice.choice(KINDS), dice.random() < 0.5
    byte = dice.randint(FROM, int(traffic[kind, down] * PART))
    trouble = Trouble(("reset", "stall", "slow")[seed % 3], byte, towards_client=down)
    applied, happened = _try(server, made[kind], trouble)
    assert happened, f"{trouble} did not come: the load had less to say than {traffic[kind, down]} bytes"
    # Slow is not broken: the load comes through.
    assert applied or trouble.kind != "slow", trouble
