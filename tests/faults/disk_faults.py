"""Disks that fail: a layer in front of the system's writes (any library's), made of a few lines of C.

Where there is no C compiler the layer is missing, `missing()` says so, and the tests that need it are skipped by name.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("failing_writes.c")
SHORT = 0


@cache
def _library() -> Path | None:
    """The compiled layer, once for this process and those it starts."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    made = Path(tempfile.mkdtemp(prefix="cutover-writes-")) / "failing_writes.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(SOURCE), "-ldl"], check=True)
    return made


def missing() -> bool:
    """Whether writes cannot be made to fail here."""
    return _library() is None


def preloaded() -> Mapping[str, str]:
    """The variables under which a new process has the layer."""
    library = _library()
    return {} if library is None else {"LD_PRELOAD": str(library)}


def arm(path: str, after: int, error: int) -> None:
    """In a process that has the layer: writes to paths with this text fail after so many bytes, with that error number;
    SHORT: one of them is cut short, as the system may do at any time."""
    library = ctypes.CDLL(None)
    library.fault_arm(os.fsencode(path), ctypes.c_longlong(after), error)


def struck() -> bool:
    """Whether a write has been made to fail, in this process."""
    return bool(ctypes.CDLL(None).fault_struck())
