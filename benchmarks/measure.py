"""What a command costs: CPU of the client and of the database server, peak memory, wall time."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg


@dataclass(frozen=True)
class Cost:
    """CPU seconds, wall seconds, and the client's peak resident memory in MB."""

    client: float
    server: float
    wall: float
    peak_mb: int
    code: int

    @property
    def cpu(self) -> float:
        return self.client + self.server


def cost_of(
    command: Sequence[str],
    environment: Mapping[str, str],
    server: ServerClock,
    log: Path,
    *,
    folder: Path | None = None,
) -> Cost:
    """Run a command to its end, in `folder`; its output goes to `log`."""
    before, started = server.seconds(), time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=dict(environment), stdout=out, stderr=subprocess.STDOUT, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    client = usage.ru_utime + usage.ru_stime
    return Cost(client, server.seconds() - before, wall, usage.ru_maxrss // 1024, process.returncode)


class ServerClock:
    """CPU seconds that a PostgreSQL server has used: its main process, which has waited for all ended backends, and
    the backends that are still there."""

    def __init__(self, pid: int) -> None:
        self._server = psutil.Process(pid)

    @classmethod
    def of(cls, admin: str) -> ServerClock:
        """Of the server at an administrator's URL: a backend's parent, asked over a connection."""
        with psycopg.connect(admin.replace("postgresql+psycopg://", "postgresql://")) as connection:
            row = connection.execute("SELECT pg_backend_pid()").fetchone()
            assert row is not None
            return cls(psutil.Process(row[0]).ppid())

    def seconds(self) -> float:
        own = self._server.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in self._server.children():
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total
