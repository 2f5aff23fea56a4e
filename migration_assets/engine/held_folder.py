"""A folder of one process's own for rows on their way: two that shared one would write into each other's files.

Such rows hold personal data, so what a killed process left behind is removed by the next one that comes along.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_LOCK = "in_use"


class HeldFolder:
    """A fresh folder below `parent` (or the system's folder for temporary files), held until `close`; the system lets
    go of it when the process ends. Use as a context manager, which gives the path, or close it."""

    def __init__(self, parent: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir(), f"cutover-{os.geteuid()}") if parent is None else parent
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(parent)
        self._held: int | None = None
        # Somebody who sweeps just now may be faster to the lock, and takes the folder for one left behind.
        while self._held is None:
            self.path = Path(tempfile.mkdtemp(prefix="held-", dir=parent))
            self._held = _locked(self.path / _LOCK)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        _remove(self.path)
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _sweep(parent: Path) -> None:
    """Remove the folders that nobody holds any more."""
    for lock in parent.glob(f"held-*/{_LOCK}"):
        held = _locked(lock)
        if held is not None:
            _remove(lock.parent)
            os.close(held)
    for folder in parent.glob("held-*"):
        # Killed before it had a lock, or when nothing but itself was left: empty, or it stays.
        with contextlib.suppress(OSError):
            folder.rmdir()


def _remove(folder: Path) -> None:
    """Remove a folder, the lock last: killed halfway, what is left can still be found by it."""
    for path in folder.glob("*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _LOCK:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _locked(lock: Path) -> int | None:
    """The lock file, held; None when another process holds it, or has just removed it."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    # Held by another, or swept away between two looks: then what we hold is no longer what lies there.
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), lock.stat()):
            return handle
    os.close(handle)
    return None
