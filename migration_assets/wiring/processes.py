"""Dagster's webserver and daemon as two supervised processes: `dagster dev` does not stop on a signal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from migration_assets.domain.errors import Misconfigured

HOST = "127.0.0.1"


def serve(root: Path, *, port: int, read_only: bool, say: Callable[[str], None]) -> int:
    """Run both until one ends or a signal comes; returns an exit code. A read-only server starts no daemon."""
    _require_free(port)
    webserver = [*_module("dagster_webserver"), "-h", HOST, "-p", str(port), "-w", "workspace.yaml"]
    commands = [[*webserver, "--read-only"]] if read_only else [webserver, _daemon()]
    environment = {**os.environ, "DAGSTER_HOME": str(root)}
    processes = [subprocess.Popen(c, cwd=root, env=environment, start_new_session=True) for c in commands]
    asked = _listen_for_signals()

    def wanted() -> bool:
        return not asked and all(p.poll() is None for p in processes)

    try:
        say("starting Dagster ...")
        if _answers(f"http://{HOST}:{port}/server_info", wanted):
            what = "read-only" if read_only else "webserver and daemon"
            say(f"Dagster on http://{HOST}:{port} ({what}). Ctrl-C stops it.")
        while wanted():
            time.sleep(0.3)
    finally:
        _stop(processes)
    return 0 if asked else 1


def _answers(url: str, wanted: Callable[[], bool]) -> bool:
    """Wait until the webserver answers: it loads the whole graph first. False when nobody wants it any more."""
    while wanted():
        if _is_up(url):
            return True
        time.sleep(0.3)
    return False


def _is_up(url: str) -> bool:
    import requests

    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _daemon() -> list[str]:
    # It takes a new code server each minute, and the one before says as a warning that nobody asks it any more.
    quiet = ("--code-server-log-level", "error")
    return [*_module("migration_assets.wiring.daemon"), "run", "-w", "workspace.yaml", *quiet]


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as e:
            raise Misconfigured(f"port {port} is taken", "Choose another with --port.") from e


def _listen_for_signals() -> list[int]:
    asked: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return asked


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask both process groups to end, and insist after ten seconds."""
    for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        for p in processes:
            if p.poll() is None:
                os.killpg(p.pid, number)
        until = time.monotonic() + patience
        while any(p.poll() is None for p in processes) and time.monotonic() < until:
            time.sleep(0.1)
