"""The folder of one embedded server as it is found: data, password, port, and whether a process serves it.

Only looking, and clearing what a dead process left; starting and stopping is `connectors.embedded_postgres`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from migration_assets.connectors.private_files import write_private
from migration_assets.domain.errors import Misconfigured

ADMIN = "postgres"
START_SECONDS = 120
OWN_SERVER = "or bring a server of your own: CUTOVER_DATABASE_URL=postgresql://role:password@host/postgres"


@dataclass(frozen=True)
class ServerPlace:
    """The folder that holds one server's data, password and port."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.data / "server.log"

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    @property
    def port_file(self) -> Path:
        return self.folder / "port"

    def has_data(self) -> bool:
        """Whether something is where the data belongs. An empty folder is nothing: initdb's result replaces it."""
        try:
            return any(self.data.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return self.data.exists()
        except PermissionError as error:
            raise other_account(self.folder) from error

    def version(self) -> str | None:
        try:
            return (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
            return None

    def password(self) -> str:
        return self._kept(self.password_file)

    def port(self) -> int | None:
        try:
            return int(self._kept(self.port_file))
        except (FileNotFoundError, ValueError):
            return None

    def url(self) -> str:
        port = self.port()
        if port is None or not self.password_file.exists():
            raise Misconfigured(
                f"The embedded PostgreSQL in {self.folder} was not started yet.", "Run `cutover demo` or `cutover run`."
            )
        # The server has no certificate and is reached over loopback only; PGSSLMODE in the shell must not matter.
        return f"postgresql://{ADMIN}:{self.password()}@127.0.0.1:{port}/postgres?sslmode=disable"

    def _kept(self, path: Path) -> str:
        try:
            return path.read_text(encoding="ascii").strip()
        except PermissionError as error:
            raise other_account(self.folder) from error


@dataclass(frozen=True)
class Postmaster:
    """What `postmaster.pid` says: the server's process, its data and its state."""

    pid: int
    data: Path
    port: int | None
    ready: bool

    @classmethod
    def of(cls, data: Path) -> Postmaster | None:
        try:
            lines = (data / "postmaster.pid").read_text(encoding="utf-8").split("\n")
            port = int(lines[3]) if len(lines) > 4 else None
            return cls(int(lines[0]), data, port, len(lines) > 7 and lines[7].strip() == "ready")
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except PermissionError as error:
            raise other_account(data) from error

    def alive(self) -> bool:
        """Whether that process is this server: after a crash the number may be another program's, or a zombie's."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith("postgres"):
                return False
            return Path(process.cwd()) == self.data.resolve()
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            # Root in a container may not look into another account's process. A PostgreSQL has the number: believe it.
            return True


def is_up(place: ServerPlace) -> bool:
    """Whether the server runs, waiting for one that is just starting or stopping; clears what a dead one left."""
    postmaster = Postmaster.of(place.data)
    if postmaster is None:
        return False
    if not postmaster.alive():
        # PostgreSQL itself clears the file unless some process has that number, be it a zombie or a stranger.
        if psutil.pid_exists(postmaster.pid):
            (place.data / "postmaster.pid").unlink(missing_ok=True)
        return False
    if not until(lambda: _settled(place), START_SECONDS):
        raise Misconfigured(
            f"PostgreSQL (process {postmaster.pid}) is neither up nor down after {START_SECONDS} s.",
            f"Read {place.log}; after a crash it may need longer: then run again.",
        )
    postmaster = Postmaster.of(place.data)
    if postmaster is None or not postmaster.alive():
        return False
    if postmaster.port not in (None, place.port()):
        write_private(place.port_file, f"{postmaster.port}\n")
    return True


def _settled(place: ServerPlace) -> bool:
    postmaster = Postmaster.of(place.data)
    return postmaster is None or postmaster.ready or not postmaster.alive()


def is_alive(place: ServerPlace) -> bool:
    postmaster = Postmaster.of(place.data)
    return postmaster is not None and postmaster.alive()


def other_account(folder: Path) -> Misconfigured:
    return Misconfigured(
        f"The embedded PostgreSQL in {folder} belongs to another account.",
        f"Run as the account that set it up, choose another folder with CUTOVER_HOME, {OWN_SERVER}",
    )


def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether it came to hold within that time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
