"""What became of a load or rollback whose COMMIT was never answered: its record tells, once nobody writes any more.

A connection that is lost earlier needs no asking: what was not committed, the server undoes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from migration_assets.connectors.postgres_target import complaint
from migration_assets.domain.errors import Misconfigured, TargetRefused

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection, PostgresTarget

# How long a target that has just gone is asked again before a person is: a server starts again within that time.
ASKED_FOR_SECONDS = 60.0
_PAUSE_SECONDS = 0.5
RESUME = (
    "Check the server and the network, and see `cutover status`; then do the same again (`cutover run --resume`, or "
    "the rollback): what was applied is not done again."
)


class Outcome:
    """Around the transaction of `what`. `hold` takes the plan's lock: when it is had, the lost transaction is over, one
    way or the other. Errors of the database that come out of the block become TargetRefused, except when all was
    applied all the same: then there is none."""

    def __init__(
        self, target: PostgresTarget, writer: str, hold: Callable[[Connection], None], what: str = "load"
    ) -> None:
        self._target, self._writer, self._hold, self._what = target, writer, hold, what
        self._committing = False
        self._question: sql.Composed | None = None

    def committing(self, question: sql.Composed | None) -> None:
        """All is written but the COMMIT. `question`: a query whose only value is whether that is so; None where nothing
        was written, so that there is nothing to lose."""
        self._committing, self._question = True, question

    def __enter__(self) -> Outcome:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, psycopg.Error):
            return False
        what, why = self._what, complaint(error).message
        if not self._committing:
            raise TargetRefused(f"the {what} was broken off: {why}; nothing was written", RESUME)
        if self._question is None or self._is_so(self._question):
            return True
        raise TargetRefused(
            f"the {what} was lost while it was being committed: {why}; the ledger of the target has no such {what}, so "
            "that nothing was written",
            RESUME,
        )

    def _is_so(self, question: sql.Composed) -> bool:
        """Ask until there is an answer; TargetRefused when there is none for a minute."""
        until = time.monotonic() + ASKED_FOR_SECONDS
        while True:
            try:
                with self._target.transaction(role=self._writer) as connection:
                    self._hold(connection)
                    found = connection.execute(question).fetchone()
                return bool(found and found[0])
            except (psycopg.Error, Misconfigured, TargetRefused) as error:
                # Refused is the lock: another load, or the lost one, has held it for as long as a load waits.
                if time.monotonic() > until or isinstance(error, TargetRefused):
                    said = complaint(error).message if isinstance(error, psycopg.Error) else error.message
                    raise TargetRefused(
                        f"the connection was lost while the {self._what} was being committed, and whether it was "
                        f"applied is not known: {said}",
                        RESUME,
                    ) from None
                time.sleep(_PAUSE_SECONDS)
