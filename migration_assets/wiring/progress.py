"""How far a run is: what stages say while they go, and what follows from it. Words and counts, no row values.

A stage tells a logger of its own process; whoever started the run listens (`progress_to`), also beside it (`lanes`).
What it looks like: `progress_views`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from migration_assets.stages.store import GLOBAL

# Name of the logger that carries progress to whoever started the run.
PROGRESS = "cutover.progress"


@dataclass(frozen=True)
class Begun:
    """Something begins: a phase, or the cohort at a `place` of `of`. `steps`: so many stages more are ahead."""

    what: str
    place: int = 0
    of: int = 0
    steps: int = 0

    def __str__(self) -> str:
        return f"{self.what} ({self.place}/{self.of})" if self.of else self.what


@dataclass(frozen=True)
class Told:
    """What a stage of a partition says. `seconds`: how long it took, once it has ended, well or not."""

    partition: str
    stage: str
    message: str
    seconds: float | None = None

    @property
    def place(self) -> str:
        """Cohort and stage; the global phase has no cohort."""
        return self.stage if self.partition == GLOBAL else f"{self.partition} {self.stage}"


@dataclass(frozen=True)
class Course:
    """How far a run is: `done` of `steps` stages, where each partition is that is at work, and who spoke last."""

    steps: int = 0
    done: int = 0
    at: Mapping[str, Told] = field(default_factory=dict)
    last: Told | None = None

    def begun(self, begun: Begun) -> Course:
        return replace(self, steps=self.steps + begun.steps)

    def told(self, told: Told) -> Course:
        if told.seconds is None:
            return replace(self, at={**self.at, told.partition: told}, last=told)
        left = {partition: t for partition, t in self.at.items() if partition != told.partition}
        return replace(self, done=self.done + 1, at=left, last=None)


def tell(told: Told) -> None:
    """Say something to whoever started the run, if anybody listens."""
    logging.getLogger(PROGRESS).info("%s", told.message, extra={"told": told})


@contextmanager
def progress_to(hear: Callable[[Told], None]) -> Iterator[None]:
    """Hear what stages say while they run."""
    logger = logging.getLogger(PROGRESS)

    class Forward(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            hear(record.__dict__["told"])

    handler = Forward()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
