"""Dagster's daemon, which says things once: `python -m migration_assets.wiring.daemon run -w workspace.yaml`.

While as many runs are in progress as there may be, its queue says so every five seconds, whether a run waits or not.
"""

from __future__ import annotations

import logging

# Which of Dagster's daemons says it; its logger is called so.
QUEUE = "dagster.daemon.QueuedRunCoordinatorDaemon"


class OnlyNews(logging.Filter):
    """Lets a message pass when it is another than the one before. Warnings and worse always pass."""

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        said, before = record.getMessage(), self._last
        self._last = said
        return record.levelno >= logging.WARNING or said != before


def say_only_news() -> None:
    """From now on the queue of this process repeats nothing."""
    logging.getLogger(QUEUE).addFilter(OnlyNews())


if __name__ == "__main__":
    from dagster._daemon.cli import main

    say_only_news()
    main()
