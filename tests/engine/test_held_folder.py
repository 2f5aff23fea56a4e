"""What lies in a held folder is one process's own: two at once do not meet, and nothing stays behind a killed one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ibis
import pytest

from migration_assets.engine import held_folder
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.held_folder import HeldFolder

_ROWS = 1_500_000


def _sorted_sum(folder: Path) -> int:
    """Sort more rows than the memory holds, and add up what comes out."""
    with DuckDBEngine(memory_limit="64MB", threads=1, spill_to=folder) as engine:
        rows = ibis.range(_ROWS).unnest().name("n").as_table()
        rows = rows.mutate(text=rows.n.cast("string").lpad(60, "x"))
        engine.write(rows.mutate(place=rows.n.hash()).order_by("place"), folder / f"{id(engine)}.parquet")
        back = engine.read(folder / f"{id(engine)}.parquet")
        return int(engine.arrow(back.aggregate(s=back.n.sum()))["s"][0].as_py())


def test_engines_that_spill_at_once_do_not_meet(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(_sorted_sum, [tmp_path, tmp_path]))
    assert found == [_ROWS * (_ROWS - 1) // 2] * 2
    assert not list(tmp_path.glob("held-*"))


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    first, second = HeldFolder(tmp_path), HeldFolder(tmp_path)
    assert first.path != second.path
    assert first.path.is_dir()
    first.close()
    assert not first.path.exists()
    assert second.path.is_dir()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from migration_assets.engine.held_folder import HeldFolder;"
        "f = HeldFolder(Path(sys.argv[1])); (f.path / 'rows').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert list(tmp_path.glob("held-*/rows"))
    held = HeldFolder(tmp_path)
    assert list(tmp_path.glob("held-*")) == [held.path]


def test_a_lock_that_was_swept_away_between_two_looks_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweeper that is faster removes the folder: what we then hold is a file that no longer lies there."""
    real, swept = held_folder.fcntl.flock, []

    def flock(handle: int, how: int) -> None:
        if not swept:
            swept.append(next(tmp_path.glob("held-*")))
            shutil.rmtree(swept[0])
        real(handle, how)

    monkeypatch.setattr(held_folder.fcntl, "flock", flock)
    held = HeldFolder(tmp_path)
    assert held.path != swept[0] and (held.path / "in_use").is_file()
    held.close()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_goes_last_so_that_what_a_kill_leaves_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = HeldFolder(tmp_path)
    (folder.path / "rows").mkdir()
    for name in ("a.csv", "rows/b.parquet", "z.csv"):
        (folder.path / name).write_text("x")
    left: list[list[str]] = []
    real = shutil.rmtree

    def rmtree(path: Path, **how: bool) -> None:
        if path == folder.path:
            left.append([p.name for p in path.iterdir()])
        real(path, **how)

    monkeypatch.setattr(held_folder.shutil, "rmtree", rmtree)
    folder.close()
    assert left == [["in_use"]] and not folder.path.exists()
