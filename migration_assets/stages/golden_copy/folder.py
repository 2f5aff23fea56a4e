"""The folder of a new snapshot: hidden while it is filled, and there whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from migration_assets.connectors.private_files import is_running
from migration_assets.domain.errors import Misconfigured
from migration_assets.stages.golden_copy.manifest import SNAPSHOT_ID

_PART = re.compile(rf"\.{SNAPSHOT_ID.pattern}\.(?P<process>\d+)\.part")


@contextmanager
def new_folder(folder: Path, snapshot_id: str) -> Iterator[Path]:
    """A hidden folder that becomes `folder/snapshot_id` at the end, or disappears when something fails."""
    if not SNAPSHOT_ID.fullmatch(snapshot_id):
        raise Misconfigured(f"{snapshot_id!r} is no snapshot id", "it is YYYYMMDDTHHMMSSZ and six hex digits")
    final = folder / snapshot_id
    if final.exists():
        raise Misconfigured(f"snapshot {snapshot_id} exists, and a golden copy is never overwritten", "take a new one")
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    part = folder / f".{snapshot_id}.{os.getpid()}.part"
    part.mkdir(mode=0o700)
    try:
        yield part
        part.rename(final)
        _sync(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _remove_abandoned(folder: Path) -> None:
    """Parts of a process that was killed hold personal data, and nobody would look for them."""
    for part in folder.glob(".*.part"):
        named = _PART.fullmatch(part.name)
        if named and not is_running(int(named["process"])):
            shutil.rmtree(part, ignore_errors=True)


def write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    """Make the rename last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
