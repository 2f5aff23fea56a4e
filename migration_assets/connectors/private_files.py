"""Folders and files that other accounts must not read: state, secrets, and what holds personal data.

Only their making belongs here; what is in them is the business of whoever writes them.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import secrets
from pathlib import Path
from typing import TextIO


def make_folder(folder: Path, *, passable: bool = False) -> None:
    """Make a folder and what is missing above it, closed to others; folders that exist are left as they are.

    `passable`: when root makes it, others may pass through to what is theirs below, but not look in.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent, passable=passable)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        # Not by mkdir's own mode, from which the umask would take bits away.
        folder.chmod(0o711 if passable and os.geteuid() == 0 else 0o700)


def write_private(path: Path, text: str) -> None:
    """Replace a file, in one step, by one that only its owner can read."""
    _sweep(path)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open_private(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what processes that were killed while they replaced this file have left of it."""
    left = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.[0-9a-f]{{8}}")
    for other in path.parent.glob(f".{glob.escape(path.name)}.*"):
        named = left.fullmatch(other.name)
        if named and not is_running(int(named[1])):
            other.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def made_once(path: Path, text: str) -> str:
    """What a private file holds; this text if there is none yet. Of several that make it at once all get the same."""
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        make_private(fresh, text.encode())
        try:
            # Unlike a replacement, a link does not take the place of a file that somebody else has just made.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(fresh)
        finally:
            fresh.unlink()
    return path.read_text(encoding="utf-8")


KEY_BYTES = 32


def secret_key(path: Path) -> bytes | None:
    """The key in a private file, made at random if there is none yet; None when what is there is no key that can be
    read."""
    try:
        key = bytes.fromhex(made_once(path, secrets.token_hex(KEY_BYTES)))
    except (OSError, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def open_private(path: Path, flags: int) -> TextIO:
    """A file to write to, readable by its owner only if this call makes it."""
    return os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8")


def make_private(path: Path, content: bytes) -> None:
    """A new file that only its owner can read; FileExistsError when there is one of that name."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
