"""Work in a process of its own, forked within milliseconds from one that has imported everything and done nothing.

The server of forks is no copy of the test's process: threads and connections of the tests before are not taken along.
What a case does to its process (kill it, limit its files, fill its disk) ends with it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.forkserver import ensure_running, set_forkserver_preload
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KILLED = -9


@dataclass(frozen=True)
class Ended:
    """How a forked process ended: its exit code (-9: killed), what it sent, in order, and how it broke off."""

    code: int | None
    said: tuple[Any, ...] = field(default=())

    @property
    def answer(self) -> Any:
        """The last thing that it sent."""
        assert self.code == 0 and self.said, f"the process ended with {self.code} after {self.said[-3:]}"
        return self.said[-1]


class Forked:
    """A running process; `ended` waits for it."""

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        with _environment():
            ensure_running()
        context = multiprocessing.get_context("forkserver")
        self._receives, sends = context.Pipe(duplex=False)
        self.process = context.Process(target=_do, args=(work, sends, arguments), daemon=True)
        self.process.start()
        sends.close()
        self._said: list[Any] = []

    def hears(self, seconds: float) -> Any:
        """The next thing it sends; None when it has ended, AssertionError when it is silent for too long."""
        assert self._receives.poll(seconds), f"nothing was heard for {seconds} s"
        try:
            self._said.append(self._receives.recv())
        except EOFError:
            return None
        return self._said[-1]

    def ended(self, seconds: float = 300) -> Ended:
        while self.hears(seconds) is not None:
            pass
        self.process.join(seconds)
        return Ended(self.process.exitcode, tuple(self._said))


def forked(work: Callable[..., None], *arguments: Any, seconds: float = 300) -> Ended:
    """Run `work(send, *arguments)` in a process of its own and wait for it."""
    return Forked(work, *arguments).ended(seconds)


def _do(work: Callable[..., None], sends: Connection, arguments: tuple[Any, ...]) -> None:
    work(sends.send, *arguments)


@contextmanager
def _environment() -> Iterator[None]:
    """What the server of forks is started with: it finds the tests, and its writes go through the faulty layer."""
    from disk_faults import preloaded

    changes: Mapping[str, str] = {"PYTHONPATH": os.pathsep.join((str(HERE), *filter(None, sys.path))), **preloaded()}
    before = {name: os.environ.get(name) for name in changes}
    set_forkserver_preload(["heavy_imports"])
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
