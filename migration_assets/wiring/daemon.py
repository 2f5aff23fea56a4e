"""Dagster's daemon, which says things once: `python -m migration_assets.wiring.daemon run -w workspace.yaml`.

While as many runs are in progress as there may be, its queue says so every five seconds, whether a run waits or not;
what watches over runs names each of them every minute.
"""

from __future__ import annotations

import logging

# Which of Dagster's daemons say it; their loggers are called so.
QUEUE, WATCH = "dagster.daemon.QueuedRunCoordinatorDaemon", "dagster.daemon.MonitoringDaemon"


class OnlyNews(logging.Filter):
    """Lets a message pass when it is another than the one before. Warnings and worse always pass."""

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        said, before = record.getMessage(), self._last
        self._last = said
        return record.levelno >= logging.WARNING or said != before


class Once(logging.Filter):
    """Lets a message pass the first time. Warnings and worse always pass."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        new = said not in self._said
        self._said.add(said)
        return record.levelno >= logging.WARNING or new


def say_only_news() -> None:
    """From now on the queue of this process repeats nothing, and each run that is watched over is named once."""
    logging.getLogger(QUEUE).addFilter(OnlyNews())
    logging.getLogger(WATCH).addFilter(Once())


if __name__ == "__main__":
    from dagster._daemon.cli import main

    say_only_news()
    main()
