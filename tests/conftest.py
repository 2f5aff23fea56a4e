"""One embedded server for the whole test session, shared by all workers of pytest-xdist, and fresh databases on it.

The process that was called makes the folder before there are workers and stops the server after they are gone; the
workers start or find it, which the server's own file lock keeps apart.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from migration_assets.connectors.databases import database_url, drop_database, ensure_database
from migration_assets.connectors.embedded_postgres import EmbeddedServer

FOLDER = "CUTOVER_TESTS_FOLDER"
# What tests write may be lost when the machine stops; nothing else is given up.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        # Not below pytest's own temporary folder: that is closed to the account the server runs as for root.
        folder = Path(tempfile.mkdtemp(prefix="cutover-tests-"))
        folder.chmod(0o711)
        os.environ[FOLDER] = str(folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and FOLDER in os.environ:
        _session_server().stop()
        shutil.rmtree(os.environ.pop(FOLDER))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


@pytest.fixture(scope="session")
def server() -> str:
    """The administrator's URL of the session's server, as libpq takes it."""
    return _session_server().start()


@pytest.fixture
def database(server: str) -> Iterator[str]:
    """The SQLAlchemy URL (psycopg 3) of an empty database of the test's own."""
    name = f"test_{uuid4().hex[:16]}"
    ensure_database(server, name)
    yield database_url(server, name, "psycopg")
    drop_database(server, name)


@pytest.fixture(scope="session")
def own_server(worker_id: str) -> Iterator[str]:
    """The same of a server that no other worker uses."""
    if worker_id == "master":
        yield _session_server().start()
        return
    server = _session_server(f"postgres_{worker_id}")
    yield server.start()
    server.stop()


def _session_server(folder: str = "postgres") -> EmbeddedServer:
    return EmbeddedServer(Path(os.environ[FOLDER]) / folder, FAST, system_folders=())
