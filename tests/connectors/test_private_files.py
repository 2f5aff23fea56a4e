"""What is made once is the same for all who ask, however many ask at once, and closed to other accounts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from migration_assets.connectors.private_files import made_once


def test_of_several_who_make_it_at_once_all_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for n in range(20):
            path, start = tmp_path / f"key{n}", Barrier(8)

            def make(text: str, path: Path = path, start: Barrier = start) -> str:
                start.wait()
                return made_once(path, text * 1000)

            got = set(pool.map(make, "abcdefgh"))
            assert got == {path.read_text(encoding="utf-8")}
    assert len(list(tmp_path.iterdir())) == 20, "nothing is left of those that came late"


def test_it_is_its_owners_alone_and_stays_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert made_once(path, "first") == made_once(path, "second") == "first"
    assert path.stat().st_mode & 0o777 == 0o600
