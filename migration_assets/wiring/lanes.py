"""Work side by side: this process takes one piece at a time, and so does each process beside it.

A run of a cohort is mostly Python, which threads cannot share out. What a piece of work is, this module does not know.
A process beside ends with the one that started it, at once: what it had half done, guarded writes undo.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.queues import SimpleQueue
from typing import Any, Generic, TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")
# Takes what work says of itself; it goes from process to process.
Say = Callable[[Any], None]
# Called once in each process beside: what does the work there. Its argument takes progress messages.
Open = Callable[[Say], Callable[[Any], Any]]

_own: list[Callable[[Any], Any]] = []


class Beside:
    """A process beside this one. It begins when it is told to, or with the first work that it is given."""

    def __init__(self, open_worker: Open, messages: SimpleQueue[Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, _begin, (open_worker, messages))
        self._number: Future[int] | None = None
        self.died = False

    def begin(self) -> None:
        """Get ready from now on."""
        if self._number is None:
            self._number = self._pool.submit(os.getpid)

    def work(self, piece: Any) -> Any:
        """What its work makes of one piece; BrokenProcessPool when the process died of it."""
        try:
            self.begin()
            return self._pool.submit(_work, piece).result()
        except BrokenProcessPool:
            self.died = True
            raise

    def end(self) -> None:
        """Idle, or interrupted: either way nothing is worth the seconds that tidying up takes such a process."""
        if self._number is not None:
            self._number.add_done_callback(_end)
        self._pool.shutdown(wait=True, cancel_futures=True)


class Lanes(Generic[Work, Result]):
    """Runs pieces of work here and in the processes beside; `lost` is the result of one whose process died."""

    def __init__(
        self, here: Callable[[Work], Result], beside: Sequence[Beside], lost: Callable[[Work], Result]
    ) -> None:
        self._here, self._beside, self._lost = here, beside, lost

    def run(self, pieces: Iterable[Work], started: Callable[[Work], None] = lambda _: None) -> list[Result]:
        """Results in the order of the pieces, each of which is begun in that order, the first of them here."""
        share: _Share[Work, Result] = _Share(list(enumerate(pieces)), started)
        usable = [p for p in self._beside if not p.died]
        threads = [threading.Thread(target=self._lane_beside, args=(share, p), daemon=True) for p in usable]
        try:
            taken = share.take()
            # What is one piece alone needs no process that would begin for it.
            for t in threads:
                t.start()
            while taken is not None:
                share.found[taken[0]] = self._here(taken[1])
                taken = share.take()
            for t in threads:
                t.join()
        finally:
            share.todo.clear()
        if share.failed:
            raise share.failed[0]
        return [share.found[i] for i in sorted(share.found)]

    def _lane_beside(self, share: _Share[Work, Result], process: Beside) -> None:
        try:
            while not process.died and (taken := share.take()) is not None:
                try:
                    share.found[taken[0]] = process.work(taken[1])
                except BrokenProcessPool:
                    share.found[taken[0]] = self._lost(taken[1])
        except BaseException as error:
            share.failed.append(error)


class _Share(Generic[Work, Result]):
    """What is still to be done, what was found, and what went wrong that is nobody's result."""

    def __init__(self, todo: list[tuple[int, Work]], started: Callable[[Work], None]) -> None:
        self.todo, self.found, self.failed = todo, dict[int, Result](), list[BaseException]()
        self._started, self._taking = started, threading.Lock()

    def take(self) -> tuple[int, Work] | None:
        with self._taking:
            if not self.todo:
                return None
            taken = self.todo.pop(0)
            self._started(taken[1])
            return taken


@contextmanager
def processes_beside(count: int, open_worker: Open, said: Say, *, at_need: bool = False) -> Iterator[list[Beside]]:
    """That many processes, which get ready from now on, or when they are needed; `said` hears what their work
    reports."""
    if count == 0:
        yield []
        return
    # A message is written when `put` returns: a process that is idle has said all that it had to say.
    messages: SimpleQueue[Any] = multiprocessing.get_context("spawn").SimpleQueue()
    processes = [Beside(open_worker, messages) for _ in range(count)]
    listener = threading.Thread(target=_listen, args=(messages, said), daemon=True)
    listener.start()
    try:
        if not at_need:
            for p in processes:
                p.begin()
        yield processes
    finally:
        for p in processes:
            p.end()
        # Of its own, and left behind if need be: who was ended within a message holds its lock for ever.
        threading.Thread(target=messages.put, args=(None,), daemon=True).start()
        listener.join(timeout=5)


def _end(number: Future[int]) -> None:
    if not number.cancelled() and number.exception() is None:
        with suppress(ProcessLookupError):
            os.kill(number.result(), signal.SIGKILL)


def _listen(messages: SimpleQueue[Any], said: Say) -> None:
    while (message := messages.get()) is not None:
        said(message)


def _begin(open_worker: Open, messages: SimpleQueue[Any]) -> None:
    # Ctrl-C goes to the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _own[:] = [open_worker(messages.put)]


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(piece: Any) -> Any:
    return _own[0](piece)
