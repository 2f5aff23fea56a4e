"""A copy of a plan's files to try something out in: nothing that is done there is seen where it came from."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from migration_assets.wiring.environment import Environment
from migration_assets.wiring.scratch import scratch


@pytest.fixture
def here(tmp_path: Path) -> Environment:
    environment = Environment(tmp_path / "project", "own", tmp_path / "home", "postgresql://localhost/x")
    texts = {
        environment.root / "expectations" / "a.yaml": "rules: []\n",
        environment.plan_folder / "plan.yaml": "name: own\n",
        environment.store / "stage" / "_all" / "t.parquet": "rows",
        environment.store / "stage" / "_all" / ".t.parquet.part": "half",
        environment.answers_key: "secret",
    }
    for file, text in texts.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return environment


def test_what_runs_have_written_is_shared_and_what_people_write_is_copied(here: Environment, tmp_path: Path) -> None:
    other = tmp_path / "older"
    other.mkdir()
    (other / "plan.yaml").write_text("name: older\n", encoding="utf-8")
    copy = scratch(here, other, tmp_path / "scratch")
    assert (copy.plan, copy.server_url) == (here.plan, here.server_url)
    written = Path("stage", "_all", "t.parquet")
    assert (copy.store / written).samefile(here.store / written)
    assert copy.answers_key.samefile(here.answers_key)
    assert not (copy.store / "stage" / "_all" / ".t.parquet.part").exists()
    assert (copy.plan_folder / "plan.yaml").read_text(encoding="utf-8") == "name: older\n"
    (copy.root / "expectations" / "a.yaml").write_text("rules: [x]\n", encoding="utf-8")
    (copy.plan_folder / "plan.yaml").write_text("name: tried\n", encoding="utf-8")
    assert (here.root / "expectations" / "a.yaml").read_text(encoding="utf-8") == "rules: []\n"
    assert (other / "plan.yaml").read_text(encoding="utf-8") == "name: older\n"


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EACCES])
def test_on_another_disk_files_are_copied(
    here: Environment, tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    if code != errno.EXDEV:
        with pytest.raises(OSError, match="denied"):
            scratch(here, here.plan_folder, tmp_path / "scratch")
        return
    copy = scratch(here, here.plan_folder, tmp_path / "scratch")
    file = copy.store / "stage" / "_all" / "t.parquet"
    assert file.read_text(encoding="utf-8") == "rows" and copy.answers_key.read_text(encoding="utf-8") == "secret"
