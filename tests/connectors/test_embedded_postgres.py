"""The embedded server, for real: each test has a server of its own, copied from one that was set up once."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import migration_assets
from migration_assets.connectors.databases import connect
from migration_assets.connectors.embedded_postgres import EmbeddedServer
from migration_assets.domain.errors import Misconfigured

FAST = {"fsync": "off", "full_page_writes": "off"}
NOBODY = 65534
AS_ROOT = os.geteuid() == 0

START = """
import sys
from pathlib import Path
from migration_assets.connectors.embedded_postgres import EmbeddedServer
print(EmbeddedServer(Path(sys.argv[1]), {"fsync": "off"}).start())
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A temporary folder that any account may pass through, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="cutover-server-tests-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def set_up_once(folder: Path) -> Path:
    """A stopped server's home with one table."""
    server = EmbeddedServer(folder / "once" / "postgres", FAST, system_folders=())
    with connect(server.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    return server.home


@pytest.fixture
def fresh(folder: Path) -> Iterator[Callable[..., EmbeddedServer]]:
    """Servers of one test, given their home's name; stopped afterwards."""
    made: list[EmbeddedServer] = []

    def make(name: str, **given: object) -> EmbeddedServer:
        home = folder / f"{os.urandom(4).hex()}" / name / "postgres"
        made.append(EmbeddedServer(home, FAST, **{"system_folders": (), **given}))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for server in made:
        server.stop()
        shutil.rmtree(server.home.parent.parent, ignore_errors=not server.home.exists())


@pytest.fixture
def server_with_rows(fresh: Callable[..., EmbeddedServer], set_up_once: Path) -> EmbeddedServer:
    """A stopped server that has one table."""
    server = fresh("copy")
    server.home.parent.mkdir(parents=True)
    for made in (server.home.parent, server.home.parent.parent):
        made.chmod(0o711)
    # cp keeps the owner, which shutil does not.
    subprocess.run(["cp", "-a", str(set_up_once), str(server.home)], check=True)
    return server


def _pid(server: EmbeddedServer) -> int | None:
    file = server.home / "data" / "postmaster.pid"
    return int(file.read_text().split()[0]) if file.exists() else None


def _answer(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


# --- a normal life ----------------------------------------------------------------------------------------------------


def test_rows_and_port_survive_a_restart(server_with_rows: EmbeddedServer) -> None:
    first = server_with_rows.start()
    assert server_with_rows.running()
    server_with_rows.stop()
    assert not server_with_rows.running()
    assert server_with_rows.start() == first
    assert _answer(first) == 42


def test_a_running_server_is_found_and_known_without_asking(server_with_rows: EmbeddedServer) -> None:
    url = server_with_rows.start()
    pid = _pid(server_with_rows)
    again = EmbeddedServer(server_with_rows.home, system_folders=())
    assert again.start() == url == again.url()
    assert _pid(server_with_rows) == pid


def test_stopping_what_does_not_run_is_nothing(server_with_rows: EmbeddedServer) -> None:
    server_with_rows.stop()
    EmbeddedServer(server_with_rows.home / "nowhere").stop()
    assert not (server_with_rows.home / "nowhere").exists()


def test_it_keeps_utc_utf8_plain_order_and_enough_memory(server_with_rows: EmbeddedServer) -> None:
    with connect(server_with_rows.start()) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}").fetchone()[0]  # type: ignore[index]
            for name in ("TimeZone", "server_encoding", "max_connections", "shared_buffers", "listen_addresses")
        }
        collation = connection.execute("SELECT datcollate FROM pg_database WHERE datname = 'postgres'").fetchone()
    assert shown == {
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "listen_addresses": "127.0.0.1",
    }
    assert collation == ("C",)


def test_nobody_gets_in_without_the_password(server_with_rows: EmbeddedServer) -> None:
    url = server_with_rows.start()
    password = urlsplit(url).password
    assert password is not None and len(password) >= 24
    for wrong in ("", "postgres"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url.replace(f":{password}@", f":{wrong}@" if wrong else "@"))
    assert (server_with_rows.home / "password").stat().st_mode & 0o777 == 0o600
    assert (server_with_rows.home / "data").stat().st_mode & 0o077 == 0


def test_values_of_failed_statements_stay_out_of_the_log(server_with_rows: EmbeddedServer) -> None:
    with connect(server_with_rows.start(), autocommit=True) as connection:
        connection.execute("CREATE TABLE mails (mail text PRIMARY KEY)")
        connection.execute("INSERT INTO mails VALUES ('ada@example.org')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO mails VALUES ('ada@example.org')")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("SELECT 'ada@example.org'::integer")
    assert "ada@" not in (server_with_rows.home / "data" / "server.log").read_text()


