"""A file system of a size of its own, where mounting one is allowed; elsewhere the test is skipped by name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """One that is mounted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def resize(self, kilobytes: int) -> None:
        subprocess.run(
            ["mount", "-o", f"remount,size={kilobytes}k", str(self._folder)], check=True, capture_output=True
        )

    @property
    def used(self) -> int:
        """Kilobytes that are taken."""
        told = os.statvfs(self._folder)
        return (told.f_blocks - told.f_bfree) * told.f_frsize // 1024


@contextmanager
def small_disk(folder: Path, kilobytes: int, owner: int = 0) -> Iterator[SmallDisk]:
    """A file system of that size at the folder, its root owned by that account."""
    options = f"size={kilobytes}k,mode=0700,uid={owner}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
