"""Whatever is done to a golden copy afterwards is found, and the file is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migration_assets.domain.errors import GoldenCopyAltered
from migration_assets.stages.golden_copy.manifest import (
    Manifest,
    TableEntry,
    file_digest,
    read_manifest,
    snapshot_id,
    verify_golden_copy,
)

TAKEN_AT = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A snapshot of three tables; verifying never opens them as Parquet."""
    made = tmp_path / snapshot_id(TAKEN_AT, "0a1b2c")
    made.mkdir()
    entries = {}
    for name in ("a", "b", "c"):
        path = made / f"crm.{name}.parquet"
        path.write_bytes(name.encode() * 1000)
        entries[f"crm.{name}"] = TableEntry(
            system="crm", table=name, read_from=name, file=path.name, rows=1, bytes=1000, sha256=file_digest(path),
            key=("id",), columns={"_row": "int64"}, declared={}, secret_left_out=(), taken_at=TAKEN_AT,
        )  # fmt: skip
    manifest = Manifest(snapshot=made.name, plan="tiny", plan_digest="d", taken_at=TAKEN_AT, tables=entries).sealed()
    (made / "manifest.json").write_text(manifest.to_json())
    return made


def flip(folder: Path) -> None:
    path = folder / "crm.b.parquet"
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)


def swap(folder: Path) -> None:
    a, b, aside = (folder / name for name in ("crm.a.parquet", "crm.b.parquet", "aside"))
    a.rename(aside)
    b.rename(a)
    aside.rename(b)


def link(folder: Path) -> None:
    real = folder.parent / "elsewhere.parquet"
    shutil.move(folder / "crm.c.parquet", real)
    (folder / "crm.c.parquet").symlink_to(real)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (flip, ["crm.b.parquet: altered"]),
        (lambda f: (f / "crm.a.parquet").write_bytes(b"a" * 999), ["crm.a.parquet: truncated"]),
        (lambda f: (f / "crm.a.parquet").write_bytes(b"a" * 1001), ["crm.a.parquet: altered"]),
        (lambda f: (f / "crm.a.parquet").write_bytes(b""), ["crm.a.parquet: truncated"]),
        (swap, ["crm.a.parquet: swapped, it is a copy of crm.b.parquet", "crm.b.parquet: swapped"]),
        (lambda f: (f / "crm.c.parquet").unlink(), ["crm.c.parquet: missing"]),
        (link, ["crm.c.parquet: missing"]),
        (lambda f: (f / "crm.d.parquet").write_bytes(b"x"), ["crm.d.parquet: not in the manifest"]),
        (lambda f: (f / "manifest.json").unlink(), ["has no manifest.json"]),
        (lambda f: (f / "manifest.json").write_text("{"), ["is damaged"]),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff"), ["is damaged"]),
    ],
    ids=["flip", "truncate", "grow", "empty", "swap", "missing", "link", "extra", "no manifest", "half", "not text"],
)
def test_every_change_is_found_and_named(folder: Path, change: Callable[[Path], object], said: list[str]) -> None:
    change(folder)
    with pytest.raises(GoldenCopyAltered) as caught:
        verify_golden_copy(folder)
    for part in said:
        assert part in caught.value.message
    assert caught.value.remedy


def test_whole_copy_is_verified(folder: Path) -> None:
    assert verify_golden_copy(folder) == read_manifest(folder)


def test_edited_manifest_and_renamed_snapshot_are_found(folder: Path) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    content["tables"]["crm.a"]["rows"] = 2
    path.write_text(json.dumps(content))
    with pytest.raises(GoldenCopyAltered, match="was altered"):
        read_manifest(folder)


def test_snapshot_under_another_name_is_refused(folder: Path) -> None:
    moved = folder.rename(folder.with_name("20260131T123000Z-ffffff"))
    with pytest.raises(GoldenCopyAltered, match="was altered"):
        read_manifest(moved)


def test_manifest_rewritten_to_fit_is_found_by_the_recorded_digest(folder: Path) -> None:
    recorded = read_manifest(folder).digest
    content = json.loads((folder / "manifest.json").read_text())
    content["tables"]["crm.a"]["rows"] = 2
    forged = Manifest.model_validate(content).sealed()
    (folder / "manifest.json").write_text(forged.to_json())
    assert verify_golden_copy(folder) == forged
    with pytest.raises(GoldenCopyAltered, match="not the one that was recorded"):
        verify_golden_copy(folder, digest=recorded)


def test_all_faults_are_listed_together(folder: Path) -> None:
    flip(folder)
    (folder / "crm.c.parquet").unlink()
    with pytest.raises(GoldenCopyAltered) as caught:
        verify_golden_copy(folder)
    assert "crm.b.parquet" in caught.value.message
    assert "crm.c.parquet" in caught.value.message
