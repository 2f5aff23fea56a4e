"""The account the embedded server runs as, and running its programs as that account.

PostgreSQL refuses to run as root, so for root it is nobody, or whoever owns the data. No account is ever added.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migration_assets.connectors.private_files import make_folder
from migration_assets.connectors.server_place import other_account
from migration_assets.domain.errors import Misconfigured

NOBODY = 65534


@dataclass(frozen=True)
class ServerAccount:
    """Who the server runs as: the caller (`uid` None), or, when the caller is root, somebody else."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_new_data(cls) -> ServerAccount:
        return cls(NOBODY, NOBODY) if os.geteuid() == 0 else cls()

    @classmethod
    def of_data(cls, data: Path) -> ServerAccount:
        """PostgreSQL wants to run as the owner of its data."""
        owner = data.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            return cls(owner.st_uid, owner.st_gid)
        if os.geteuid() == 0:
            raise Misconfigured(
                f"{data} belongs to root, and PostgreSQL does not run as root.",
                f"Give it to the server's account: chown -R {NOBODY}:{NOBODY} {shlex.quote(str(data))}",
            )
        if owner.st_uid != os.geteuid():
            raise other_account(data)
        return cls()

    def run(self, program: Path, *arguments: str, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
        """Run to the end. A program that cannot be started at all has the exit code 127, as in a shell.

        What it prints goes through a file: a server left behind would keep a pipe open.
        """
        other: dict[str, Any] = {}
        if self.uid is not None:
            other = {"user": self.uid, "group": self.gid, "extra_groups": []}
        command = [str(program), *arguments]
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            try:
                code = subprocess.run(
                    command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=said, stderr=said, umask=0o077, check=False,
                    env={"PATH": os.defpath, "LC_ALL": "C"}, **other,
                ).returncode  # fmt: skip
            except (OSError, subprocess.SubprocessError) as error:
                return subprocess.CompletedProcess(command, 127, "", str(error))
            said.seek(0)
            return subprocess.CompletedProcess(command, code, "", said.read())

    def give(self, *paths: Path) -> None:
        """Make the account the owner of these paths."""
        if self.uid is not None and self.gid is not None:
            for path in paths:
                os.chown(path, self.uid, self.gid)

    def can_own(self, folder: Path) -> bool:
        """Whether the account may have a folder of its own in there; tried, because modes alone do not tell."""
        try:
            make_folder(folder, passable=True)
            probe = Path(tempfile.mkdtemp(prefix="probe-", dir=folder))
        except OSError:
            return False
        try:
            self.give(probe)
            return self.run(Path("/bin/sh"), "-c", 'cd -- "$0" && : > file && rm file', str(probe)).returncode == 0
        except OSError:
            return False
        finally:
            shutil.rmtree(probe)
