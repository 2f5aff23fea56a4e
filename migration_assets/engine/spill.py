"""A folder of its own for what an engine spills: two processes that shared one would write into each other's files.

Spilled rows hold personal data, so what a killed process left behind is removed by the next one that comes along.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_LOCK = "in_use"


class SpillFolder:
    """A fresh folder below `parent`, held until `close`; the system lets go of it when the process ends."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        self._held: int | None = None
        # Somebody who sweeps just now may be faster to the lock, and takes the folder for one left behind.
        while self._held is None:
            self.path = Path(tempfile.mkdtemp(prefix="engine-", dir=parent))
            self._held = _locked(self.path / _LOCK)

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _sweep(parent: Path) -> None:
    """Remove the folders that nobody holds any more."""
    for lock in parent.glob(f"engine-*/{_LOCK}"):
        held = _locked(lock)
        if held is not None:
            shutil.rmtree(lock.parent, ignore_errors=True)
            os.close(held)


def _locked(lock: Path) -> int | None:
    """The lock file, held; None when another process holds it, or has just removed it."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