# --- two at once, and accidents ---------------------------------------------------------------------------------------


def test_two_processes_that_set_up_at_once_share_one_server(fresh: Callable[..., EmbeddedServer]) -> None:
    server = fresh("both")

    def start(_: int) -> str:
        return subprocess.run(
            [sys.executable, "-c", START, str(server.home)], capture_output=True, text=True, check=True, timeout=60,
            env=_python_path(),
        ).stdout  # fmt: skip

    with ThreadPoolExecutor(2) as both:
        first, second = both.map(start, range(2))
    assert first == second
    assert server.running()


def test_a_killed_server_recovers_with_its_rows(server_with_rows: EmbeddedServer) -> None:
    url = server_with_rows.start()
    with connect(url) as connection:
        connection.execute("UPDATE kept SET answer = 43")
    pid = _pid(server_with_rows)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert _answer(server_with_rows.start()) == 43


def test_the_number_of_a_dead_server_may_be_another_programs(server_with_rows: EmbeddedServer) -> None:
    # As PostgreSQL's own account: it takes any living process of that account for itself and would not start.
    account = {"user": NOBODY, "group": NOBODY} if AS_ROOT else {}
    with subprocess.Popen(["sleep", "60"], cwd="/", **account) as stranger:  # type: ignore[call-overload]
        data = server_with_rows.home / "data"
        (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n1\n1\n\n127.0.0.1\n\nready\n")
        try:
            assert not server_with_rows.running()
            assert _answer(server_with_rows.start()) == 42
            server_with_rows.stop()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_busy_port_gives_way_to_another(server_with_rows: EmbeddedServer) -> None:
    before = _port(server_with_rows.start())
    server_with_rows.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before))
        other.listen()
        url = server_with_rows.start()
        assert _port(url) != before
        assert _answer(url) == 42
    server_with_rows.stop()
    assert server_with_rows.start() == url


def test_a_set_up_that_was_killed_is_swept_away(fresh: Callable[..., EmbeddedServer]) -> None:
    server = fresh("half")
    left = server.home / "init-0badf00d" / "data"
    left.mkdir(parents=True)
    for made in (server.home, server.home.parent, server.home.parent.parent):
        made.chmod(0o711)
    (left / "PG_VERSION").write_text("18\n")
    server.start()
    assert not left.parent.exists()
    assert sorted(path.name for path in server.home.iterdir()) == ["data", "lock", "password", "port"]


# --- what is not ours is refused and not touched ----------------------------------------------------------------------


def _everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_of_other_files_is_refused(fresh: Callable[..., EmbeddedServer]) -> None:
    server = fresh("foreign")
    (server.home / "data").mkdir(parents=True)
    (server.home / "data" / "thesis.txt").write_text("years of work")
    with pytest.raises(Misconfigured, match="not a PostgreSQL data folder") as refused:
        server.start()
    assert "Move" in refused.value.remedy
    assert (server.home / "data" / "thesis.txt").read_text() == "years of work"


def test_data_of_another_major_version_is_refused(server_with_rows: EmbeddedServer) -> None:
    (server_with_rows.home / "data" / "PG_VERSION").write_text("17\n")
    before = _everything(server_with_rows.home / "data")
    with pytest.raises(Misconfigured, match="made by PostgreSQL 17"):
        server_with_rows.start()
    assert _everything(server_with_rows.home / "data") == before


def test_data_without_its_password_is_refused(server_with_rows: EmbeddedServer) -> None:
    (server_with_rows.home / "password").unlink()
    with pytest.raises(Misconfigured, match=r"password file .* is missing"):
        server_with_rows.start()
    with pytest.raises(Misconfigured):
        server_with_rows.url()


def test_a_wrong_password_is_said_without_saying_it(server_with_rows: EmbeddedServer) -> None:
    (server_with_rows.home / "password").write_text("not-the-one\n")
    with pytest.raises(Misconfigured, match="does not take the password") as refused:
        server_with_rows.start()
    assert "not-the-one" not in str(refused.value)


def test_a_setting_that_postgres_refuses_is_told_in_its_words(server_with_rows: EmbeddedServer) -> None:
    broken = EmbeddedServer(server_with_rows.home, {"shared_buffers": "lots"}, system_folders=())
    with pytest.raises(Misconfigured, match='invalid value for parameter "shared_buffers"'):
        broken.start()
    assert _answer(server_with_rows.start()) == 42


def test_asking_before_set_up_names_the_remedy(fresh: Callable[..., EmbeddedServer]) -> None:
    server = fresh("never")
    assert not server.running()
    with pytest.raises(Misconfigured, match="no embedded PostgreSQL") as refused:
        server.url()
    assert "cutover demo" in refused.value.remedy


