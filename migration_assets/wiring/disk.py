"""Says of an error that a disk caused what a person can do about it; of all other errors nothing.

Two kinds of code write files, each with errors of its own: Python and Arrow (OSError with a number), and DuckDB (a text
that holds what the system said). No message names a row.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from migration_assets.domain.errors import DiskRefused

_ROOM = "Make room there (or move the state with CUTOVER_HOME), then `cutover run --resume`: what was done is kept."
_MEND = "Look at the disk (the system's log names it), then `cutover run --resume`: what was done is kept."
_ALLOW = "Run as the account that set Cutover up, on a disk that may be written; then `cutover run --resume`."
_SAID: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", _ROOM),
    errno.EDQUOT: ("the disk quota is used up", _ROOM),
    errno.EFBIG: ("a file grew beyond what is allowed", _ROOM),
    errno.EIO: ("the disk reports an error", _MEND),
    errno.EROFS: ("the disk cannot be written", _ALLOW),
    errno.EACCES: ("the folder cannot be written", _ALLOW),
}


def disk_refusal(error: BaseException, home: Path) -> DiskRefused | None:
    """The error as one of ours, if a disk is behind it or behind what caused it."""
    number = _number(error)
    if number is None:
        cause = error.__cause__ or error.__context__
        return None if cause is None else disk_refusal(cause, home)
    problem, remedy = _SAID[number]
    return DiskRefused(f"{problem}: {home}; nothing half-written was left in place", remedy)


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError):
        return error.errno if error.errno in _SAID else None
    import duckdb

    if isinstance(error, (duckdb.IOException, duckdb.OutOfMemoryException)):
        return next((n for n in _SAID if os.strerror(n) in str(error)), None)
    return None
