"""A load whose connection goes at any call it makes, by whatever cause: all or nothing, and rightly said."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from loads import Case, Strike, StruckTarget, assert_all_or_nothing, cases, end_session, load, lose, state_of
from target_world import copy_of

from migration_assets.connectors.embedded_postgres import EmbeddedServer
from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.connectors.server_place import Postmaster
from migration_assets.domain.errors import TargetRefused
from migration_assets.stages.load import outcome

pytestmark = pytest.mark.postgres
KINDS = ("first", "second")


@pytest.fixture(scope="module")
def made(server: str) -> Iterator[dict[str, Case]]:
    with cases(server) as found:
        yield found


@pytest.fixture(scope="module")
def calls(server: str, made: dict[str, Case]) -> dict[str, int]:
    """How many calls to the target each of the two loads makes."""
    return {kind: _calls_of(server, made[kind]) for kind in KINDS}


def _calls_of(server: str, case: Case) -> int:
    strike = Strike(0, lose)
    with copy_of(server, case.database) as target:
        load(StruckTarget(target.url, strike=strike), case.rows())
    assert strike.calls > 40, "a load asks more than that"
    return strike.calls


def _try(server: str, case: Case, strike: Strike) -> bool:
    with copy_of(server, case.database) as target:
        applied = assert_all_or_nothing(case, target, StruckTarget(target.url, strike=strike))
        assert strike.struck, "the call that was to fail was made"
        return applied


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_to_commit_is_lost_and_the_ledger_tells(
    server: str, made: dict[str, Case], calls: dict[str, int], kind: str
) -> None:
    last = calls[kind]
    assert _try(server, made[kind], Strike(last, lose, after=True)), "it was applied, only nobody said so"
    assert not _try(server, made[kind], Strike(last, lose)), "COMMIT was never sent"


@dataclass(frozen=True)
class GoneTarget(StruckTarget):
    """A target that is not there any more once the call was struck: nobody listens on its port."""

    def _connect(self) -> Any:
        assert self.strike is not None
        if self.strike.struck:
            return PostgresTarget("postgresql://postgres@127.0.0.1:9/gone")._connect()
        return super()._connect()


def test_a_target_that_is_gone_for_good_is_said_to_be_unknown_and_the_next_load_finds_out(
    server: str, made: dict[str, Case], calls: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "ASKED_FOR_SECONDS", 2.0)
    case, strike = made["first"], Strike(calls["first"], lose, after=True)
    with copy_of(server, case.database) as target:
        with pytest.raises(
            TargetRefused, match=r"whether it was applied is not known: .*\n  -> Check .* --resume"
        ) as told:
            load(GoneTarget(target.url, strike=strike), case.rows(), "run-2")
        assert "nothing was written" not in str(told.value)
        assert load(target, case.rows(), "run-3").rows_written == 0, "it was applied"
        assert state_of(target) == case.after


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tenth", [pytest.param(n, marks=() if n == 3 else pytest.mark.faults) for n in range(10)])
def test_every_call_that_fails_leaves_all_or_nothing(
    server: str, made: dict[str, Case], calls: dict[str, int], kind: str, tenth: int
) -> None:
    """Each tenth call, before it is made and after, beginning with `tenth`: together all of them."""
    for number in range(tenth + 1, calls[kind] + 1, 10):
        for after in (False, True):
            _try(server, made[kind], Strike(number, lose, after=after))


@pytest.mark.parametrize("seed", [pytest.param(s, marks=() if s == 0 else pytest.mark.faults) for s in range(25)])
def test_a_session_that_the_server_ends_leaves_all_or_nothing(
    server: str, made: dict[str, Case], calls: dict[str, int], seed: int
) -> None:
    dice = random.Random(seed)
    kind = dice.choice(KINDS)
    number = dice.randint(2, calls[kind])
    _try(server, made[kind], Strike(number, end_session, after=dice.random() < 0.3))


# --- the whole server goes ---------------------------------------------------------------------------------------


class Restarted:
    """A server of its own that can be stopped at once, as by a fall of power for its processes, and comes back."""

    def __init__(self, folder: Path) -> None:
        # What is committed is kept by the system, whatever happens to the server's processes.
        self._server = EmbeddedServer(folder / "postgres", {"fsync": "off"}, system_folders=())
        self.url = self._server.start()

    def restart(self, _: Any = None) -> None:
        """Stop it at once, and let it come back while others go on."""
        place = self._server._find_place()
        postmaster = Postmaster.of(place.data) if place else None
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGQUIT)
        while self._server.running():
            time.sleep(0.02)
        threading.Thread(target=self._server.start).start()

    def wait(self) -> None:
        """Until it answers."""
        assert self._server.start() == self.url

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restarted]:
    base = tmp_path_factory.getbasetemp()
    folder = Path(os.environ["CUTOVER_TESTS_FOLDER"]) / f"restarted-{base.name}-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o711)
    found = Restarted(folder)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def made_there(own: Restarted) -> Iterator[dict[str, Case]]:
    with cases(own.url) as found:
        yield found


@pytest.mark.parametrize("seed", [pytest.param(s, marks=() if s == 0 else pytest.mark.faults) for s in range(25)])
def test_a_server_that_is_stopped_at_once_leaves_all_or_nothing(
    own: Restarted, made_there: dict[str, Case], seed: int
) -> None:
    dice = random.Random(seed)
    case = made_there[dice.choice(KINDS)]
    number = dice.randint(2, _calls_of(own.url, case))

    with copy_of(own.url, case.database) as target:
        strike = Strike(number, own.restart, after=dice.random() < 0.5)
        assert_all_or_nothing(case, target, StruckTarget(target.url, strike=strike), ready=own.wait)
        assert strike.struck