def test_a_copy_of_a_running_home_does_not_use_the_original(server_with_rows: EmbeddedServer) -> None:
    server_with_rows.start()
    copy = EmbeddedServer(server_with_rows.home.with_name("copy"), FAST, system_folders=())
    subprocess.run(["cp", "-a", str(server_with_rows.home), str(copy.home)], check=True)
    try:
        assert _port(copy.start()) != _port(server_with_rows.url())
    finally:
        copy.stop()


# --- accounts ---------------------------------------------------------------------------------------------------------


def _python_path(*folders: Path) -> dict[str, str]:
    given = [*folders, Path(migration_assets.__path__[0]).parent, *(p for p in sys.path if p.endswith("-packages"))]
    return {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(map(str, given)), "PYTHONDONTWRITEBYTECODE": "1"}


def _python_of(account: int, env: dict[str, str]) -> str | None:
    """A Python with our packages that the account can run."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            tried = subprocess.run(
                [python, "-c", "import psycopg, psutil, pydantic"], user=account, group=account, extra_groups=[],
                capture_output=True, env=env, cwd="/", check=False,
            )  # fmt: skip
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    return None


@pytest.mark.skipif(not AS_ROOT, reason="as a plain user every other test here shows it")
def test_a_plain_user_sets_up_a_server_of_its_own(fresh: Callable[..., EmbeddedServer], folder: Path) -> None:
    package = folder / "package"
    shutil.copytree(migration_assets.__path__[0], package / "migration_assets", ignore=shutil.ignore_patterns("*.pyc"))
    env = _python_path(package)
    python = _python_of(NOBODY, env)
    if python is None:
        pytest.skip("no Python with our packages is in reach of a plain user")
    server = fresh("plain")
    server.home.parent.mkdir(parents=True)
    server.home.parent.parent.chmod(0o711)
    os.chown(server.home.parent, NOBODY, NOBODY)
    done = subprocess.run(
        [python, "-c", START, str(server.home)], user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True,
        text=True, env=env, cwd="/", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (server.home / "password").stat().st_uid == NOBODY
    assert server.start() == done.stdout.strip()
    server.stop()


def test_a_home_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(Misconfigured, match="cannot be written"):
        EmbeddedServer(Path("/proc/cutover/postgres"), FAST, system_folders=()).start()


@pytest.fixture
def closed(fresh: Callable[..., EmbeddedServer], folder: Path) -> EmbeddedServer:
    """A server whose home and wheel both lie below a folder that only root may enter, as /root is."""
    wheel = Path(EmbeddedServer(folder).wheel)
    server = fresh("closed", system_folders=(folder / "refused", folder / os.urandom(4).hex()))
    server.home.parent.mkdir(parents=True)
    server.home.parent.chmod(0o700)
    site = server.home.parent / "site"
    for name in (wheel.name, f"{wheel.name}.libs"):
        if wheel.with_name(name).exists():
            shutil.copytree(wheel.with_name(name), site / name, ignore=shutil.ignore_patterns("include"))
    (folder / "refused").write_text("a file where a folder should be")
    return EmbeddedServer(server.home, FAST, server.system_folders, site / wheel.name)


@pytest.mark.skipif(not AS_ROOT, reason="only for root the server runs as another account")
def test_root_below_a_closed_folder_keeps_the_server_elsewhere(closed: EmbeddedServer) -> None:
    url = closed.start()
    with connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 44 AS answer")
    assert not (closed.home / "data").exists()
    assert closed.home.parent.stat().st_mode & 0o777 == 0o700
    closed.stop()
    assert _answer(closed.start()) == 44

    moved = EmbeddedServer(closed.home.with_name("moved"), FAST, closed.system_folders, closed.wheel)
    shutil.copytree(closed.home, moved.home)
    with pytest.raises(Misconfigured, match="is a copy of"):
        moved.start()
    shutil.rmtree(closed.home)
    assert _answer(moved.start()) == 44

    shutil.rmtree(moved.home)
    assert _answer(closed.start()) == 44, "without the pointer the data is still found by the home's own path"
    closed.stop()

    shutil.rmtree(closed.system_folders[1])
    with pytest.raises(Misconfigured, match="should be in"):
        closed.start()
    (closed.home / "location.json").unlink()


@pytest.mark.skipif(not AS_ROOT, reason="only for root the server runs as another account")
def test_root_without_any_folder_for_the_server_is_told(closed: EmbeddedServer) -> None:
    alone = EmbeddedServer(closed.home, FAST, (closed.home.parent / "also-closed",), closed.wheel)
    with pytest.raises(Misconfigured, match="no folder was found") as refused:
        alone.start()
    assert "CUTOVER_HOME" in refused.value.remedy and "CUTOVER_DATABASE_URL" in refused.value.remedy
