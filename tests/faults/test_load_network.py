"""A load over a network that resets, stalls, crawls or loses the answer that matters: all or nothing, and it ends."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from cutting_proxy import Trouble, troubled
from loads import Case, assert_all_or_nothing, cases
from target_world import copy_of

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.patience import PATIENCE, Patience

pytestmark = pytest.mark.postgres
KINDS = ("first", "second")
# As the program has it, but in seconds where it has hours: nobody waits here for a large cohort.
SHORT = Patience(connect=5, gone=1, statement=2)
# What a load of 30 customers sends to the target, and what comes back, in bytes: enough for every moment to be hit.
SENT, RECEIVED = 30_000, 12_000


@pytest.fixture(scope="module")
def made(server: str) -> Iterator[dict[str, Case]]:
    with cases(server) as found:
        yield found


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
def test_a_network_that_fails_at_any_byte_leaves_all_or_nothing(server: str, made: dict[str, Case], seed: int) -> None:
    dice = random.Random(seed)
    down = dice.random() < 0.5
    trouble = Trouble(
        ("reset", "stall", "slow")[seed % 3], dice.randint(500, RECEIVED if down else SENT), towards_client=down
    )
    applied, happened = _try(server, made[dice.choice(KINDS)], trouble)
    # Slow is not broken: the load comes through.
    assert applied or (happened and trouble.kind != "slow"), trouble
