"""What a golden copy holds, and the proof that nobody altered it.

Only reading and verifying; taking a golden copy is in `export`.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from migration_assets.domain.errors import GoldenCopyAltered

MANIFEST = "manifest.json"
SNAPSHOT_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_CHUNK = 1024 * 1024
_REMEDY = "put the original file back from your backup, or take a new snapshot; nothing is derived from altered files"


class TableEntry(BaseModel):
    """One table: `columns` maps each column (`_row` first) to its type, `read_from` is where the source had it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    table: str
    read_from: str
    file: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+\.parquet$")]
    rows: int
    bytes: int
    sha256: str
    key: tuple[str, ...]
    columns: dict[str, str]
    declared: dict[str, str]
    secret_left_out: tuple[str, ...]
    taken_at: AwareDatetime


class Manifest(BaseModel):
    """All tables of one snapshot by `system.table`. `digest` is the SHA-256 of everything else in the manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    snapshot: str
    plan: str
    plan_digest: str
    taken_at: AwareDatetime
    tables: dict[str, TableEntry]
    digest: str = ""

    def sealed(self) -> Manifest:
        """The same manifest with its digest."""
        return self.model_copy(update={"digest": self.computed_digest()})

    def computed_digest(self) -> str:
        """SHA-256 over the canonical JSON of all fields but the digest."""
        content = self.model_dump(mode="json", exclude={"digest"})
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def snapshot_id(taken_at: datetime, token: str) -> str:
    """The name of a snapshot: its time in UTC and six hex digits that keep two of one second apart."""
    return f"{taken_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{token}"


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a snapshot's folder, if it is whole and agrees with its own digest."""
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise GoldenCopyAltered(f"snapshot {folder.name} has no {MANIFEST}", _REMEDY) from None
    except (ValidationError, ValueError):
        raise GoldenCopyAltered(f"{MANIFEST} of snapshot {folder.name} is damaged", _REMEDY) from None
    if manifest.digest != manifest.computed_digest() or manifest.snapshot != folder.name:
        raise GoldenCopyAltered(f"{MANIFEST} of snapshot {folder.name} was altered", _REMEDY)
    return manifest


def verify_golden_copy(folder: Path, *, digest: str | None = None) -> Manifest:
    """The manifest of a snapshot, after every file was read and compared with it.

    `digest` is the manifest's digest as recorded elsewhere: with it, a manifest rewritten to fit is found too.
    Raises GoldenCopyAltered with every file that is altered, truncated, swapped, missing or not in the manifest.
    """
    manifest = read_manifest(folder)
    faults = [fault for entry in manifest.tables.values() if (fault := _fault(folder, entry, manifest))]
    expected = {MANIFEST, *(entry.file for entry in manifest.tables.values())}
    faults += [f"{p.name}: not in the manifest" for p in sorted(folder.iterdir()) if p.name not in expected]
    if digest is not None and manifest.digest != digest:
        faults.append(f"{MANIFEST}: not the one that was recorded when the snapshot was taken")
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise GoldenCopyAltered(f"snapshot {folder.name} differs from its manifest:\n{listed}", _REMEDY)
    return manifest


def _fault(folder: Path, entry: TableEntry, manifest: Manifest) -> str:
    path = folder / entry.file
    if not path.is_file() or path.is_symlink():
        return f"{entry.file}: missing"
    found = file_digest(path)
    if found == entry.sha256:
        return ""
    other = next((e.file for e in manifest.tables.values() if e.sha256 == found), None)
    if other is not None:
        return f"{entry.file}: swapped, it is a copy of {other}"
    size = path.stat().st_size
    return f"{entry.file}: truncated" if size < entry.bytes else f"{entry.file}: altered"
