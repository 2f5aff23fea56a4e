"""Work shared out among processes: nothing is lost, nothing is done twice, and nothing outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from migration_assets.wiring.lanes import Lanes, processes_beside

SLOW = 0.2


def worker(said: Callable[[str], None]) -> Callable[[int], tuple[int, int]]:
    """Squares a number, slowly, and says in which process."""

    def work(piece: int) -> tuple[int, int]:
        said(f"at {piece}")
        time.sleep(SLOW)
        return piece * piece, os.getpid()

    return work


def deadly_worker(said: Callable[[str], None]) -> Callable[[int], tuple[int, int]]:
    return lambda _: os.kill(os.getpid(), signal.SIGKILL) or (0, 0)


def failing_worker(said: Callable[[str], None]) -> Callable[[int], tuple[int, int]]:
    def work(piece: int) -> tuple[int, int]:
        raise ValueError("no such number")

    return work


def here(piece: int) -> tuple[int, int]:
    time.sleep(SLOW)
    return piece * piece, os.getpid()


def test_results_keep_the_order_of_the_work_and_both_lanes_do_some() -> None:
    heard: list[str] = []
    began: list[int] = []
    with processes_beside(1, worker, heard.append) as beside:
        found = Lanes(here, beside, here).run(range(12), started=began.append)
    assert [square for square, _ in found] == [n * n for n in range(12)]
    assert began == list(range(12))
    assert len({process for _, process in found}) == 2
    assert heard and all(message.startswith("at ") for message in heard)


def test_without_a_process_beside_everything_is_done_here() -> None:
    with processes_beside(0, worker, lambda _: None) as beside:
        found = Lanes(here, beside, here).run([3, 4])
    assert found == [(9, os.getpid()), (16, os.getpid())]


def test_a_process_that_begins_at_need_does_not_begin_for_one_piece_alone() -> None:
    def children() -> set[int]:
        # Python's own, which looks after what processes share, stays from the first on.
        found = psutil.Process().children(recursive=True)
        return {p.pid for p in found if "resource_tracker" not in " ".join(p.cmdline())}

    before = children()
    with processes_beside(1, worker, lambda _: None, at_need=True) as beside:
        lanes = Lanes(here, beside, here)
        assert lanes.run([5]) == [(25, os.getpid())]
        assert children() == before
        assert len({process for _, process in lanes.run(range(12))}) == 2
        assert len(children() - before) == 1
    assert children() == before


def test_work_whose_process_died_is_told_and_the_rest_is_done_here() -> None:
    lost: list[int] = []

    def told(piece: int) -> tuple[int, int]:
        lost.append(piece)
        return -1, 0

    def patient(piece: int) -> tuple[int, int]:
        until = time.monotonic() + 20
        while not lost and time.monotonic() < until:
            time.sleep(0.01)
        return here(piece)

    with processes_beside(1, deadly_worker, lambda _: None) as beside:
        found = Lanes(patient, beside, told).run([1, 2, 3, 4])
    assert len(lost) == 1, "a dead process takes no further work"
    assert [square for square, _ in found] == [-1 if n in lost else n * n for n in (1, 2, 3, 4)]


def test_a_process_that_died_gets_no_more_work_from_whoever_comes_next() -> None:
    def lost(piece: int) -> tuple[int, int]:
        return -1, 0

    with processes_beside(1, deadly_worker, lambda _: None) as beside:
        assert (-1, 0) in Lanes(here, beside, lost).run(range(8))
        assert [square for square, _ in Lanes(here, beside, lost).run(range(3))] == [0, 1, 4]


def test_an_error_of_whoever_is_told_what_begins_is_raised_here() -> None:
    def told(piece: int) -> None:
        if piece == 1:
            raise OSError("no storage")

    with processes_beside(1, worker, lambda _: None) as beside, pytest.raises(OSError, match="no storage"):
        Lanes(here, beside, here).run(range(6), started=told)


def test_an_error_of_the_work_beside_is_raised_here() -> None:
    with processes_beside(1, failing_worker, lambda _: None) as beside, pytest.raises(ValueError, match="no such"):
        Lanes(here, beside, here).run(range(6))


def test_a_process_beside_ends_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, sys, time\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[2])!r}]\n"
        "import test_lanes\n"
        "from migration_assets.wiring.lanes import processes_beside\n"
        "if __name__ == '__main__':\n"
        "    with processes_beside(1, test_lanes.worker, lambda _: None) as beside:\n"
        "        print(beside[0].work(3)[1], flush=True)\n"
        "        time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    beside = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    beside.wait(timeout=10)
    assert not beside.is_running()
