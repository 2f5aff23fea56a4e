"""Where the other state of a plan comes from: a folder, or a revision of the repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from migration_assets.domain.errors import BadInput
from migration_assets.preview.other import put_other

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")


def git(root: Path, *words: str) -> None:
    known = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *known, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a plan, whose catalog was changed after the only commit."""
    plan = tmp_path / "project" / "plans" / "own"
    (plan / "mapping").mkdir(parents=True)
    (plan / "plan.yaml").write_text("name: own\n", encoding="utf-8")
    (plan / "mapping" / "customer.csv").write_text("a,b\n", encoding="utf-8")
    return tmp_path / "project"


@needs_git
def test_a_revision_gives_the_files_that_it_has_of_the_plan(root: Path, tmp_path: Path) -> None:
    git(root, "init")
    git(root, "add", "-A")
    git(root, "commit", "-m", "first")
    (root / "plans" / "own" / "plan.yaml").write_text("name: changed\n", encoding="utf-8")
    put_other(root, "own", "HEAD", tmp_path / "into")
    assert (tmp_path / "into" / "plan.yaml").read_text(encoding="utf-8") == "name: own\n"
    assert (tmp_path / "into" / "mapping" / "customer.csv").read_text(encoding="utf-8") == "a,b\n"


@needs_git
def test_a_revision_gives_also_what_git_is_told_not_to_export_and_every_byte_of_it(root: Path, tmp_path: Path) -> None:
    plan = root / "plans" / "own"
    (root / ".gitattributes").write_text("*.csv export-ignore\n*.yaml export-subst\n", encoding="utf-8")
    (plan / "prices \u00e9.csv").write_bytes(b"a,b\r\n1,$Format:%H$\r\n")
    git(root, "init")
    git(root, "add", "-A")
    git(root, "commit", "-m", "first")
    put_other(root, "own", "HEAD", tmp_path / "into")
    there, taken = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*.*")} for f in (plan, tmp_path / "into"))
    assert taken == there and len(there) == 3


@needs_git
def test_a_project_below_the_top_of_its_repository_has_revisions_too(root: Path, tmp_path: Path) -> None:
    git(root.parent, "init")
    git(root.parent, "add", "-A")
    git(root.parent, "commit", "-m", "first")
    put_other(root, "own", "HEAD", tmp_path / "into")
    assert sorted(p.name for p in (tmp_path / "into").rglob("*.*")) == ["customer.csv", "plan.yaml"]


@needs_git
@pytest.mark.parametrize("against", ["no-such-revision", "--output=/etc/passwd", "HEAD"])
def test_what_is_no_revision_with_the_plan_is_refused(root: Path, tmp_path: Path, against: str) -> None:
    git(root, "init")
    with pytest.raises(BadInput) as refused:
        put_other(root, "own", against, tmp_path / "into")
    assert "HEAD, a tag, a commit" in refused.value.remedy
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize("named", ["plans/own", "absolute"])
def test_a_folder_is_looked_for_from_where_the_command_is_called(
    root: Path, tmp_path: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    put_other(root, "own", str(root / "plans" / "own") if named == "absolute" else named, tmp_path / "into")
    assert sorted(p.name for p in (tmp_path / "into").rglob("*.*")) == ["customer.csv", "plan.yaml"]


def test_what_cannot_be_taken_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"without a plan\.yaml"):
        put_other(root, "own", str(root / "plans"), tmp_path / "into")
    with pytest.raises(BadInput, match="neither a folder nor a revision"):
        put_other(root, "own", "x" * 5000, tmp_path / "into")
    (root / "plans" / "own" / "geo.csv").symlink_to("nowhere")
    with pytest.raises(BadInput, match="cannot be read"):
        put_other(root, "own", str(root / "plans" / "own"), tmp_path / "into")


@needs_git
def test_a_revision_with_a_link_in_the_plan_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "plans" / "own" / "geo.csv").symlink_to("../shared.csv")
    git(root, "init")
    git(root, "add", "-A")
    git(root, "commit", "-m", "first")
    with pytest.raises(BadInput, match="is a link"):
        put_other(root, "own", "HEAD", tmp_path / "into")
